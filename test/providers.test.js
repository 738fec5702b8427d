// SPDX-License-Identifier: Apache-2.0

// The fear: a KMS or a metastore in JavaScript is asked for something else than its documentation says, or the rows that it keeps
// are no rows of Asherah.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const initSqlJs = require('sql.js');
const { SessionFactory } = require('asherah-napi');
const { refused, valid } = require('./support/config.js');
const { MapStore, OwnKms, ownConfig, promising, wrapped } = require('./support/providers.js');
const { openFactory, temporaryFolder, withSession } = require('./support/store.js');

const kinds = { 'returning results': (provider) => provider, 'returning promises': promising };

describe('a KMS and a metastore in JavaScript', () => {
  const factories = [];
  const open = (config) => {
    const factory = new SessionFactory(config);
    factories.push(factory);
    return factory;
  };
  afterEach(() => {
    for (const factory of factories.splice(0)) factory.close();
  });
  const folder = temporaryFolder();
  let files = 0;
  const newFile = () => path.join(folder, `${++files}.db`);

  it('are found by the methods of their classes, and keep their this', () => {
    const config = ownConfig();
    const session = open(config).getSession('p');
    assert.equal(session.decryptString(session.encrypt('x')), 'x');
    assert.equal(session.decrypt(session.encrypt(Buffer.alloc(300_000, 1))).length, 300_000, 'a long one');
    assert.deepEqual(config.kms.calls, ['encryptKey']);
  });

  for (const [how, make] of Object.entries(kinds)) {
    describe(how, () => {
      const both = (config) => ({ ...config, kms: make(config.kms), metastore: make(config.metastore) });

      it('make and find keys, in one factory and the next', async () => {
        const config = ownConfig();
        const record = await open(both(config)).getSession('p').encryptAsync('größe');
        assert.deepEqual(config.metastore.calls, ['loadLatest', 'loadLatest', 'store', 'store']);
        const reader = open(both(config)).getSession('p');
        assert.equal(await reader.decryptStringAsync(record), 'größe');
        assert.deepEqual(config.metastore.calls.slice(4), ['load', 'load']);
        assert.deepEqual(config.kms.calls, ['encryptKey', 'decryptKey']);
        // From now on the keys are at hand.
        assert.equal(reader.decryptString(record), 'größe');
        assert.equal(config.metastore.calls.length, 6);
      });

      it('stand beside SQLite and the static KMS', async () => {
        const { kms, metastore } = ownConfig();
        const connectionString = newFile();
        const mixes = [
          { ...ownConfig(), kms: make(kms), metastore: 'sqlite', connectionString },
          { ...valid, metastore: make(metastore) },
        ];
        for (const mix of mixes) {
          const record = await open(mix).getSession('p').encryptAsync('x');
          assert.equal(await open(mix).getSession('p').decryptStringAsync(record), 'x');
        }
        assert.deepEqual(kms.calls, ['encryptKey', 'decryptKey']);
        assert.deepEqual(metastore.calls.slice(-2), ['load', 'load']);
      });

      it('are tried out by verify()', async () => {
        const config = ownConfig();
        const { ok, checks } = await open(both(config)).verify();
        assert.ok(ok, JSON.stringify(checks));
        assert.deepEqual([config.kms.calls, config.metastore.calls], [['encryptKey', 'decryptKey'], ['loadLatest']]);
        const wrong = {
          ...config,
          kms: make({ encryptKey: () => new Uint8Array(9), decryptKey: () => new Uint8Array(32) }),
        };
        const report = await open(wrong).verify();
        assert.equal(report.ok, false);
        assert.match(JSON.stringify(report.checks), /it decrypts another key than it encrypted/);
        const failing = make(
          wrapped(config.metastore, () => {
            throw new Error('of the store');
          }),
        );
        assert.match(JSON.stringify(await open({ ...config, metastore: failing }).verify()), /"failure".*of the store/);
        assert.equal(await open(both(config)).createSchema(), false);
      });

      it('load the keys of many calls once', async () => {
        const config = ownConfig();
        const factory = open(both(config));
        const records = await Promise.all(
          Array.from({ length: 200 }, (_, i) => factory.getSession(`p${i % 10}`).encryptAsync(`${i}`)),
        );
        assert.equal(config.metastore.calls.filter((name) => name === 'store').length, 11);
        for (const [i, record] of records.entries()) {
          assert.equal(await factory.getSession(`p${i % 10}`).decryptStringAsync(record), `${i}`);
        }
      });

      it('are measured, under the name provider', async () => {
        const events = [];
        const factory = open({ ...both(ownConfig()), metricsHook: (event) => events.push(event) });
        await factory.getSession('p').encryptAsync('x');
        await new Promise((resolve) => setTimeout(resolve, 50));
        const of = (type) => events.filter((event) => event.type === type);
        assert.deepEqual(
          [...of('load'), ...of('store')].map(({ metastore }) => metastore),
          ['provider', 'provider', 'provider', 'provider'],
        );
        assert.equal(of('kms_encrypt').length, 1);
      });
    });
  }

  it('get what the interfaces say', async () => {
    const seen = [];
    const config = ownConfig();
    const watch = (provider, names) => {
      const result = {};
      for (const name of names) {
        result[name] = (...args) => {
          const value = provider[name](...args);
          seen.push([name, ...args.map((each) => (each instanceof Uint8Array ? `${each.length} bytes` : each))]);
          return value;
        };
      }
      return result;
    };
    const own = {
      ...config,
      kms: watch(config.kms, ['encryptKey', 'decryptKey']),
      metastore: watch(config.metastore, ['load', 'loadLatest', 'store']),
    };
    const partition = `ü\u{1f600}"\\${'x'.repeat(200_000)}`; // more than fits in the memory that calls work in
    const record = open(own).getSession(partition).encrypt('x');
    const created = JSON.parse(record).Key.ParentKeyMeta.Created;
    open(own).getSession(partition).decrypt(record);
    const [system, intermediate] = ['_SK_service_product', `_IK_${partition}_service_product`];
    const row = (id) => config.metastore.rows.get(id).get(created);
    const encrypted = Buffer.from(JSON.parse(row(system)).Key, 'base64').length;
    assert.deepEqual(seen, [
      ['loadLatest', intermediate],
      ['loadLatest', system],
      ['encryptKey', '32 bytes'],
      ['store', system, created, row(system)],
      ['store', intermediate, created, row(intermediate)],
      ['load', intermediate, created],
      ['load', system, created],
      ['decryptKey', `${encrypted} bytes`],
    ]);
    assert.equal(created % 60, 0);
    const { Created, Key, ParentKeyMeta, ...others } = JSON.parse(row(intermediate));
    assert.deepEqual([Created, ParentKeyMeta, others], [created, { KeyId: system, Created: created }, {}]);
    assert.equal(Buffer.from(Key, 'base64').length, 60);
  });

  it('keep rows that SQLite keeps too, and read those of it', async () => {
    const sql = await initSqlJs();
    const metastore = new MapStore();
    const ours = { staticMasterKeyHex: '5a'.repeat(32), metastore, connectionString: undefined };
    const record = open({ ...ownConfig(), kms: 'static', ...ours })
      .getSession('partition')
      .encrypt('of a map');

    const file = newFile();
    const database = new sql.Database();
    database.run(
      'CREATE TABLE encryption_key (id TEXT NOT NULL, created TIMESTAMP NOT NULL, key_record TEXT NOT NULL, PRIMARY KEY (id, created))',
    );
    for (const [id, rows] of metastore.rows) {
      for (const [created, text] of rows) {
        const date = new Date(created * 1000).toISOString().slice(0, 19).replace('T', ' ');
        database.run('INSERT INTO encryption_key VALUES (?, ?, ?)', [id, date, text]);
      }
    }
    fs.writeFileSync(file, database.export());
    await withSession(file, 'partition', (session) => assert.equal(session.decryptString(record), 'of a map'));

    const other = newFile();
    const sqlite = openFactory(other);
    const theirs = sqlite.getSession('partition').encrypt('of a file');
    sqlite.close();
    const [{ values }] = new sql.Database(fs.readFileSync(other)).exec(
      "SELECT id, strftime('%s', created), key_record FROM encryption_key",
    );
    const copy = new MapStore();
    for (const [id, created, text] of values) copy.store(id, Number(created), text);
    const reader = open({ ...ownConfig(), kms: 'static', ...ours, metastore: copy });
    assert.equal(reader.getSession('partition').decryptString(theirs), 'of a file');
    assert.deepEqual(
      values.map(([, , text]) => Object.keys(JSON.parse(text))),
      [...metastore.rows.values()].flatMap((rows) => [...rows.values()].map((text) => Object.keys(JSON.parse(text)))),
    );
  });

  it('see a row that another process stored first', async () => {
    const store = new MapStore();
    const config = ownConfig({ metastore: store });
    const winner = open(config);
    const slow = wrapped(store, (name, call) => {
      // Between its look and its store, another one is faster.
      if (name === 'store') winner.getSession('p').encrypt('x');
      return call();
    });
    const record = open({ ...config, metastore: slow })
      .getSession('p')
      .encrypt('loser');
    assert.equal(winner.getSession('p').decryptString(record), 'loser');
    assert.deepEqual(
      [...store.rows.values()].map((rows) => rows.size),
      [1, 1],
    );
  });

  it('are given a key that is wiped afterwards, also when they fail', async () => {
    for (const how of ['result', 'promise', 'throw', 'reject']) {
      const keys = [];
      let while_;
      const config = ownConfig();
      const kms = {
        decryptKey() {},
        encryptKey(key) {
          keys.push(key);
          while_ = key.some((byte) => byte !== 0);
          if (how === 'throw') throw new Error('x');
          if (how === 'reject') return Promise.reject(new Error('x'));
          const result = config.kms.encryptKey(key);
          return how === 'result' ? result : new Promise((resolve) => setTimeout(resolve, 20, result));
        },
      };
      await open({ ...config, kms })
        .getSession('p')
        .encryptAsync('x')
        .catch(() => {});
      await new Promise(setImmediate);
      const [key] = keys;
      assert.ok(while_ && key instanceof Uint8Array && key.length === 32 && key.buffer.byteLength === 32, how);
      assert.ok(
        key.every((byte) => byte === 0),
        how,
      );
    }
  });

  it('may work in place and return the array they were given', () => {
    const flip = (bytes) => bytes.map((_, i, all) => all[i] ^ 0x55);
    const inPlace = (bytes) => {
      bytes.set(flip(bytes));
      return bytes;
    };
    const config = ownConfig({ kms: { encryptKey: inPlace, decryptKey: inPlace } });
    const record = open(config).getSession('p').encrypt('x');
    assert.equal(open(config).getSession('p').decryptString(record), 'x');
  });

  describe('in the configuration', () => {
    const { kms, metastore } = ownConfig();
    const { staticMasterKeyHex: _, ...keyless } = valid;

    it('must have all methods', () => {
      const expected = {
        kms: 'an object with the methods encryptKey and decryptKey',
        metastore: 'an object with the methods load, loadLatest and store',
      };
      for (const [option, value] of [
        ['kms', {}],
        ['kms', { encryptKey: kms.encryptKey }],
        ['kms', { encryptKey: kms.encryptKey, decryptKey: true }],
        ['metastore', new Map()],
        ['metastore', { load() {}, store() {} }],
        ['metastore', metastore.load.bind({})],
      ]) {
        const { message } = refused({ ...keyless, kms, [option]: value }, `config.${option}: expected`);
        if (typeof value === 'object') assert.ok(message.includes(expected[option]), message);
      }
      refused({ ...keyless, kms: [] }, 'config.kms');
    });

    it('leave the options of others without effect, which is refused', () => {
      refused({ ...valid, kms }, 'config.staticMasterKeyHex: expected no value with a kms of your own');
      refused({ ...keyless, kms, kmsKeyId: 'x' }, 'config.kmsKeyId');
      refused(
        { ...valid, metastore, connectionString: 'x' },
        'config.connectionString: expected no value with a metastore of',
      );
      refused({ ...valid, requestTimeout: 1 }, 'config.requestTimeout');
      open({ ...keyless, kms, requestTimeout: 1 });
      open({ ...valid, metastore, requestTimeout: 1 });
    });

    it('may have the names of the older packages', () => {
      const session = open({ ServiceName: 's', ProductID: 'p', KMS: kms, Metastore: metastore }).getSession('p');
      assert.equal(session.decryptString(session.encrypt('x')), 'x');
    });

    it('that throws when it is looked at is an error', () => {
      const throwing = {
        get encryptKey() {
          throw new Error('x');
        },
      };
      refused({ ...keyless, kms: throwing }, 'config.kms: expected a value that can be read');
    });
  });

  it('that return promises fail a synchronous call with the way out', () => {
    const config = ownConfig();
    const error = (() => {
      try {
        return open({ ...config, kms: promising(new OwnKms()) })
          .getSession('p')
          .encrypt('x');
      } catch (each) {
        return each;
      }
    })();
    assert.equal(error.code, 'ERR_ASHERAH_WOULD_BLOCK');
    assert.match(
      error.message,
      /^kms\.encryptKey: expected a result at once, .*, got a promise\. Use the asynchronous method/,
    );
  });
});
