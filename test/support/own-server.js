// SPDX-License-Identifier: Apache-2.0

// A database server that only one test uses, and may kill.

const { spawn } = require('node:child_process');
const { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { MysqlStore, PostgresStore } = require('./cloud-stores.js');
const { MysqlDatabase, PostgresDatabase } = require('./services.js');

const isAlive = (pid) => {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
};

async function eventually(condition, patience = 20_000) {
  for (const end = Date.now() + patience; Date.now() < end; await sleep(50)) if (await condition()) return;
  throw new Error(`not within ${patience} ms`);
}

/** services.mjs makes MariaDB fast; killed, such a server has forgotten the last second. */
const FAST = '--innodb-flush-log-at-trx-commit=';
const DURABLE = 'SET GLOBAL innodb_flush_log_at_trx_commit = 1';

const KINDS = {
  MariaDB: { service: 'mariadb', pidFile: 'mariadb/pid', address: 'ASHERAH_TEST_MYSQL' },
  PostgreSQL: { service: 'postgres', pidFile: 'postgres/data/postmaster.pid', address: 'ASHERAH_TEST_POSTGRES' },
};

class OwnServer {
  /** @param {'MariaDB' | 'PostgreSQL'} name */
  static async start(name) {
    const { SERVICES, passable } = await import('../../scripts/services/servers.mjs');
    const { makeCertificates } = await import('../../scripts/services/certificates.mjs');
    const server = new OwnServer();
    Object.assign(server, KINDS[name]);
    server.folder = mkdtempSync(join(tmpdir(), 'asherah-own-server-'));
    passable(server.folder);
    mkdirSync(join(server.folder, 'ca'));
    const certificates = makeCertificates(join(server.folder, 'ca'));
    server.service = await SERVICES[server.service].start({
      folder: server.folder,
      environment: {},
      cancel: new AbortController().signal,
      certificates: () => certificates,
    });
    return server;
  }

  get pid() {
    return Number.parseInt(readFileSync(join(this.folder, this.pidFile), 'utf8'), 10);
  }

  /** An empty store without its table, on it. */
  async store() {
    const [address] = [this.service.environment[this.address]].flat();
    const { username: user, password, port } = new URL(address.replace(/^(\w+:\w+)@tcp\((.+)\)/, 'mysql://$1@$2'));
    const server = { host: '127.0.0.1', port: Number(port), user, password };
    if (this.address === 'ASHERAH_TEST_MYSQL') {
      this.database = await MysqlDatabase.create(server);
      await this.database.query(DURABLE);
    } else this.database = Object.assign(new PostgresDatabase('postgres'), server);
    return new (this.address === 'ASHERAH_TEST_MYSQL' ? MysqlStore : PostgresStore)(this.database);
  }

  /** As a machine that loses its power. */
  async kill() {
    const { pid } = this;
    const file = join('/proc', String(pid));
    const [program, ...args] = readFileSync(join(file, 'cmdline'), 'utf8').split('\0').filter(Boolean);
    const { uid, gid } = statSync(file);
    this.command = { program, args: args.map((arg) => (arg.startsWith(FAST) ? `${FAST}1` : arg)), uid, gid };
    process.kill(pid, 'SIGKILL');
    await eventually(() => !isAlive(pid));
  }

  /** The same command once more, until it serves. */
  async restart() {
    const { program, args, uid, gid } = this.command;
    await eventually(async () => {
      // PostgreSQL does not start before the last process of the killed one is gone
      if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null) {
        this.child = spawn(program, args, { uid, gid, cwd: this.folder, stdio: 'ignore' });
        this.child.on('error', () => {}); // told by eventually
      }
      return this.database.query('SELECT 1').then(
        () => true,
        () => false,
      );
    });
  }

  async stop() {
    if (this.child?.exitCode === null && this.child.signalCode === null) {
      this.child.kill(this.address === 'ASHERAH_TEST_MYSQL' ? 'SIGKILL' : 'SIGINT');
      await new Promise((done) => this.child.once('exit', done));
    }
    await this.service.stop();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

module.exports = { OwnServer };
