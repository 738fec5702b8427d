// SPDX-License-Identifier: Apache-2.0

// The fear: many asynchronous calls at once ask the store once each, starve each other or the program, or take its memory.

const assert = require('node:assert/strict');
const { availableParallelism } = require('node:os');
const { join } = require('node:path');
const { setImmediate: turn, setTimeout: sleep } = require('node:timers/promises');
const { SessionFactory } = require('asherah-napi');
const { passes, sqliteConfig } = require('./support/child.js');
const { startGo } = require('./support/peer.js');
const { temporaryFolder } = require('./support/store.js');

const folder = temporaryFolder();
let files = 0;
const newFile = () => join(folder, `keys-${++files}.db`);
/** Above the size up to which a call does its work at once when keys are at hand. */
const large = Buffer.alloc(300_000, 'x');
const stats = () => JSON.parse(require('../dist/addon.js').loadAddon('core').stats(0));

let go;
before(function () {
  this.timeout(600_000); // the peer is built
  go = startGo();
});
after(() => go?.stop());

describe('many asynchronous calls', () => {
  let db;
  let factory;
  const open = (options) => new SessionFactory({ ...sqliteConfig(db), sqliteBusyTimeout: 30, ...options });
  beforeEach(() => {
    db = newFile();
    factory = open();
  });
  afterEach(() => factory.close());

  it('of cold partitions load each key once', async () => {
    const count = async (work) => {
      // Of keys alone: of measurements, which all calls make, more would come than are kept.
      const keys = { 'made and stored': 0, loaded: 0 };
      const logHook = ({ message }) => keys[message.split(': ').at(-1)]++;
      const observed = open({ logHook, logLevel: 'debug' });
      const sessions = Array.from({ length: 100 }, (_, i) => observed.getSession(`p${i}`));
      const results = await Promise.all(Array.from({ length: 10_000 }, (_, i) => work(sessions[i % 100], i)));
      await turn();
      observed.close();
      return { results, keys };
    };
    const written = await count((session, i) => session.encryptAsync(`data ${i}`));
    assert.deepEqual(written.keys, { ...written.keys, 'made and stored': 101, loaded: 0 });
    const read = await count((session, i) => session.decryptStringAsync(written.results[i]));
    assert.deepEqual(read.keys, { ...read.keys, 'made and stored': 0, loaded: 101 });
    for (const [i, text] of read.results.entries()) assert.equal(text, `data ${i}`);
  });

  it('that wait for keys hold no key memory', async () => {
    const records = ['x', large].map((data) => factory.getSession('p').encrypt(data));
    factory.close();
    await go.sql(db, 'PRAGMA journal_mode = DELETE'); // with a log beside the file readers never wait
    const reader = open();
    await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE');
    const before = stats().keySlots;
    const session = reader.getSession('p');
    const calls = Array.from({ length: 1000 }, (_, i) => session.decryptAsync(records[i % 50 ? 0 : 1]));
    await sleep(100);
    const { keySlots, calls: underWay } = stats();
    await go.sql(db, 'COMMIT');
    const sizes = new Set((await Promise.all(calls)).map((data) => data.length));
    reader.close();
    assert.equal(underWay, 1000, 'they waited');
    assert.ok(keySlots - before < 50, `${keySlots - before} slots`);
    assert.deepEqual(sizes, new Set([1, large.length]));
  });

  it('with large data begin in the order of the calls, and no more than the event loop takes', async () => {
    const session = factory.getSession('p');
    session.encrypt('x');
    const order = [];
    let [turns, isDone] = [0, false];
    const calls = Array.from({ length: 300 }, (_, i) =>
      session.encryptAsync(large).then(() => {
        order.push(i);
      }),
    );
    const all = Promise.all(calls).then(() => {
      isDone = true;
    });
    for (; !isDone; turns++) await turn();
    await all;
    // As many as are worked at may overtake each other: one for each processor, and one more. A thread that the system holds up
    // overtakes nobody, but many overtake it: so on the average.
    const moved = order.reduce((sum, i, place) => sum + Math.abs(place - i), 0) / order.length;
    assert.ok(moved <= availableParallelism() + 1, `${moved} places on the average`);
    assert.ok(turns > 300 / (availableParallelism() + 1) / 4, `${turns} turns`);
  });

  it('with large data, which wait for keys, let others with large data pass', async () => {
    const warm = factory.getSession('warm');
    warm.encrypt('x');
    await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE');
    const cold = Array.from({ length: 50 }, (_, i) => factory.getSession(`cold ${i % 5}`).encryptAsync(large));
    const records = await Promise.all(Array.from({ length: 50 }, () => warm.encryptAsync(large)));
    await go.sql(db, 'COMMIT');
    for (const record of records) assert.equal(warm.decrypt(record).length, large.length);
    assert.equal(new Set(await Promise.all(cold)).size, 50);
  });

  it('with large data, which are cancelled in their line, leave it to the others', async () => {
    const session = factory.getSession('p');
    session.encrypt('x');
    const controller = new AbortController();
    const { signal } = controller;
    const calls = Array.from({ length: 400 }, (_, i) => session.encryptAsync(large, i % 2 ? { signal } : undefined));
    setImmediate(() => controller.abort());
    const outcomes = await Promise.allSettled(calls);
    for (const [i, { status, value, reason }] of outcomes.entries()) {
      if (status === 'fulfilled') assert.equal(session.decrypt(value).length, large.length);
      else assert.ok(i % 2 && reason === signal.reason);
    }
    assert.ok(outcomes.filter(({ status }) => status === 'rejected').length > 100);
    for (let i = 0; i < 100 && stats().calls > 0; i++) await sleep(10);
    assert.equal(stats().calls, 0);
    // Had a turn been lost with each, there would be none left.
    for (let i = 0; i < 20; i++) await session.encryptAsync(large);
  });

  it('leave the threads of Node.js to files', async () => {
    factory.getSession('first').encrypt('x');
    await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE');
    const onLine = () => go.sql(db, 'COMMIT');
    assert.equal(await passes('async-threads.js', 'files beside calls', { db }, { onLine }), 'read');
  });

  it('take nothing with them when their worker thread ends, cancelled or not', async () => {
    factory.getSession('first').encrypt('x');
    await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE');
    await passes('async-threads.js', 'worker ends', { db });
    await go.sql(db, 'COMMIT');
  });

  it('of a worker thread that is blocked do not hold up those of another', () =>
    passes('async-threads.js', 'blocked worker'));
});
