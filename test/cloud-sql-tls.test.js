// SPDX-License-Identifier: Apache-2.0

// The fear: key rows and passwords that travel in plain text unnoticed, a server that is taken for another, and a password
// that turns up in an error, a warning or a log.

const assert = require('node:assert/strict');
const { mkdtempSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');
const { inChild } = require('./support/child.js');
const { configOn, newStore, openOn, STORES, withFactory } = require('./support/cloud-stores.js');
const { certificateAuthority, MysqlDatabase, mysqlServers, need } = require('./support/services.js');
const { has, temporaryFolder } = require('./support/store.js');

const SERVERS = { MariaDB: true, PostgreSQL: true, 'MySQL 8': false };
const PLAIN = 'WARN_ASHERAH_PLAIN_CONNECTION';

const onServer = (store, parameters) => ({
  metastore: 'rdbms',
  connectionString: store.database.url({ parameters }),
});

/** Encrypts and decrypts, and looks how the connection was. */
async function connect(store, parameters, options = {}) {
  const warnings = [];
  return withFactory(
    onServer(store, parameters),
    async (factory) => {
      const session = factory.getSession('partition');
      const records = await Promise.all(Array.from({ length: 20 }, () => session.encryptAsync('text')));
      assert.equal(session.decryptString(records[0]), 'text');
      factory.getSession('another').encrypt('text');
      const { checks } = await factory.verify();
      await new Promise((done) => setTimeout(done, 50)); // warnings come from the event loop
      const { status, message } = checks.find(({ name }) => name === 'metastore connection');
      return { warnings, status, tls: /TLS ?v?1\.[23]/.test(message), message };
    },
    { onWarning: (warning) => warnings.push(warning), ...options },
  );
}

async function refused(store, parameters, options, words, code = 'ERR_ASHERAH_METASTORE') {
  const isRefusal = (error) => {
    assert.ok(has(code)(error), error.stack);
    assert.match(`${error.message} ${error.cause?.message}`, words);
    return true;
  };
  let factory;
  try {
    factory = openOn(onServer(store, parameters), options);
  } catch (error) {
    return isRefusal(error);
  }
  try {
    assert.throws(() => factory.getSession('partition').encrypt('text'), isRefusal);
    await assert.rejects(factory.getSession('partition').encryptAsync('text'), isRefusal);
    assert.equal((await factory.verify()).ok, false);
  } finally {
    factory.close();
  }
}

/** @returns {Promise<string>} the file of a certificate authority that no server's certificate is from */
async function newAuthority(folder) {
  const { makeCertificates } = await import('../scripts/services/certificates.mjs');
  return makeCertificates(mkdtempSync(join(folder, 'ca-'))).ca;
}

for (const [name, hasTls] of Object.entries(SERVERS)) {
  const mysql = name !== 'PostgreSQL';
  const mode = (its, theirs) => (mysql ? `ssl-mode=${its}` : `sslmode=${theirs}`);

  describe(`TLS to ${name}`, () => {
    need(STORES[name].service);
    const folder = temporaryFolder();
    let store;
    before(async () => {
      store = await newStore(name);
    });

    it('is used where the server has it; else a warning says so, once', async () => {
      for (const parameters of ['', mode('PREFERRED', 'prefer')]) {
        const { warnings, tls, status } = await connect(store, parameters);
        const plain = warnings.filter(({ code }) => code === PLAIN);
        assert.deepEqual([tls, status, plain.length], hasTls ? [true, 'ok', 0] : [false, 'warning', 1]);
        for (const { message } of plain) assert.ok(message.includes(store.name().slice(0, -2)), message);
      }
    });

    it('is left out without a warning when the string says so', async () => {
      const { warnings, tls, message } = await connect(store, mode('DISABLED', 'disable'));
      assert.equal(tls, false, message);
      assert.deepEqual(warnings, []);
    });

    it('is contradicted by no string when it is required', async () => {
      await refused(
        store,
        mode('DISABLED', 'disable'),
        { requireTls: true },
        /requireTls/,
        'ERR_ASHERAH_INVALID_CONFIG',
      );
    });

    if (!hasTls) {
      it('that is required and not there is an error', async () => {
        await refused(store, '', { requireTls: true }, /TLS/);
        await refused(store, 'ssl-mode=PREFERRED', { requireTls: true }, /TLS/);
        for (const asked of ['REQUIRED', 'VERIFY_IDENTITY']) await refused(store, `ssl-mode=${asked}`, {}, /TLS/);
        await refused(store, '', { caFile: await newAuthority(folder) }, /TLS/);
      });
      return;
    }

    it('is there where it is required', async () => {
      for (const [parameters, options] of [
        ['', { requireTls: true }],
        [mode('REQUIRED', 'require'), {}],
      ]) {
        const { warnings, tls } = await connect(store, parameters, options);
        assert.deepEqual([tls, warnings], [true, []]);
      }
    });

    it('is for the server that the CA file vouches for', async () => {
      const caFile = certificateAuthority();
      assert.equal((await connect(store, '', { caFile })).tls, true);
      assert.equal((await connect(store, mode('VERIFY_IDENTITY', 'verify-full'), { caFile })).tls, true);
      assert.equal((await connect(store, mode('VERIFY_CA', 'verify-ca'), { caFile })).tls, true);
      const inString = `${mysql ? 'ssl-ca' : 'sslrootcert'}=${encodeURIComponent(caFile)}`;
      assert.equal((await connect(store, inString)).tls, true);
    });

    it('is refused to a server that it does not vouch for', async () => {
      const ca = await newAuthority(folder);
      await refused(store, '', { caFile: ca }, /certificate/);
      await refused(store, mode('VERIFY_CA', 'verify-ca'), { caFile: ca }, /certificate/);
      // the CAs that the system knows
      await refused(store, mode('VERIFY_IDENTITY', 'verify-full'), {}, /certificate/);
    });

    it('takes no file for a CA file that is none', async () => {
      const text = join(folder, 'text.pem');
      writeFileSync(text, 'no certificate');
      for (const caFile of [text, join(folder, 'missing.pem'), folder]) {
        await refused(store, '', { caFile }, /caFile/, 'ERR_ASHERAH_INVALID_CONFIG');
      }
    });
  });
}

describe('passwords in connection strings', function () {
  this.timeout(90_000);
  need('mysql', 'postgres');

  const secret = 'S3cretPassw0rd';
  const odd = `${secret}@:/?#%&='"\\ ${secret}`;

  it('are in no error, warning, report or inspection', async () => {
    const configs = [];
    const add = (connectionString, options) =>
      configs.push(configOn({ metastore: 'rdbms', connectionString }, { requestTimeout: 2, ...options }));

    // right ones, of servers with and without TLS
    for (const server of mysqlServers()) {
      const database = await MysqlDatabase.create(server);
      await database.query(`CREATE USER IF NOT EXISTS 'secretive'@'%' IDENTIFIED BY '${secret}'`);
      await database.query(`GRANT ALL ON ${database.name}.* TO 'secretive'@'%'`);
      Object.assign(database, { user: 'secretive', password: secret });
      add(database.url());
      add(database.url(), { replicaReadConsistency: 'session' });
      add(database.url({ parameters: 'ssl-mode=VERIFY_IDENTITY' }));
    }
    // wrong ones, in all forms, well-formed and not
    const { host, port } = mysqlServers()[0];
    const postgres = new URL(process.env.ASHERAH_TEST_POSTGRES);
    const forPostgres = `${postgres.host}/postgres`;
    for (const password of [secret, odd, encodeURIComponent(odd)]) {
      for (const place of [`${host}:${port}`, `${host}:1`, 'no-such-host.invalid:1', `${host}:port`]) {
        add(`mysql://root:${password}@${place}/mysql`);
        add(`root:${password}@tcp(${place})/mysql`);
        add(`postgres://postgres:${password}@${place}/postgres`);
      }
      add(`mysql://root:${password}@${host}:${port}/mysql?colour=${password}`);
      add(`mysql://root:${password}@${host}:${port}/mysql?tls=${password}`);
      add(`mysql://root:${password}`);
      add(`root:${password}@tcp(${host}:${port})`);
      add(`root:${password}@unix(/no/such/socket)/mysql`);
      add(`postgres://postgres:${password}@${forPostgres}`);
      add(`postgres://postgres:${password}@${forPostgres}?sslmode=verify-full`);
      add(`postgres://postgres:${password}@${forPostgres}?sslmode=${password}`);
      add(`postgres://postgres@${forPostgres}?password=${password}`);
      add(`host=${postgres.hostname} port=${postgres.port} user=postgres password=${password} dbname=postgres`);
      add(`host=${postgres.hostname} port=${postgres.port} user=postgres password='${password}' dbname=postgres`);
      add(`host=${postgres.hostname} user=postgres password='${password}`);
      add(`other://u:${password}@h/d`);
      add(password);
    }
    for (const wrong of [{ poolMaxOpen: -1 }, { metastore: 'sqlite' }, { sqlMetastoreDbType: 'postgres' }]) {
      add(`mysql://root:${secret}@${host}/mysql`, wrong);
    }

    const { code, stdout, stderr } = await inChild('sql-secrets.js', 'show', { configs });
    assert.equal(code, 0, stderr);
    for (const [where, text] of Object.entries({ stdout, stderr })) {
      const at = text.search(/S3cret|Passw0rd/);
      assert.equal(at, -1, `${where}: ${text.slice(Math.max(0, at - 300), at + 100)}`);
    }
    // or else this test shows nothing
    assert.match(stdout, /ERR_ASHERAH_METASTORE'/);
    assert.match(stdout, /ERR_ASHERAH_INVALID_CONFIG/);
    assert.match(stdout, /Access denied|using password/);
    assert.match(stdout, /password authentication failed/);
    assert.match(stdout, /WARN_ASHERAH_PLAIN_CONNECTION/);
    assert.match(stderr, /WARN_ASHERAH_PLAIN_CONNECTION/);
    assert.match(stdout, /"Data"/);
  });
});
