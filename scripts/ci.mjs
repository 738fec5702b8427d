// SPDX-License-Identifier: Apache-2.0

// All that CI checks, step by step. A step that fails does not stop the others; the last line says "N passed, N failed", summed
// over the tests of all steps, where a step that is no test suite counts as one. Arguments name the steps to run.

import { spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const work = mkdtempSync(join(tmpdir(), 'asherah-ci-'));
chmodSync(work, 0o755); // some tests start what is installed here as another user
const wanted = process.argv.slice(2);
const results = [];

const NODES = [20, 22, 24, 26];
const FUZZ_TIME = '60s';
const MOCHA = 'node_modules/mocha/bin/mocha.js';

/** What these find out does not depend on the release of Node: the engine and its servers, files, the other libraries. */
const ON_ONE_NODE = [
  'cloud-interop-*',
  'cloud-kms-faults',
  'cloud-metastore-*',
  'cloud-sql*',
  'demo',
  'documents',
  'go-dependencies',
  'interop',
  'key-memory',
  'linkage',
  'old-types',
  'packaging',
  'services',
  'types',
  'vectors',
].flatMap((name) => ['--ignore', `test/${name}.test.js`]);

/** Runs a command and shows what it prints. @returns {Promise<{ status: number, output: string }>} */
function run(command, args, { cwd = root, env = {} } = {}) {
  console.log(`$ ${command} ${args.join(' ')}`);
  return new Promise((done) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const [from, to] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      from.setEncoding('utf8').on('data', (text) => {
        output += text;
        to.write(text);
      });
    }
    child.on('error', (error) => done({ status: 1, output: String(error) }));
    child.on('close', (status) => done({ status: status ?? 1, output }));
  });
}

const sum = (output, pattern) =>
  [...output.matchAll(pattern)].reduce((total, match) => total + Number(match[1] ?? 1), 0);

/** How many tests a command ran, by what it printed. */
const COUNTS = {
  command: () => ({ passed: 1, failed: 0 }),
  mocha: (output) => ({ passed: sum(output, /^ {2}(\d+) passing/gm), failed: sum(output, /^ {2}(\d+) failing/gm) }),
  go: (output) => ({ passed: sum(output, /^--- PASS/gm), failed: sum(output, /^--- FAIL/gm) }),
  lint: (output) => ({ passed: sum(output, /^ok {3}/gm), failed: sum(output, /^FAIL /gm) }),
};

/** One step: a command that must end well, and what to count in its output. */
async function step(name, command, args, { count = 'command', ...options } = {}) {
  const began = Date.now();
  console.log(`\n=== ${name}`);
  const { status, output } = await run(command, args, options);
  const result = { name, ...COUNTS[count](stripVTControlCharacters(output)) };
  // An end without failed tests is one failure too, as is a suite in which no test ran.
  if (status !== 0 && (result.failed === 0 || count === 'command'))
    Object.assign(result, count === 'command' ? { passed: 0, failed: 1 } : { failed: 1 });
  if (status === 0 && result.passed + result.failed === 0) result.failed = 1;
  result.seconds = Math.round((Date.now() - began) / 1000);
  results.push(result);
  return result.failed === 0;
}

/** npm packages that are tools of CI, in a folder of their own. */
async function install(name, ...packages) {
  const folder = join(work, name);
  mkdirSync(folder, { recursive: true });
  const args = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--no-save', ...packages];
  return (await step(`install ${name}`, 'npm', args)) ? join(folder, 'node_modules') : undefined;
}

