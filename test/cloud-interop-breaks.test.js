// SPDX-License-Identifier: Apache-2.0

// The fear: a mixture of Asherahs that does not work, and nobody said so. These are the cases that docs/interoperability.md
// lists: where another library fails, that is pinned, so that the document is changed when the library is.

const assert = require('node:assert/strict');
const { asherahs, keyRows, parentOf, startPeers } = require('./support/asherahs.js');
const { earlier, newStore, recordEarlier, STORES, withFactory } = require('./support/cloud-stores.js');
const { startGoAws } = require('./support/peer.js');
const { need } = require('./support/services.js');
const { has } = require('./support/store.js');

const names = { service: 'service', product: 'product', partition: 'partition' };
const ALL = ['ours', 'go', 'python'];

/**
 * Names that the writers of JSON escape, and who then can't read whom. The Rust core does not unescape what it loads from SQL;
 * JSONB comes back from PostgreSQL with as few escapes as there must be. We write < > & as they are, the Go library does not.
 */
const SPECIAL = {
  '<&>': { MariaDB: ['go to python'], 'MySQL 8': ['go to python'], PostgreSQL: [], DynamoDB: [] },
  '"q"\\b': {
    ...Object.fromEntries(
      ['MariaDB', 'MySQL 8', 'PostgreSQL'].map((name) => [name, ALL.map((writer) => `${writer} to python`)]),
    ),
    DynamoDB: [],
  },
};

describe('other Asheras where they are known to break', function () {
  this.timeout(60_000);
  need('peer');

  let peers;
  before(function () {
    this.timeout(600_000); // the first time, the Go peer is built
    peers = startPeers();
  });
  after(() => peers?.stop());

  for (const [name, { service }] of Object.entries(STORES)) {
    describe(name, () => {
      need(service);

      for (const [special, unread] of Object.entries(SPECIAL)) {
        it(`${special} in service, product and partition: who reads whose keys`, async () => {
          const failed = [];
          for (const writer of ALL) {
            const store = await newStore(name);
            const all = asherahs(peers, store, {
              service: `s${special}`,
              product: `p${special}`,
              partition: special,
            });
            const record = await all[writer].encrypt('text');
            for (const reader of ALL) {
              const text = await all[reader].decrypt(record).catch((error) => error);
              if (text instanceof Error) failed.push(`${writer} to ${reader}`);
              else assert.equal(text, 'text');
            }
          }
          assert.deepEqual(failed, unread[name]);
        });
      }

      it('rows as C# and Java write them, with "Revoked":false, are read and used by all', async () => {
        const store = await newStore(name);
        const all = asherahs(peers, store, names);
        const record = await all.ours.encrypt('text');
        const rows = (await keyRows(store)).map(({ record: { Created, Key, ...rest }, ...row }) => ({
          ...row,
          record: { Created, Key, ...rest, Revoked: false },
        }));
        await store.replace(rows);
        for (const each of ALL) {
          assert.equal(await all[each].decrypt(record), 'text', each);
          assert.equal(parentOf(await all[each].encrypt('text')), parentOf(record), each);
        }
        assert.equal((await keyRows(store)).length, 2);
      });

      it('a revoked system key: the Rust core goes on with its intermediate key, the others make new ones', async () => {
        const store = await newStore(name);
        const all = asherahs(peers, store, names);
        const day = 24 * 3600;
        const old = recordEarlier(await all.ours.encrypt('text'), day);
        const revoke = (row) =>
          row.id.startsWith('_SK_') ? { ...row, record: { ...row.record, Revoked: true } } : row;
        await store.replace(earlier(await keyRows(store), day).map(revoke));
        const records = { python: await all.python.encrypt('text') };
        assert.equal(parentOf(records.python), parentOf(old), 'the Rust core no longer does; say so in the document');
        for (const each of ['ours', 'go']) records[each] = await all[each].encrypt('text');
        assert.notEqual(parentOf(records.ours), parentOf(old));
        assert.equal(parentOf(records.go), parentOf(records.ours));
        for (const record of [old, ...Object.values(records)]) {
          for (const each of ALL) assert.equal(await all[each].decrypt(record), 'text', each);
        }
      });
    });
  }

  describe('region suffixes that were taken away', () => {
    need('dynamodb');

    it('the records of before are read by this package and the Rust core, not by the Go library', async () => {
      const store = await newStore('DynamoDB');
      const before = asherahs(peers, store, names, { regionSuffix: true });
      const after = asherahs(peers, store, names);
      for (const writer of ALL) {
        const record = await before[writer].encrypt('text');
        assert.equal(await after.ours.decrypt(record), 'text', writer);
        assert.equal(await after.python.decrypt(record), 'text', writer);
        await assert.rejects(after.go.decrypt(record), /unable to decrypt record/, writer);
      }
    });
  });

  describe("a PostgreSQL column without time zone, and the Go library's local time", () => {
    need('postgres');

    it('rows are not found by others, are never encrypted under, and verify() says so', async () => {
      const store = await STORES.PostgreSQL.create();
      await store.database.query(
        'CREATE TABLE encryption_key (id TEXT, created TIMESTAMP, key_record JSONB NOT NULL, PRIMARY KEY (id, created))',
      );
      const elsewhere = startGoAws({ TZ: 'America/New_York' });
      const utc = startGoAws({ TZ: 'UTC' });
      try {
        const local = asherahs({ ...peers, go: elsewhere }, store, names);
        const all = asherahs({ ...peers, go: utc }, store, names);
        const record = await local.go.encrypt('text');
        assert.equal(await local.go.decrypt(record), 'text', 'a process of the same zone reads it');
        await assert.rejects(all.go.decrypt(record), /error loading/);
        await assert.rejects(all.ours.decrypt(record), has('ERR_ASHERAH_KEY_NOT_FOUND'));
        await assert.rejects(all.ours.encrypt('text'), has('ERR_ASHERAH_INVALID_KEY_RECORD'));
        const { checks } = await withFactory(store.options(), (factory) => factory.verify());
        assert.match(JSON.stringify(checks.filter(({ status }) => status === 'warning')), /TIMESTAMP/i);
      } finally {
        elsewhere.stop();
        utc.stop();
      }
    });
  });
});
