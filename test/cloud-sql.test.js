// SPDX-License-Identifier: Apache-2.0

// The fear: a table, time zone or collation that a server, its administrator or another Asherah chose differently, under
// which keys are not found again or two partitions share one.

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { setTimeout: sleep } = require('node:timers/promises');
const { configOn, newStore, openOn, STORES, withFactory } = require('./support/cloud-stores.js');
const { RemoteSession } = require('./support/remote-session.js');
const { MysqlDatabase, mysqlServers, need, PostgresDatabase } = require('./support/services.js');
const { has } = require('./support/store.js');

const SERVERS = ['MariaDB', 'MySQL 8', 'PostgreSQL'];
const isMysql = (name) => name !== 'PostgreSQL';

/** A store whose table was made by somebody else. */
async function madeByHand(name, columns) {
  const store = await STORES[name].create();
  await store.database.query(`CREATE TABLE encryption_key (${columns}, PRIMARY KEY (id, created))`);
  return store;
}

const inPartition = (store, partition, use, options) =>
  withFactory(store.options(), (factory) => use(factory.getSession(partition), factory), options);

/** What verify says about the table. */
const tableCheck = async (factory) => (await factory.verify()).checks.find(({ name }) => name === 'metastore table');

/** Processes of several time zones write and read each other's records, and rows have the date that their record says. */
async function sharedByTimeZones(store) {
  const processes = ['UTC', 'America/New_York', 'Asia/Kolkata'].map((TZ) => new RemoteSession({ TZ }));
  try {
    const records = [];
    for (const [i, each] of processes.entries()) {
      await each.call('open', configOn(store.options()));
      records.push(await each.call('encrypt', 'partition', 'text')); // one key for all
      records.push(await each.call('encrypt', `partition ${i}`, 'text'));
    }
    const partitions = ['partition', 'partition 0', 'partition', 'partition 1', 'partition', 'partition 2'];
    for (const each of processes) {
      await each.call('open', configOn(store.options()));
      for (const [i, record] of records.entries())
        assert.equal(await each.call('decrypt', partitions[i], record), 'text');
    }
    const rows = await store.rows();
    assert.equal(rows.length, 5);
    for (const { created, record } of rows) assert.equal(created, record.Created);
  } finally {
    await Promise.all(processes.map((each) => each.stop()));
  }
}

const reversed = (value) =>
  Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, inner]) => [key, typeof inner === 'object' ? reversed(inner) : inner]),
  );

