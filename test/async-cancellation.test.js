// SPDX-License-Identifier: Apache-2.0

// The fear: a call that was given up goes on for ever, takes others with it, or leaves something behind.

const assert = require('node:assert/strict');
const { getEventListeners } = require('node:events');
const { join } = require('node:path');
const { setImmediate: turn } = require('node:timers/promises');
const asherah = require('asherah-napi');
const { sqliteConfig } = require('./support/child.js');
const { startGo } = require('./support/peer.js');
const { temporaryFolder } = require('./support/store.js');

const { SessionFactory } = asherah;
const folder = temporaryFolder();
let files = 0;
const large = Buffer.alloc(100_000, 'x');
const reason = { message: 'no longer wanted' };
const isReason = (error) => error === reason;
const aborted = AbortSignal.abort(reason);
const stats = (factory) => JSON.parse(require('../dist/addon.js').loadAddon('core').stats(factory));

let go;
before(function () {
  this.timeout(600_000); // the peer is built
  go = startGo();
});
after(() => go?.stop());

describe('a call with a signal', () => {
  let db;
  let factory;
  let session;
  let isWarned;
  const onWarning = (warning) => {
    isWarned ||= warning.name === 'MaxListenersExceededWarning';
  };
  beforeEach(() => {
    db = join(folder, `keys-${++files}.db`);
    factory = new SessionFactory({ ...sqliteConfig(db), sqliteBusyTimeout: 30 });
    session = factory.getSession('p');
    isWarned = false;
    process.on('warning', onWarning);
  });
  afterEach(() => {
    factory.close();
    process.off('warning', onWarning);
  });

  /** While `use` runs no key can be loaded. */
  async function whileLocked(use) {
    await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE');
    try {
      return await use();
    } finally {
      await go.sql(db, 'COMMIT');
    }
  }

  const methods = {
    encryptAsync: 'data',
    encryptStringAsync: 'data',
    decryptAsync: 'record',
    decryptStringAsync: 'record',
  };

  it('does nothing if that is aborted already', async () => {
    for (const [method, kind] of Object.entries(methods)) {
      const input = kind === 'data' ? 'x' : 'no record';
      await assert.rejects(session[method](input, { signal: aborted }), isReason, method);
    }
    await assert.rejects(go.sql(db, 'SELECT 1 FROM encryption_key'), /no such table/, 'the store was not asked');
  });

  it('gives its result if that is never aborted, and forgets it', async () => {
    const { signal } = new AbortController();
    for (const data of ['small', large]) {
      const record = await session.encryptAsync(data, { signal });
      assert.ok((await session.decryptAsync(record, { signal })).equals(Buffer.from(data)));
      assert.equal(await session.decryptStringAsync(record, { signal }), String(data));
      assert.equal(session.decryptString(await session.encryptStringAsync(data, { signal })), String(data));
    }
    await assert.rejects(session.decryptAsync(`${' '.repeat(100_000)}{}`, { signal }), {
      code: 'ERR_ASHERAH_INVALID_RECORD',
    });
    await turn();
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('leaves nothing on a signal that lives on', async () => {
    const { signal } = new AbortController();
    const cold = Array.from({ length: 200 }, (_, i) => factory.getSession(`cold ${i}`).encryptAsync('x', { signal }));
    const inFlight = Array.from({ length: 200 }, () => session.encryptAsync(large, { signal }));
    assert.ok(getEventListeners(signal, 'abort').length > 0, 'it is heard meanwhile');
    await Promise.all([...cold, ...inFlight]);
    for (let i = 0; i < 100_000; i++) await session.encryptAsync('x', { signal });
    await turn();
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    assert.equal(isWarned, false, 'a warning of a leak');
  });

  it('that waits for the store ends at once, and the load goes on for the others', async () => {
    factory.getSession('first').encrypt('x');
    const controller = new AbortController();
    const { signal } = controller;
    const partitions = Array.from({ length: 20 }, (_, i) => factory.getSession(`p${i}`));
    let others;
    await whileLocked(async () => {
      const given = partitions.map((each) => each.encryptAsync('x', { signal }));
      others = partitions.slice(0, 10).map((each) => each.encryptAsync('x'));
      await new Promise((resolve) => setTimeout(resolve, 50));
      controller.abort(reason);
      const outcomes = await Promise.allSettled(given);
      assert.deepEqual(new Set(outcomes.map((each) => each.reason)), new Set([reason]));
      assert.equal(getEventListeners(signal, 'abort').length, 0);
    });
    for (const [i, record] of (await Promise.all(others)).entries()) {
      assert.equal(partitions[i].decryptString(record), 'x');
    }
  });

  it('that waits to decrypt ends at once', async () => {
    const record = session.encrypt('x');
    factory.close();
    await go.sql(db, 'PRAGMA journal_mode = DELETE'); // with a log beside the file readers never wait
    const reader = new SessionFactory({ ...sqliteConfig(db), sqliteBusyTimeout: 30 });
    const controller = new AbortController();
    await whileLocked(async () => {
      const call = reader.getSession('p').decryptStringAsync(record, { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 20);
      await assert.rejects(call, isReason);
    });
    reader.close();
  });

  it('that computes is not waited for', async () => {
    await session.encryptAsync('x');
    const controller = new AbortController();
    let outcome;
    session.encryptAsync(large, { signal: controller.signal }).catch((error) => {
      outcome = error;
    });
    controller.abort(reason);
    for (let i = 0; i < 20; i++) await undefined; // no result of another thread comes before the event loop turns
    assert.equal(outcome, reason);
  });

  it('gives back all that it held, while the store still does not answer', async () => {
    factory.getSession('first').encrypt('x');
    await whileLocked(async () => {
      const before = stats(0);
      for (let i = 0; i < 20; i++) {
        const controller = new AbortController();
        const scoped = factory.getSession('scoped');
        const call = scoped.encryptAsync('x', { signal: controller.signal });
        scoped.close();
        await new Promise((resolve) => setTimeout(resolve, 2));
        controller.abort(reason);
        await assert.rejects(call, isReason);
      }
      // The engine tells of their ends; what is left of all is the one load.
      for (let i = 0; i < 100 && stats(0).calls > 0; i++) await new Promise((resolve) => setTimeout(resolve, 10));
      assert.equal(stats(0).calls, 0);
      assert.ok(stats(0).sessions <= before.sessions + 1);
    });
  });

  it('is not told as failed', async () => {
    const events = [];
    const observed = new SessionFactory({
      ...sqliteConfig(db),
      sqliteBusyTimeout: 30,
      logLevel: 'warn',
      logHook: (event) => events.push(event),
      metricsHook: ({ type }) => events.push(type),
    });
    await observed.getSession('p').encryptAsync('x');
    await whileLocked(async () => {
      const controller = new AbortController();
      const call = observed.getSession('q').encryptAsync('x', { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 20);
      await assert.rejects(call, isReason);
    });
    await observed.getSession('q').encryptAsync('x');
    await turn();
    observed.close();
    await turn();
    assert.deepEqual(
      events.filter((event) => event === 'encrypt' || typeof event !== 'string'),
      ['encrypt', 'encrypt'],
    );
  });

  it('rejects with whatever the reason is', async () => {
    for (const odd of [0, '', null, false, new asherah.AsherahError('ERR_ASHERAH_CLOSED', 'not ours')]) {
      await assert.rejects(session.encryptAsync('x', { signal: AbortSignal.abort(odd) }), (error) => error === odd);
      const controller = new AbortController();
      const call = session.encryptAsync(large, { signal: controller.signal });
      controller.abort(odd);
      await assert.rejects(call, (error) => error === odd);
    }
    await assert.rejects(session.encryptAsync('x', { signal: AbortSignal.abort() }), { name: 'AbortError' });
    const soon = AbortSignal.timeout(1);
    await whileLocked(() => assert.rejects(session.encryptAsync('x', { signal: soon }), { name: 'TimeoutError' }));
  });

  it('rejects once, whenever it is aborted', async () => {
    await session.encryptAsync('x');
    for (let i = 0; i < 500; i++) {
      const controller = new AbortController();
      const call = session.encryptAsync(large, { signal: controller.signal });
      if (i % 3 === 0) controller.abort(reason);
      else if (i % 3 === 1) setImmediate(() => controller.abort(reason));
      else setTimeout(() => controller.abort(reason), i % 7);
      const result = await call.catch((error) => error);
      if (result !== reason) assert.equal(session.decryptString(result), String(large));
      controller.abort(reason);
    }
  });

  it('takes no other options, and no other signal', async () => {
    const wrong = [
      [{ singal: aborted }, /^options: expected only 'signal'/],
      [{ signal: null }, /^options\.signal: expected an AbortSignal, got null/],
      [{ signal: {} }, /^options\.signal: .* got an object/],
      [{ signal: new AbortController() }, /^options\.signal: /],
      [{ signal: true }, /^options\.signal: .* got a boolean/],
      [{ signal: new Proxy(aborted, { get: () => assert.fail() }) }, /^options\.signal: .* got a proxy/],
      [null, /^options: expected an object, got null/],
      [5, /^options: expected an object, got a number/],
    ];
    for (const [options, message] of wrong) {
      for (const [method, kind] of Object.entries(methods)) {
        const input = kind === 'data' ? 'x' : session.encrypt('x');
        await assert.rejects(session[method](input, options), { code: 'ERR_ASHERAH_INVALID_ARGUMENT', message });
      }
    }
    for (const none of [undefined, {}, { signal: undefined }]) await session.encryptAsync('x', none);
  });

  it("works with somebody's own kind of signal", async () => {
    class Signal extends EventTarget {
      aborted = false;
    }
    const signal = new Signal();
    await session.encryptAsync('x');
    await whileLocked(async () => {
      const call = factory.getSession('q').encryptAsync('x', { signal });
      Object.assign(signal, { aborted: true, reason });
      signal.dispatchEvent(new Event('abort'));
      await assert.rejects(call, isReason);
    });
  });

  describe('of the module-level functions', () => {
    beforeEach(() => asherah.setup({ ...sqliteConfig(db), sqliteBusyTimeout: 30 }));
    afterEach(() => asherah.shutdown());

    const functions = { ...methods, encrypt_async: 'data', decrypt_string_async: 'record' };

    it('is as that of a session', async () => {
      for (const [name, kind] of Object.entries(functions)) {
        const input = kind === 'data' ? 'x' : 'no record';
        await assert.rejects(asherah[name]('p', input, { signal: aborted }), isReason, name);
        await assert.rejects(asherah[name]('p', input, { timeout: 1 }), { code: 'ERR_ASHERAH_INVALID_ARGUMENT' });
      }
      asherah.encrypt('first', 'x');
      const controller = new AbortController();
      await whileLocked(async () => {
        const calls = ['p', 'q'].map((p) => asherah.encryptAsync(p, 'x', { signal: controller.signal }));
        setTimeout(() => controller.abort(reason), 20);
        for (const call of calls) await assert.rejects(call, isReason);
      });
      assert.equal(asherah.decryptString('p', await asherah.encryptAsync('p', 'x')), 'x');
    });

    it('may be something else, as in the older packages', async () => {
      for (const extra of [undefined, null, 1, 'x', true, () => {}]) {
        const record = await asherah.encryptAsync('p', 'x', extra);
        assert.equal(await asherah.decryptStringAsync('p', record, extra), 'x');
        assert.equal(String(await asherah.decryptAsync('p', record, extra)), 'x');
      }
    });
  });
});
