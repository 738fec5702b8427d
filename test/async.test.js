// SPDX-License-Identifier: Apache-2.0

// The fear: an asynchronous call that is synchronous in truth, that mixes up results, or that is lost.

const assert = require('node:assert/strict');
const { AsyncLocalStorage } = require('node:async_hooks');
const { join } = require('node:path');
const { AsherahError, SessionFactory } = require('asherah-napi');
const { sqliteConfig } = require('./support/child.js');
const { startGo } = require('./support/peer.js');
const { temporaryFolder } = require('./support/store.js');

const folder = temporaryFolder();
let files = 0;
const newFile = () => join(folder, `keys-${++files}.db`);
/** Above the size up to which a call does its work at once when keys are at hand. */
const large = Buffer.alloc(100_000, 'x');

let go;
before(function () {
  this.timeout(600_000); // the peer is built
  go = startGo();
});
after(() => go?.stop());

describe('an asynchronous call', () => {
  let db;
  let factory;
  beforeEach(() => {
    db = newFile();
    factory = new SessionFactory({ ...sqliteConfig(db), sqliteBusyTimeout: 20 });
  });
  afterEach(() => factory.close());

  it('waits for the store off this thread', async () => {
    factory.getSession('first').encrypt('x');
    await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE');
    const calls = ['p', 'q', 'r'].map((partition) => factory.getSession(partition).encryptAsync(partition));
    let isDone = false;
    calls[0].then(() => {
      isDone = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(isDone, false, 'the store is locked');
    // Only this thread asks for the end of the lock: had the calls blocked it, they would have failed as busy.
    await go.sql(db, 'COMMIT');
    const records = await Promise.all(calls);
    assert.equal(factory.getSession('q').decryptString(records[1]), 'q');
  });

  it('takes its keys from a load that others wait for too', async () => {
    const session = factory.getSession('p');
    const records = await Promise.all(Array.from({ length: 10_000 }, (_, i) => session.encryptAsync(`data ${i}`)));
    assert.equal(new Set(records).size, 10_000);
    const reader = new SessionFactory(sqliteConfig(db));
    const texts = await Promise.all(records.map((record) => reader.getSession('p').decryptStringAsync(record)));
    for (const [i, text] of texts.entries()) assert.equal(text, `data ${i}`);
    reader.close();
    const [{ rows }] = await go.sql(db, 'SELECT count(*) AS rows FROM encryption_key');
    assert.equal(rows, 2, 'one intermediate and one system key');
  });

  it('has the result of its own input, whatever else is under way', async () => {
    const partitions = Array.from({ length: 20 }, (_, i) => factory.getSession(`p${i}`));
    const jobs = Array.from({ length: 400 }, async (_, i) => {
      const [session, other] = [partitions[i % 20], partitions[(i + 1) % 20]];
      const data = Buffer.alloc(i % 3 ? i : 40_000 + i, String(i));
      const record = await session.encryptAsync(data);
      if (i % 2) assert.ok((await session.decryptAsync(record)).equals(data));
      else assert.equal(await session.decryptStringAsync(record), data.toString());
      await assert.rejects(other.decryptAsync(record), { code: 'ERR_ASHERAH_PARTITION_MISMATCH' });
      await assert.rejects(session.decryptAsync(`${record.slice(0, -1)}${' '.repeat(i % 3 ? 0 : 40_000)}`), {
        code: 'ERR_ASHERAH_INVALID_RECORD',
      });
    });
    await Promise.all(jobs);
  });

  it('keeps the input that it was called with', async () => {
    const session = factory.getSession('cold');
    const [one, other] = [Buffer.alloc(1000, 'a'), Buffer.from(large)];
    const calls = [session.encryptAsync(one), session.encryptAsync(other)];
    one.fill('b');
    other.fill('b');
    structuredClone(other.buffer, { transfer: [other.buffer] }); // and its memory is gone
    const [oneRecord, otherRecord] = (await Promise.all(calls)).map((record) => Buffer.from(record));
    const reader = new SessionFactory(sqliteConfig(db));
    const reads = [oneRecord, otherRecord].map((record) => reader.getSession('cold').decryptStringAsync(record));
    oneRecord.fill(0);
    otherRecord.fill(0);
    assert.deepEqual(await Promise.all(reads), ['a'.repeat(1000), large.toString()]);
    reader.close();
  });

  it('lets the event loop turn between the results of many', async () => {
    const session = factory.getSession('p');
    let [turns, left] = [0, 50];
    const turn = () => {
      turns++;
      if (left > 0) setImmediate(turn);
    };
    setImmediate(turn);
    while (left-- > 0) await session.encryptAsync(large);
    assert.ok(turns >= 50, `${turns} turns`);
  });

  it('goes on in the context of its caller', async () => {
    const storage = new AsyncLocalStorage();
    const session = factory.getSession('p');
    const seen = await Promise.all(
      ['a', 'b', 'c'].map((name) =>
        storage.run(name, async () => {
          const record = await session.encryptAsync(large);
          const between = storage.getStore();
          await session.decryptAsync(record);
          return between + storage.getStore();
        }),
      ),
    );
    assert.deepEqual(seen, ['aa', 'bb', 'cc']);
  });

  it('rejects with the same error that its synchronous twin throws', async () => {
    const session = factory.getSession('p');
    const record = session.encrypt(large);
    const flipped = record.replace(/"Data":"(.)/, (_, first) => `"Data":"${first === 'A' ? 'B' : 'A'}`);
    for (const bad of [flipped, record.slice(0, 50_000), `${' '.repeat(100_000)}{}`]) {
      let thrown;
      assert.throws(
        () => session.decrypt(bad),
        (error) => {
          thrown = error;
          return true;
        },
      );
      await assert.rejects(session.decryptAsync(bad), (error) => {
        assert.ok(error instanceof AsherahError);
        assert.deepEqual([error.code, error.message], [thrown.code, thrown.message]);
        return true;
      });
    }
  });
});