for (const name of SERVERS) {
  describe(`a table in ${name}`, function () {
    this.timeout(60_000);
    need(STORES[name].service);

    describe('in another time zone', () => {
      before(async () => {
        if (isMysql(name))
          await new MysqlDatabase(mysqlServers()[SERVERS.indexOf(name)]).query("SET GLOBAL time_zone = '+05:30'");
      });
      after(async () => {
        if (isMysql(name))
          await new MysqlDatabase(mysqlServers()[SERVERS.indexOf(name)]).query("SET GLOBAL time_zone = 'SYSTEM'");
      });
      const otherZone = async (store) => {
        if (isMysql(name)) return store;
        await store.database.query(`ALTER DATABASE ${store.database.name} SET timezone = 'Asia/Kolkata'`);
        return store;
      };

      it('holds keys for processes of any time zone', async () =>
        sharedByTimeZones(await otherZone(await newStore(name))));

      const type = isMysql(name) ? 'DATETIME' : 'TIMESTAMP';
      it(`holds them in ${type} too, as UTC`, async () => {
        const id = isMysql(name) ? 'VARCHAR(255) COLLATE utf8mb4_bin' : 'TEXT';
        const json = isMysql(name) ? 'TEXT' : 'JSONB';
        const store = await otherZone(
          await madeByHand(name, `id ${id} NOT NULL, created ${type} NOT NULL, key_record ${json} NOT NULL`),
        );
        store.epoch = isMysql(name)
          ? "TIMESTAMPDIFF(SECOND, '1970-01-01 00:00:00', created)"
          : "EXTRACT(EPOCH FROM created AT TIME ZONE 'UTC')";
        await sharedByTimeZones(store);
      });
    });

    const idType = isMysql(name) ? 'VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin' : 'TEXT';
    for (const type of isMysql(name) ? ['TEXT', 'JSON'] : ['TEXT', 'JSON', 'JSONB']) {
      it(`may hold key_record as ${type}, with its fields in any order`, async () => {
        const created = isMysql(name) ? 'TIMESTAMP' : 'TIMESTAMPTZ';
        const store = await madeByHand(
          name,
          `id ${idType} NOT NULL, created ${created} NOT NULL, key_record ${type} NOT NULL`,
        );
        const record = await inPartition(store, 'partition', (session) => session.encrypt('text'));
        await inPartition(store, 'partition', (session) => assert.equal(session.decryptString(record), 'text'));
        const forms = [
          (row) => ({ ...row, record: reversed(row.record) }),
          (row) => ({ ...row, record: { Revoked: false, note: { a: [1, null] }, ...row.record } }),
        ];
        for (const form of forms) {
          await store.replace((await store.rows()).map(form));
          await inPartition(store, 'partition', async (session, factory) => {
            assert.equal(session.decryptString(record), 'text');
            assert.deepEqual(
              JSON.parse(session.encrypt('text')).Key.ParentKeyMeta,
              JSON.parse(record).Key.ParentKeyMeta,
            );
            const { status, message } = await tableCheck(factory);
            assert.equal(status, 'ok', message);
          });
        }
      });
    }

    it('without a unique index gets no key', async () => {
      const store = await newStore(name);
      const record = await inPartition(store, 'partition', (session) => session.encrypt('text'));
      const constraint = isMysql(name) ? 'PRIMARY KEY' : 'CONSTRAINT encryption_key_pkey';
      await store.database.query(`ALTER TABLE encryption_key DROP ${constraint}`);
      await inPartition(store, 'new', async (session, factory) => {
        assert.equal(factory.getSession('partition').decryptString(record), 'text');
        assert.throws(() => session.encrypt('text'), /ADD PRIMARY KEY \(id, created\)/);
        assert.equal((await tableCheck(factory)).status, 'failure');
        await store.database.query('ALTER TABLE encryption_key ADD PRIMARY KEY (id, created)');
        session.encrypt('text'); // cured without a restart
        assert.equal((await tableCheck(factory)).status, 'ok');
      });
      assert.equal((await store.rows()).length, 3);
    });

    it('whose id column is short refuses longer ids, and nothing is cut off', async () => {
      const store = await newStore(name);
      const alter = isMysql(name) ? `MODIFY id VARCHAR(40) COLLATE utf8mb4_bin NOT NULL` : 'ALTER id TYPE VARCHAR(40)';
      await store.database.query(`ALTER TABLE encryption_key ${alter}`);
      const long = 'é'.repeat(40);
      await inPartition(store, 'short', async (session, factory) => {
        session.encrypt('text');
        for (const partition of [long, `${long}x`]) {
          const isTooLong = (error) =>
            has('ERR_ASHERAH_METASTORE')(error) && /too long.* 40 characters/.test(error.message);
          assert.throws(() => factory.getSession(partition).encrypt('text'), isTooLong);
          await assert.rejects(factory.getSession(partition).encryptAsync('text'), isTooLong);
        }
        assert.equal((await tableCheck(factory)).status, 'warning');
        assert.equal((await store.rows()).length, 2);
        const wider = isMysql(name) ? `MODIFY id VARCHAR(255) COLLATE utf8mb4_bin NOT NULL` : 'ALTER id TYPE TEXT';
        await store.database.query(`ALTER TABLE encryption_key ${wider}`);
        factory.getSession(long).encrypt('text'); // cured without a restart
      });
    });

    it('is read through a pool that is as large as it was told', async () => {
      const store = await newStore(name);
      const { database } = store;
      // in another database, so that the connections which look on don't count
      const elsewhere = isMysql(name) ? new MysqlDatabase(database) : new PostgresDatabase('postgres');
      const statement = isMysql(name)
        ? 'SELECT id FROM information_schema.processlist WHERE db = ?'
        : 'SELECT pid AS id FROM pg_stat_activity WHERE datname = $1';
      const connections = async () => (await elsewhere.query(statement, [database.name])).map(({ id }) => Number(id));
      const settle = async (want) => {
        let now;
        for (const end = Date.now() + 15_000; Date.now() < end; await sleep(100)) {
          now = await connections();
          if (want(now)) return now;
        }
        throw new Error(`connections stay ${now}`);
      };
      const burst = (factory, kind) =>
        Promise.all(Array.from({ length: 40 }, (_, i) => factory.getSession(`${kind} ${i}`).encryptAsync('text')));
      const withPool = async (options, use) => {
        await withFactory(store.options(), use, options);
        await settle((ids) => ids.length === 0); // close() closes them
      };

      await settle((ids) => ids.length === 0); // those that made the table
      await withPool({ poolMaxOpen: 1 }, async (factory) => {
        let most = 0;
        let busy = true;
        const watch = (async () => {
          while (busy) most = Math.max(most, (await connections()).length);
        })();
        await burst(factory, 'one');
        busy = false;
        await watch;
        assert.equal(most, 1);
      });
      await withPool({}, async (factory) => {
        await burst(factory, 'default');
        await settle((ids) => ids.length === 2);
      });
      await withPool({ poolMaxOpen: 0, poolMaxIdle: 5 }, async (factory) => {
        await burst(factory, 'five');
        await settle((ids) => ids.length === 5);
      });
      await withPool({ poolMaxIdle: 0 }, async (factory) => {
        await burst(factory, 'none');
        await settle((ids) => ids.length === 0);
      });
      await withPool({ poolMaxIdleTime: 1 }, async (factory) => {
        await burst(factory, 'idle');
        await settle((ids) => ids.length === 0);
      });
      await withPool({ poolMaxLifetime: 1, poolMaxIdle: 1 }, async (factory) => {
        await burst(factory, 'life');
        const [first] = await settle((ids) => ids.length <= 1);
        await sleep(1500);
        await factory.getSession('life').encryptAsync('text');
        assert.ok(!(await connections()).includes(first), 'the same connection after its end');
      });
    });

    it('on a server without Aurora is not read with replicaReadConsistency', async () => {
      const store = await newStore(name);
      for (const replicaReadConsistency of ['eventual', 'global', 'session']) {
        await withFactory(
          store.options(),
          async (factory) => {
            const isRefusal = (error) =>
              has('ERR_ASHERAH_METASTORE')(error) && /replicaReadConsistency.*Aurora/.test(error.message);
            assert.throws(() => factory.getSession('partition').encrypt('text'), isRefusal);
            await assert.rejects(factory.getSession('partition').encryptAsync('text'), isRefusal);
            assert.equal((await factory.verify()).ok, false);
          },
          { replicaReadConsistency },
        );
      }
    });
  });
}

