// SPDX-License-Identifier: Apache-2.0

// The fear: a server that keeps key rows in another way than the others do, so that keys get lost between processes. One
// suite, unchanged, for each network metastore.

const assert = require('node:assert/strict');
const {
  configOn,
  earlier,
  newStore,
  openOn,
  recordEarlier,
  STORES,
  withFactory,
} = require('./support/cloud-stores.js');
const { RemoteSession } = require('./support/remote-session.js');
const { need } = require('./support/services.js');
const { has } = require('./support/store.js');

const until = async (condition, patience = 15_000) => {
  for (const end = Date.now() + patience; Date.now() < end; await new Promise((done) => setTimeout(done, 100))) {
    if (await condition()) return;
  }
  throw new Error(`not within ${patience} ms`);
};
const keyOf = (record) => JSON.parse(record).Key.ParentKeyMeta;

for (const [name, { service, create }] of Object.entries(STORES)) {
  describe(`keys in ${name}`, function () {
    this.timeout(60_000);
    need(service);

    it('the table is made when asked for, once, and never silently', async () => {
      const store = await create();
      await withFactory(store.options(), async (factory) => {
        const session = factory.getSession('partition');
        assert.throws(() => session.encrypt('text'), has('ERR_ASHERAH_METASTORE'));
        await assert.rejects(session.encryptAsync('text'), /createSchema\(\)/);
        const { ok, checks } = await factory.verify();
        assert.equal(ok, false);
        assert.match(checks.find(({ status }) => status === 'failure').message, /createSchema\(\)/);

        const made = await Promise.all([factory.createSchema(), factory.createSchema(), factory.createSchema()]);
        assert.equal(made.filter(Boolean).length >= 1, true);
        assert.equal(await factory.createSchema(), false);
        const record = session.encrypt('text'); // the factory that failed before goes on
        assert.equal(await factory.createSchema(), false, 'a table with rows is left alone');
        assert.equal(session.decryptString(record), 'text');
      });
      assert.equal((await store.rows()).length, 2);
    });

    it('verify finds all well, and writes nothing', async () => {
      const store = await newStore(name);
      await withFactory(store.options(), async (factory) => {
        const report = await factory.verify();
        assert.equal(report.ok, true, JSON.stringify(report));
        const names = report.checks.map((check) => check.name);
        assert.ok(names.includes('metastore table'), names.join());
        for (const check of report.checks) assert.ok(check.milliseconds >= 0 && check.message.length > 0);
      });
      assert.deepEqual(await store.rows(), []);
    });

    it('are shared by processes, sync and async, whatever the names and the data', async () => {
      const store = await newStore(name);
      const other = new RemoteSession();
      try {
        await other.call('open', configOn(store.options()));
        await withFactory(store.options(), async (factory) => {
          const partitions = [
            'plain',
            'Bob',
            'bob',
            'bób',
            'bob ',
            "it's",
            'ключ 日本 🔑',
            '%_\\"<&>',
            '\t\n',
            'x'.repeat(200),
          ];
          for (const partition of partitions) {
            const session = factory.getSession(partition);
            const text = `data of ${partition}`;
            const [ours, theirs] = await Promise.all([
              session.encryptAsync(text),
              other.call('encryptAsync', partition, text),
            ]);
            assert.deepEqual(keyOf(ours), keyOf(theirs), 'one key');
            assert.equal(session.decryptString(theirs), text);
            assert.equal(await session.decryptStringAsync(session.encrypt(text)), text);
            assert.equal(await other.call('decrypt', partition, ours), text);
            assert.equal(await other.call('decryptAsync', partition, session.encrypt(text)), text);
          }
          assert.equal((await store.rows()).length, 1 + partitions.length);
          // decrypted with nothing cached, and the rows are what they say
          const record = factory.getSession('plain').encrypt('x'.repeat(100_000));
          await other.call('open', configOn(store.options()));
          assert.equal((await other.call('decrypt', 'plain', record)).length, 100_000);
        });
        for (const { created, record } of await store.rows()) assert.equal(record.Created, created);
      } finally {
        await other.stop();
      }
    });

    it('1,000 first calls at once, and those of other processes, make one row', async () => {
      const store = await newStore(name);
      const others = [new RemoteSession(), new RemoteSession()];
      try {
        await Promise.all(others.map((other) => other.call('open', configOn(store.options()))));
        await withFactory(store.options(), async (factory) => {
          const session = factory.getSession('partition');
          const records = await Promise.all([
            ...Array.from({ length: 1000 }, (_, i) => session.encryptAsync(`text ${i}`)),
            ...others.map((other) => other.call('encryptAsync', 'partition', 'theirs')),
          ]);
          assert.equal(new Set(records.map((record) => JSON.stringify(keyOf(record)))).size, 1);
          assert.equal((await store.rows()).length, 2, 'a system key and an intermediate key');
          assert.equal(await others[0].call('decrypt', 'partition', records[999]), 'text 999');
          assert.equal(session.decryptString(records[1000]), 'theirs');
        });
      } finally {
        await Promise.all(others.map((other) => other.stop()));
      }
    });

    it('expired keys decrypt, and are replaced for the next record', async () => {
      const store = await newStore(name);
      const open = (use) => withFactory(store.options(), (factory) => use(factory.getSession('partition')));
      const age = 100 * 24 * 3600;
      const old = recordEarlier(await open((session) => session.encrypt('old')), age);
      await store.replace(earlier(await store.rows(), age));
      await open(async (session) => {
        assert.equal(session.decryptString(old), 'old');
        assert.equal(await session.decryptStringAsync(old), 'old');
        assert.equal((await store.rows()).length, 2, 'decrypting writes nothing');
        const next = await session.encryptAsync('next');
        assert.equal((await store.rows()).length, 4, 'a new system key and a new intermediate key');
        assert.ok(keyOf(next).Created > keyOf(old).Created);
        assert.equal(session.decryptString(next), 'next');
        assert.equal(session.decryptString(old), 'old');
      });
      await open((session) => assert.equal(session.decryptString(old), 'old'));
    });

    it('the latest of several keys is the one that encrypts', async () => {
      const store = await newStore(name);
      const open = (use) => withFactory(store.options(), (factory) => use(factory.getSession('partition')));
      const day = 24 * 3600;
      const records = [];
      for (let i = 0; i < 3; i++) {
        // each round the rows grow three days older, and the factory's policy lets keys live for two
        const rows = await store.rows();
        if (rows.length) await store.replace(earlier(rows, 3 * day));
        for (const [j, record] of records.entries()) records[j] = recordEarlier(record, 3 * day);
        records.push(
          await withFactory(store.options(), (f) => f.getSession('partition').encrypt(`${i}`), {
            expireAfter: 2 * day,
          }),
        );
      }
      assert.equal((await store.rows()).length, 6);
      await open((session) => {
        for (const [i, record] of records.entries()) assert.equal(session.decryptString(record), `${i}`);
        assert.deepEqual(keyOf(session.encrypt('next')), keyOf(records[2]));
      });
    });

    for (const [kind, prefix] of [
      ['intermediate', '_IK_'],
      ['system', '_SK_'],
    ]) {
      it(`a revoked ${kind} key is seen by a running factory`, async () => {
        const store = await newStore(name);
        const factory = openOn(store.options(), { checkInterval: 1 });
        try {
          const session = factory.getSession('partition');
          const before = session.encrypt('before');
          const rows = await store.rows();
          await store.replace(
            rows.map((row) => (row.id.startsWith(prefix) ? { ...row, record: { ...row.record, Revoked: true } } : row)),
          );
          await until(async () => {
            const record = await session.encryptAsync('after');
            return JSON.stringify(keyOf(record)) !== JSON.stringify(keyOf(before));
          });
          assert.equal(session.decryptString(before), 'before');
          const after = session.encrypt('after');
          await withFactory(store.options(), (other) => {
            assert.equal(other.getSession('partition').decryptString(before), 'before');
            assert.equal(other.getSession('partition').decryptString(after), 'after');
            assert.deepEqual(keyOf(other.getSession('partition').encrypt('other')), keyOf(after));
          });
        } finally {
          factory.close();
        }
      });
    }

    it('a lost row is an error that names the key, and a damaged one is no key', async () => {
      const store = await newStore(name);
      const open = (use) => withFactory(store.options(), (factory) => use(factory.getSession('partition')));
      const record = await open((session) => session.encrypt('text'));
      const rows = await store.rows();
      const fails = (code, words) =>
        open(async (session) => {
          const right = (error) => has(code)(error) && words.test(error.message);
          assert.throws(() => session.decrypt(record), right);
          await assert.rejects(session.decryptAsync(record), right);
        });
      await store.replace(rows.filter(({ id }) => id.startsWith('_SK_')));
      await fails('ERR_ASHERAH_KEY_NOT_FOUND', /_IK_partition_service_product/);
      await store.replace(
        rows.map((row) => (row.id.startsWith('_IK_') ? { ...row, record: { Created: row.created } } : row)),
      );
      await fails('ERR_ASHERAH_INVALID_KEY_RECORD', /intermediate key/);
      await store.replace(rows);
      await open((session) => assert.equal(session.decryptString(record), 'text'));
    });

    it('region suffixes keep keys apart', async () => {
      const store = await newStore(name);
      const west = { regionSuffix: 'us-west-2' };
      const east = { regionSuffix: 'us-east-1' };
      const record = await withFactory(store.options(), (f) => f.getSession('partition').encrypt('west'), west);
      await withFactory(
        store.options(),
        (factory) => {
          assert.equal(factory.getSession('partition').decryptString(record), 'west');
          factory.getSession('partition').encrypt('east');
        },
        east,
      );
      assert.deepEqual(
        (await store.rows()).map(({ id }) => id).sort(),
        ['IK_partition', 'SK'].flatMap((kind) => [
          `_${kind}_service_product_us-east-1`,
          `_${kind}_service_product_us-west-2`,
        ]),
      );
    });
  });
}
