// SPDX-License-Identifier: Apache-2.0

// The fear: a row in a server's table that another Asherah can't read, or one of theirs that we can't. The others are the
// official Go library with its own metastores and the Rust core as PyPI has it; the three share one table of each store, which
// createSchema() made.

const assert = require('node:assert/strict');
const { asherahs: open, keyRows, parentOf, startPeers } = require('./support/asherahs.js');
const { earlier, newStore, recordEarlier, STORES } = require('./support/cloud-stores.js');
const { need } = require('./support/services.js');

const partition = 'Ünï';
const names = { service: 'service', product: 'product', partition };

describe('other Asheras on one server', function () {
  this.timeout(60_000);
  need('peer');

  let peers;
  before(function () {
    this.timeout(600_000); // the first time, the Go peer is built
    peers = startPeers();
  });
  after(() => peers?.stop());
  const asherahs = (store, options) => open(peers, store, names, options);

  /** Each of `readers` reads what each wrote. */
  async function allRead(readers, records) {
    for (const [writer, record] of Object.entries(records)) {
      for (const [reader, asherah] of Object.entries(readers)) {
        assert.equal(await asherah.decrypt(record), `by ${writer}`, `${reader} reads ${writer}`);
      }
    }
  }

  for (const [name, { service }] of Object.entries(STORES)) {
    describe(name, () => {
      need(service);

      for (const first of ['ours', 'go', 'python']) {
        it(`whoever makes the keys (here: ${first}), all three use them and read each other`, async () => {
          const store = await newStore(name);
          const all = asherahs(store);
          const records = { [first]: await all[first].encrypt(`by ${first}`) };
          for (const each of Object.keys(all)) records[each] ??= await all[each].encrypt(`by ${each}`);
          await allRead(all, records);
          assert.equal(new Set(Object.values(records).map(parentOf)).size, 1, 'all use one intermediate key');
          assert.equal((await keyRows(store)).length, 2);
        });

        for (const kind of ['SK', 'IK']) {
          // The Rust core goes on with an intermediate key whose system key is revoked, so it makes none there.
          if (kind === 'SK' && first === 'python') continue;
          it(`a revoked ${kind} still decrypts, and the one that ${first} makes in its place serves all three`, async () => {
            const store = await newStore(name);
            const all = asherahs(store);
            const day = 24 * 3600;
            const old = recordEarlier(await all[first].encrypt(`by ${first}`), day);
            const revoke = (row) =>
              row.id.startsWith(`_${kind}_`) ? { ...row, record: { ...row.record, Revoked: true } } : row;
            await store.replace(earlier(await keyRows(store), day).map(revoke));
            await allRead(all, { [first]: old });
            const records = { [first]: await all[first].encrypt(`by ${first}`) };
            assert.notEqual(parentOf(records[first]), parentOf(old));
            for (const each of Object.keys(all)) records[each] ??= await all[each].encrypt(`by ${each}`);
            await allRead(all, records);
            assert.equal(new Set(Object.values(records).map(parentOf)).size, 1, 'all use the new key');
            assert.equal((await keyRows(store)).length, kind === 'SK' ? 4 : 3);
          });
        }
      }
    });
  }

  describe('with region suffixes in DynamoDB', () => {
    need('dynamodb');

    it('all three use the keys of their region, and read those of the other', async () => {
      const store = await newStore('DynamoDB');
      const regions = ['us-west-2', 'us-east-1'];
      const all = regions.map((region) => asherahs(store, { regionSuffix: true, region }));
      for (const [i, here] of all.entries()) {
        const records = {};
        const order = i === 0 ? ['ours', 'go', 'python'] : ['python', 'ours', 'go'];
        for (const each of order) records[each] = await here[each].encrypt(`by ${each}`);
        for (const record of Object.values(records)) {
          assert.equal(JSON.parse(record).Key.ParentKeyMeta.KeyId, `_IK_${partition}_service_product_${regions[i]}`);
        }
        for (const readers of all) await allRead(readers, records);
      }
      assert.deepEqual(
        (await keyRows(store)).map(({ id }) => id).sort(),
        [`_IK_${partition}`, '_SK'].flatMap((kind) => regions.map((r) => `${kind}_service_product_${r}`)).sort(),
      );
    });
  });
});