for (const name of ['MariaDB', 'MySQL 8']) {
  describe(`a table in ${name} with the server's own collation`, () => {
    need('mysql');

    it('never lets two partitions share a key, and says how to cure it', async () => {
      const store = await madeByHand(
        name,
        'id VARCHAR(255) NOT NULL, created TIMESTAMP NOT NULL, key_record TEXT NOT NULL',
      );
      await inPartition(store, 'Bob', async (session, factory) => {
        const record = session.encrypt("Bob's");
        let cure;
        for (const partition of ['bob', 'BOB', 'Bób']) {
          const other = factory.getSession(partition);
          const isRefusal = (error) => {
            cure = /ALTER TABLE encryption_key MODIFY id [^.;]*NOT NULL/.exec(error.message)?.[0];
            return has('ERR_ASHERAH_METASTORE')(error) && cure !== undefined;
          };
          assert.throws(() => other.encrypt('text'), isRefusal);
          await assert.rejects(other.encryptAsync('text'), isRefusal);
        }
        assert.equal((await store.rows()).length, 2);
        assert.equal((await tableCheck(factory)).status, 'warning');

        await store.database.query(cure);
        const theirs = factory.getSession('bob').encrypt("bob's");
        assert.equal((await store.rows()).length, 3);
        assert.equal(session.decryptString(record), "Bob's");
        assert.throws(() => session.decrypt(theirs), has('ERR_ASHERAH_PARTITION_MISMATCH'));
        assert.equal((await tableCheck(factory)).status, 'ok');
      });
    });

    it('never lets a lax sql_mode of the server shorten an id', async () => {
      const administrator = new MysqlDatabase(mysqlServers()[SERVERS.indexOf(name)]);
      const [{ mode }] = await administrator.query('SELECT @@GLOBAL.sql_mode AS mode');
      await administrator.query("SET GLOBAL sql_mode = ''");
      try {
        const store = await newStore(name);
        await inPartition(store, 'x'.repeat(300), (session) =>
          assert.throws(() => session.encrypt('text'), /too long/),
        );
        assert.deepEqual(
          (await store.rows()).filter(({ id }) => id.startsWith('_IK_')),
          [],
        );
      } finally {
        await administrator.query('SET GLOBAL sql_mode = ?', [mode]);
      }
    });
  });
}

