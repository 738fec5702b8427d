// SPDX-License-Identifier: Apache-2.0

// The services, one entry each: whether it can run here, how it starts, and what a test is told about it.

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keyFor } from './certificates.mjs';
import {
  account,
  copyTemplate,
  has,
  hasMariadbTemplate,
  MARIADB_OPTIONS,
  MYSQL8_OPTIONS,
  must,
  path,
  postgresFolder,
  program,
  VERSIONS,
} from './install.mjs';
import { answersHTTP, greets, start } from './throwaway.mjs';

const KMS_REGIONS = ['us-west-2', 'us-east-1'];

const version = (file) => /\d+\.\d+(\.\d+)?/.exec(spawnSync(file, ['--version'], { encoding: 'utf8' }).stdout)?.[0];

/** A folder that belongs to who runs the server. */
function own(folder, user) {
  mkdirSync(folder, { recursive: true });
  if (user) chownSync(folder, user.uid, user.gid);
  return folder;
}

/** root with a password, over TCP: --skip-name-resolve makes 127.0.0.1 a host of its own, which has no user yet. */
function rootPassword(folder, user, password) {
  const file = join(folder, 'init.sql');
  const lines = [
    "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';", // MariaDB's own installation has made one
    `ALTER USER 'root'@'127.0.0.1' IDENTIFIED BY '${password}';`,
    "GRANT ALL ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;",
    `ALTER USER 'root'@'localhost' IDENTIFIED BY '${password}';`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  if (user) chownSync(file, user.uid, user.gid);
  return file;
}

async function mysqlFamily({ name, template, binary, options, run }) {
  const user = account('mysql');
  const folder = own(join(run.folder, name), user);
  const data = join(folder, 'data');
  copyTemplate(template, data);
  const password = randomBytes(12).toString('hex');
  const init = rootPassword(folder, user, password);
  const common = [`--datadir=${data}`, `--socket=${folder}/s`, `--pid-file=${folder}/pid`, `--init-file=${init}`];
  const network = ['--bind-address=127.0.0.1', '--skip-name-resolve'];
  const args = [...options(folder, user), ...common, ...network, '--innodb-flush-log-at-trx-commit=0'];
  const server = await start({
    name,
    folder,
    user,
    cancel: run.cancel,
    command: (port) => [binary, [...args, `--port=${port}`]],
    ready: greets,
  });
  const refused = /^ERROR.*/m.exec(readFileSync(join(folder, `${name}.log`), 'utf8'));
  if (refused) {
    await server.stop();
    throw new Error(`${name} refused its first statements: ${refused[0]}`);
  }
  return { ...server, address: `root:${password}@tcp(127.0.0.1:${server.port})/` };
}

/** The parts a test can ask for with --only. `present` is cheap; `start` gives the server and what it is known by. */
export const SERVICES = {
  kms: {
    what: `moto ${VERSIONS.moto} (AWS KMS), one process for each of ${KMS_REGIONS.join(' and ')}`,
    present: () => has('moto'),
    async start(run) {
      const folder = own(join(run.folder, 'kms'));
      const env = { ...process.env, ...run.environment }; // no account of this machine, should moto ask for one
      const servers = await Promise.all(
        KMS_REGIONS.map((region) =>
          start({
            name: `kms-${region}`,
            folder,
            env,
            cancel: run.cancel,
            command: (port) => [path('moto/bin/moto_server'), ['-H', '127.0.0.1', '-p', String(port)]],
            ready: (port) => answersHTTP(port, '/moto-api/data.json'),
          }),
        ),
      );
      const endpoints = servers.map(({ port }, i) => `${KMS_REGIONS[i]}=http://127.0.0.1:${port}`).join(',');
      return {
        line: `moto ${VERSIONS.moto}: ${endpoints}`,
        environment: { ASHERAH_TEST_KMS_ENDPOINTS: endpoints },
        stop: () => Promise.all(servers.map((server) => server.stop())),
      };
    },
  },

  dynamodb: {
    what: `DynamoDB Local ${VERSIONS.dynamodb}`,
    present: () => has('dynamodb') && program('java'),
    async start(run) {
      const folder = own(join(run.folder, 'dynamodb'));
      const lib = path('dynamodb/lib');
      const jvm = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', `-Dsqlite4java.library.path=${lib}`];
      const main = ['-cp', `${path('dynamodb/classes')}:${lib}/*`, 'LoopbackDynamo'];
      const { port, stop } = await start({
        name: 'dynamodb',
        folder,
        cancel: run.cancel,
        command: (port) => [
          program('java'),
          [...jvm, ...main, '-inMemory', '-sharedDb', '-disableTelemetry', '-port', String(port)],
        ],
        ready: answersHTTP,
      });
      const endpoint = `http://127.0.0.1:${port}`;
      return {
        line: `DynamoDB Local ${VERSIONS.dynamodb}: ${endpoint}`,
        environment: { ASHERAH_TEST_DYNAMODB: endpoint },
        stop,
      };
    },
  },

  mariadb: {
    what: 'MariaDB, with TLS',
    present: () => program('mariadbd') && hasMariadbTemplate(),
    async start(run) {
      const { ca, certificate, key } = run.certificates();
      const options = (folder, user) => [
        ...MARIADB_OPTIONS,
        `--ssl-ca=${ca}`,
        `--ssl-cert=${certificate}`,
        `--ssl-key=${keyFor(user, key, folder)}`,
      ];
      const binary = program('mariadbd');
      const server = await mysqlFamily({ name: 'mariadb', template: 'mariadb-data', binary, options, run });
      return {
        line: `MariaDB ${version(binary)}: 127.0.0.1:${server.port}, TLS`,
        environment: { ASHERAH_TEST_MYSQL: [server.address] },
        stop: server.stop,
      };
    },
  },

  mysql: {
    what: `MySQL ${VERSIONS.mysql8}, without TLS`,
    present: () => has('mysql8'),
    async start(run) {
      // Go's crypto/tls does not get along with the TLS library of this old build; so it serves as the server without TLS
      const options = () => [...MYSQL8_OPTIONS, `--basedir=${path('mysql8')}`, '--mysqlx=OFF', '--ssl=0'];
      const binary = path('mysql8/bin/mysqld');
      const server = await mysqlFamily({ name: 'mysql', template: 'mysql8-data', binary, options, run });
      return {
        line: `MySQL ${VERSIONS.mysql8}: 127.0.0.1:${server.port}, no TLS`,
        environment: { ASHERAH_TEST_MYSQL: [server.address] },
        stop: server.stop,
      };
    },
  },

  postgres: {
    what: 'PostgreSQL, with TLS',
    present: () => postgresFolder(),
    async start(run) {
      const user = account('postgres');
      const folder = own(join(run.folder, 'postgres'), user);
      const { certificate, key } = run.certificates();
      const bin = postgresFolder();
      const password = randomBytes(12).toString('hex');
      const passwordFile = join(folder, 'password');
      writeFileSync(passwordFile, password, { mode: 0o600 });
      if (user) chownSync(passwordFile, user.uid, user.gid);
      const data = join(folder, 'data');
      const initial = ['-D', data, '-A', 'scram-sha-256', '-U', 'postgres', '--pwfile', passwordFile, '--no-sync'];
      must(join(bin, 'initdb'), [...initial, '--encoding=UTF8', '--locale=C'], { ...user, cwd: folder });
      rmSync(passwordFile);
      const tls = ['ssl=on', `ssl_cert_file=${certificate}`, `ssl_key_file=${keyFor(user, key, folder)}`];
      const settings = ['listen_addresses=127.0.0.1', 'fsync=off', ...tls].flatMap((setting) => ['-c', setting]);
      const { port, stop } = await start({
        name: 'postgres',
        folder,
        user,
        cancel: run.cancel,
        command: (port) => [join(bin, 'postgres'), ['-D', data, '-k', folder, '-p', String(port), ...settings]],
        ready: async (port) =>
          spawnSync(join(bin, 'pg_isready'), ['-q', '-h', '127.0.0.1', '-p', String(port)]).status === 0,
        signal: 'SIGINT', // "fast shutdown"; killed, it would leave shared memory behind
      });
      return {
        line: `PostgreSQL ${version(join(bin, 'postgres'))}: 127.0.0.1:${port}, TLS`,
        environment: { ASHERAH_TEST_POSTGRES: `postgres://postgres:${password}@127.0.0.1:${port}/postgres` },
        stop,
      };
    },
  },

  toxiproxy: {
    what: `toxiproxy ${VERSIONS.toxiproxy}`,
    present: () => has('toxiproxy'),
    async start(run) {
      const folder = own(join(run.folder, 'toxiproxy'));
      const { port, stop } = await start({
        name: 'toxiproxy',
        folder,
        cancel: run.cancel,
        command: (port) => [path('toxiproxy/server'), ['-host', '127.0.0.1', '-port', String(port)]],
        ready: (port) => answersHTTP(port, '/version'),
      });
      const endpoint = `http://127.0.0.1:${port}`;
      return {
        line: `toxiproxy ${VERSIONS.toxiproxy}: ${endpoint}`,
        environment: { ASHERAH_TEST_TOXIPROXY: endpoint },
        stop,
      };
    },
  },

  peer: {
    what: `the Python package asherah ${VERSIONS.peer}`,
    present: () => has('peer'),
    async start() {
      return {
        line: `asherah for Python ${VERSIONS.peer}`,
        environment: { ASHERAH_TEST_PEER_PYTHON: path('peer/bin/python') },
        stop: async () => {},
      };
    },
  },
};

/** Lets other users pass through the folder that mkdtemp made for us alone. */
export const passable = (folder) => chmodSync(folder, 0o755);
