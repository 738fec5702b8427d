// SPDX-License-Identifier: Apache-2.0

// Other Asheras as child processes, and SQL on the file that is shared with them. Set-up is part of it: the Go peer is
// built, the Python one downloaded, once, into build/interop.

const { spawn, spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, renameSync, rmSync } = require('node:fs');
const { join, resolve } = require('node:path');
const readline = require('node:readline');

const root = resolve(__dirname, '../..');
const built = join(root, 'build/interop');

/** A child that answers each line of JSON with one. */
class Peer {
  constructor(command, args, options) {
    this.child = spawn(command, args, { ...options, stdio: ['pipe', 'pipe', 'pipe'] });
    this.waiting = [];
    this.stderr = '';
    this.child.stderr.on('data', (text) => {
      this.stderr += text;
    });
    readline.createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift().resolve(line));
    const fail = (why) => {
      for (const { reject } of this.waiting.splice(0)) reject(new Error(`${command} ${why}\n${this.stderr}`));
    };
    this.child.on('error', (error) => fail(error.message));
    this.child.on('close', (code, signal) => fail(`ended with ${signal ?? code}`));
    this.child.stdin.on('error', () => {}); // told by close
  }

  /** @returns {Promise<object>} the peer's answer; rejects with the peer's error */
  async ask(request) {
    const line = await new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.child.stdin.write(`${JSON.stringify(request)}\n`);
    });
    const answer = JSON.parse(line);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  /** @param {object} keys service, product, partition, and where the keys are: db and masterKey, or what the peer knows */
  async encrypt(keys, data) {
    return (await this.ask({ ...keys, op: 'encrypt', data: Buffer.from(data).toString('base64') })).record;
  }

  async decrypt(keys, record) {
    return Buffer.from((await this.ask({ ...keys, op: 'decrypt', record })).data ?? '', 'base64');
  }

  /** One SQL statement on a file, past every Asherah (the Go peer only). @returns {Promise<object[]>} its rows */
  async sql(db, sql, ...params) {
    return (await this.ask({ op: 'sql', db, sql, params })).rows;
  }

  /** The same, and the connection stays open with its transaction until the next `sql` on that file. */
  async sqlAndKeep(db, sql, ...params) {
    return (await this.ask({ op: 'sql', db, sql, params, keep: true })).rows;
  }

  stop() {
    this.child.stdin.end();
  }
}

function mustRun(command, args, options) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stdout + stderr}`);
}

/** The Go that built the addon builds it too. @returns {string} the program */
function buildGo(folder, name, tags) {
  const binary = join(built, process.platform === 'win32' ? `${name}.exe` : name);
  mustRun('go', ['build', '-tags', tags, '-o', binary, '.'], { cwd: join(root, folder) });
  return binary;
}

const startOfficialGo = (name, tags, environment = {}) =>
  new Peer(buildGo(`test/interop/${name}`, name, tags), [], { env: { ...process.env, ...environment } });

/** The official Go library, and SQL. The first tag: without the old AWS SDK, which nothing here needs. */
const startGo = () => startOfficialGo('go-official', 'nodeprecated sqlite_omit_load_extension');

/** The official Go library with AWS KMS and servers' metastores, with more variables in its environment. */
const startGoAws = (environment) => startOfficialGo('go-official-aws', 'nodeprecated', environment);

const pythonAsherah = 'asherah==0.5.56';

/** The Rust core as PyPI has it, with more variables in its environment, or the sentence that says why it can't be had here. */
function startPython(environment = {}) {
  const python = ['python3', 'python'].find((name) => spawnSync(name, ['-m', 'pip', '--version']).status === 0);
  if (!python) return 'Python with pip is missing: install python3 and python3-pip';
  const packages = join(built, `python-${pythonAsherah.replace('==', '-')}`);
  if (!existsSync(packages)) {
    const partial = `${packages}.partial`;
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(built, { recursive: true });
    mustRun(python, ['-m', 'pip', 'install', '-q', '--only-binary', ':all:', '--target', partial, pythonAsherah]);
    renameSync(partial, packages);
  }
  return new Peer(python, [join(root, 'test/interop/python/peer.py')], {
    env: { ...process.env, PYTHONPATH: packages, PYTHONIOENCODING: 'utf-8', PYTHONUTF8: '1', ...environment },
  });
}

module.exports = { buildGo, Peer, startGo, startGoAws, startPython };