describe('connection strings', () => {
  need('mysql', 'postgres');

  /** A user of the whole server, hence a name that no other run has. */
  const oddUser = () => `o@d:d /?#${randomBytes(3).toString('hex')}`;

  const works = (connectionString, options = {}) =>
    withFactory(
      { metastore: 'rdbms', connectionString },
      async (factory) => {
        const session = factory.getSession(`partition ${Math.random()}`);
        assert.equal(await session.decryptStringAsync(session.encrypt('text')), 'text');
      },
      options,
    );

  it('of MySQL and MariaDB work in every form', async () => {
    const { database } = await newStore('MariaDB');
    const { user, password, host, port, name } = database;
    const [{ socket }] = await database.query('SELECT @@socket AS socket');
    const forms = [
      database.url(),
      database.url({ parameters: 'ssl-mode=REQUIRED' }),
      database.dsn(),
      database.dsn({ parameters: 'tls=skip-verify&timeout=5s' }),
      `${user}:${password}@unix(${socket})/${name}`,
      `mysql://${user}:${password}@localhost/${name}?socket=${encodeURIComponent(socket)}`,
    ];
    for (const form of forms) await works(form);
    await works(database.url(), { sqlMetastoreDbType: 'mysql' });
    const odd = oddUser();
    await database.query(`CREATE USER '${odd}'@'%' IDENTIFIED BY 'p@ss:w/o?r#d%'`);
    await database.query(`GRANT ALL ON ${name}.* TO '${odd}'@'%'`);
    await works(`mysql://${encodeURIComponent(odd)}:${encodeURIComponent('p@ss:w/o?r#d%')}@${host}:${port}/${name}`);
  });

  it('of PostgreSQL work in every form', async () => {
    const { database } = await newStore('PostgreSQL');
    const { user, password, host, port, name } = database;
    const [{ unix_socket_directories: socket }] = await database.query('SHOW unix_socket_directories');
    const forms = [
      database.url(),
      database.url({ parameters: 'sslmode=require&application_name=test' }),
      database.url().replace('postgres://', 'postgresql://'),
      `host=${host} port=${port} user=${user} password=${password} dbname=${name}`,
      `host=${host} port=${port} user=${user} password='${password}' dbname='${name}' sslmode=require`,
      `host=${socket} port=${port} user=${user} password=${password} dbname=${name}`,
      `postgres://${user}:${password}@/${name}?host=${encodeURIComponent(socket)}&port=${port}`,
      `postgres://${user}:${password}@127.0.0.1:1,${host}:${port}/${name}`, // the first one refuses
    ];
    for (const form of forms) await works(form);
    await works(database.url(), { sqlMetastoreDbType: 'postgresql' });
    const odd = oddUser();
    await database.query(`CREATE ROLE "${odd}" LOGIN SUPERUSER PASSWORD 'p@ss:w/o?r#d%''\\'`);
    const secret = "p@ss:w/o?r#d%'\\";
    await works(`postgres://${encodeURIComponent(odd)}:${encodeURIComponent(secret)}@${host}:${port}/${name}`);
    const quoted = `'${secret.replace(/['\\]/g, '\\$&')}'`;
    await works(`host=${host} port=${port} user='${odd}' password=${quoted} dbname=${name}`);
  });

  it('that are wrong are refused when the factory is made, by what is wrong', () => {
    const refused = {
      'mysql://u:p@h/d?colour=red': /colour/,
      'mysql://u:p@h/d?loc=Local': /loc/,
      'u:p@tcp(h:1)/d?charset=latin1': /charset/,
      'u:p@tcp(h:1)/d?allowAllFiles=true': /allowAllFiles/,
      'postgres://u:p@h/d?timezone=UTC': /timezone/i,
      'postgres://u:p@h/d?sslmode=maybe': /sslmode/,
      'postgres://u:p@h/d?ssl-mode=REQUIRED': /ssl-mode/,
      'host=h user=u dbname=d colour=red': /colour/,
      'mongodb://h/d': /config\.connectionString/,
    };
    for (const [connectionString, words] of Object.entries(refused)) {
      assert.throws(
        () => openOn({ metastore: 'rdbms', connectionString }),
        (error) => has('ERR_ASHERAH_INVALID_CONFIG')(error) && words.test(error.message),
        connectionString,
      );
    }
  });
});