/** A copy of the sources without what was built. Its packages are those of the project, but for its own half. */
function freshTree(name) {
  const tree = join(work, name);
  const leave = new Set(['node_modules', 'build', 'cloud/build', 'dist', '.git']);
  cpSync(root, tree, {
    recursive: true,
    filter: (path) => !leave.has(path.slice(root.length + 1)) && !/node_modules/.test(path),
  });
  mkdirSync(join(tree, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    const own = name === 'asherah-napi-cloud';
    symlinkSync(own ? join(tree, 'cloud') : join(root, 'node_modules', name), join(tree, 'node_modules', name), 'dir');
  }
  return tree;
}

/** The fuzzers in the sources. @returns {{ name: string, folder: string }[]} folder: below go/ */
function fuzzers() {
  return readdirSync(join(root, 'go'), { recursive: true })
    .filter((file) => file.endsWith('_test.go'))
    .flatMap((file) => {
      const source = readFileSync(join(root, 'go', file), 'utf8');
      return [...source.matchAll(/^func (Fuzz\w+)\(/gm)].map(([, name]) => ({ name, folder: dirname(file) }));
    });
}

const go = (...args) => ['scripts/go.mjs', ...args];

/** With every server, and none of their tests skipped. */
const withServices = (command, ...args) => ['scripts/services.mjs', 'run', '--require', '--', command, ...args];

const STEPS = {
  // With --ignore-scripts, as setup.mjs has it: nothing we use needs one.
  packages: () => step('npm ci', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']),
  build: () => step('build', 'npm', ['run', 'rebuild']),
  services: () => step('servers for the tests', 'node', ['scripts/services.mjs', 'install']),
  lint: () => step('lint', 'npm', ['run', 'lint'], { count: 'lint' }),
  test: () => step('npm test', 'npm', ['test'], { count: 'mocha', env: { ASHERAH_TEST_REQUIRE: '1' } }),
  async go() {
    await step('go test', 'node', withServices('node', ...go('test', '-v', './...')), { count: 'go' });
    await step('go test, plain constructors', 'node', go('--plain', 'test', '-v', './aesgcm', './envelope'), {
      count: 'go',
    });
    await step(
      'go test, race detector',
      'node',
      go('test', '-v', '-race', './envelope', './lockedmem', './metastore'),
      { count: 'go' },
    );
  },
  async fuzz() {
    const all = fuzzers();
    if (all.length === 0) results.push({ name: 'fuzz: none found', passed: 0, failed: 1, seconds: 0 });
    for (const { name, folder } of all) {
      const args = go(
        'test',
        '-run',
        '^$',
        '-fuzz',
        `^${name}$`,
        '-fuzztime',
        FUZZ_TIME,
        '-parallel',
        '2',
        `./${folder}`,
      );
      await step(`${name}, ${FUZZ_TIME}`, 'node', args);
    }
  },
  async nodes() {
    const own = Number(process.versions.node.split('.')[0]);
    const others = NODES.filter((version) => version !== own);
    const os = `${process.platform}-${process.arch}`;
    const modules = await install('nodes', ...others.map((version) => `node${version}@npm:node-${os}@${version}`));
    for (const version of modules ? others : []) {
      const bin = join(modules, `node${version}/bin`);
      const env = { PATH: `${bin}${delimiter}${process.env.PATH}` };
      const suite = withServices(join(bin, 'node'), MOCHA, '--reporter', 'dot', ...ON_ONE_NODE);
      await step(`suite on Node ${version}`, join(bin, 'node'), suite, { count: 'mocha', env });
    }
  },
  async runtimes() {
    const modules = await install('runtimes', 'bun', 'deno');
    if (!modules) return;
    const bin = (name) => join(modules, '.bin', name);
    await step('smoke on Bun', bin('bun'), ['test/runtimes.mjs'], { count: 'mocha' });
    await step('smoke on Deno', bin('deno'), ['run', '-A', '--v8-flags=--expose-gc', 'test/runtimes.mjs'], {
      count: 'mocha',
    });
    const env = { ASHERAH_TEST_BUN: bin('bun'), ASHERAH_TEST_DENO: bin('deno') };
    const samples = [MOCHA, '--no-config', 'test/old-samples.test.js'];
    await step('programs of the older packages on Bun and Deno', 'node', samples, { count: 'mocha', env });
  },
  async sanitizers() {
    const built = await step('sanitized build', 'npm', ['run', 'build:debug']);
    if (built) await step('tests under ASan and UBSan', 'npm', ['run', 'test:debug'], { count: 'mocha' });
  },
  async prebuilds() {
    const venv = join(work, 'venv');
    await step('install zig', 'sh', ['-c', `python3 -m venv ${venv} && ${venv}/bin/pip install -q ziglang`]);
    const tree = freshTree('prebuilds-tree');
    const env = { PATH: `${venv}/bin${delimiter}${process.env.PATH}`, PREBUILDS_ONLY: '1' };
    await step('types for the prebuild', 'npm', ['run', 'build:lib'], { cwd: tree, env });
    const built = await step('prebuild for glibc 2.28', 'npm', ['run', 'prebuilds', '--', '--zig'], { cwd: tree, env });
    if (built)
      await step('smoke on the prebuild', 'node', ['--expose-gc', 'test/runtimes.mjs'], {
        cwd: tree,
        env,
        count: 'mocha',
      });
    if (built)
      await step('linkage of the prebuild', 'node', [MOCHA, '--no-config', 'test/linkage.test.js'], {
        cwd: tree,
        env,
        count: 'mocha',
      });
  },
  demo: () => step('demo', 'npm', ['run', 'demo']),
};

for (const name of wanted) {
  if (!STEPS[name]) throw new Error(`no step "${name}": expected ${Object.keys(STEPS).join(', ')}`);
}
for (const [name, action] of Object.entries(STEPS)) {
  if (wanted.length === 0 || wanted.includes(name)) await action();
}
rmSync(work, { recursive: true, force: true });

console.log('\n=== summary');
for (const { name, passed, failed, seconds } of results) {
  console.log(
    `${failed ? 'FAIL' : 'ok  '} ${name.padEnd(40)} ${String(passed).padStart(5)} passed ${failed} failed ${seconds} s`,
  );
}
const total = (key) => results.reduce((all, result) => all + result[key], 0);
console.log(`${total('passed')} passed, ${total('failed')} failed`);
process.exit(total('failed') ? 1 : 0);
