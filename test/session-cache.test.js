// SPDX-License-Identifier: Apache-2.0
const assert = require('node:assert/strict');
const { packageCopy } = require('./fixtures/package-copy.js');

const config = {
  serviceName: 'service',
  productId: 'product',
  kms: 'static',
  staticMasterKeyHex: '42'.repeat(32),
  metastore: 'test-debug-memory',
};

/** Which native handles are open, seen where lib calls the addon. */
const open = { sessions: new Map(), factories: new Set() };
let opened;
const { SessionFactory } = packageCopy((addon) => ({
  ...addon,
  openSession(factory, partition) {
    const handle = addon.openSession(factory, partition);
    open.sessions.set(handle, partition);
    opened.push(partition);
    return handle;
  },
  closeSession(handle) {
    open.sessions.delete(handle);
    addon.closeSession(handle);
  },
  openFactory(...args) {
    const handle = addon.openFactory(...args);
    open.factories.add(handle);
    return handle;
  },
  closeFactory(handle) {
    open.factories.delete(handle);
    addon.closeFactory(handle);
  },
}));

const partitions = () => [...open.sessions.values()];

const collectGarbage = globalThis.gc ?? (() => globalThis.Bun.gc(true));

/** Collects garbage until a condition holds; finalizers run in tasks of their own. */
async function collected(condition, what) {
  for (let i = 0; i < 100 && !condition(); i++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.ok(condition(), what);
}

describe('the session cache', () => {
  const factories = [];
  function newFactory(options) {
    const factory = new SessionFactory({ ...config, ...options });
    factories.push(factory);
    return factory;
  }
  beforeEach(() => {
    open.sessions.clear();
    open.factories.clear();
    opened = [];
  });
  afterEach(() => {
    for (const factory of factories.splice(0)) factory.close();
  });

  it('opens one native session for all of a partition, also after each was closed', () => {
    const factory = newFactory();
    for (let i = 0; i < 10; i++) {
      const [one, other] = [factory.getSession('p'), factory.getSession('p')];
      one.close();
      assert.equal(other.decryptString(other.encrypt('x')), 'x');
      other.close();
    }
    assert.deepEqual(opened, ['p']);
  });

  it('never holds more than its option, and lets the one used longest ago go first', () => {
    const factory = newFactory({ sessionCacheMaxSize: 3 });
    const use = (partition) => factory.getSession(partition).close();
    for (const partition of ['a', 'b', 'c', 'a', 'd']) use(partition);
    assert.deepEqual(partitions().sort(), ['a', 'c', 'd']);
    for (const partition of ['c', 'c', 'e', 'a']) use(partition);
    assert.deepEqual(partitions().sort(), ['a', 'c', 'e'].sort());
    for (let i = 0; i < 1000; i++) {
      use(`user-${i}`);
      assert.ok(open.sessions.size <= 3);
    }
    assert.deepEqual(partitions(), ['user-997', 'user-998', 'user-999']);
  });

  it('of one entry works', () => {
    const factory = newFactory({ sessionCacheMaxSize: 1 });
    for (const partition of ['a', 'b', 'b', 'a']) {
      const session = factory.getSession(partition);
      assert.equal(session.decryptString(session.encrypt(partition)), partition);
      session.close();
    }
    assert.deepEqual(opened, ['a', 'b', 'a']);
    assert.deepEqual(partitions(), ['a']);
  });

  it('agrees with a plain list over many random uses', () => {
    const maxSize = 5;
    const factory = newFactory({ sessionCacheMaxSize: maxSize });
    let list = [];
    let seed = 1;
    const random = (n) => {
      seed = (seed * 48271) % 2147483647;
      return seed % n;
    };
    const inUse = [];
    for (let i = 0; i < 5000; i++) {
      const partition = `p${random(9)}`;
      list = [...list.filter((name) => name !== partition), partition].slice(-maxSize);
      inUse.push(factory.getSession(partition));
      if (inUse.length > 3) inUse.splice(random(4), 1)[0].close();
      for (const name of list) assert.ok(partitions().includes(name), `${name} is cached`);
      assert.ok(open.sessions.size <= maxSize + inUse.length);
    }
    for (const session of inUse) session.close();
    assert.deepEqual(partitions().sort(), list.sort());
  });

  it('does not end a session that is in use when its place is taken', async () => {
    const factory = newFactory({ sessionCacheMaxSize: 1 });
    const kept = factory.getSession('kept');
    const again = factory.getSession('kept');
    factory.getSession('other').close();
    assert.deepEqual(partitions(), ['kept', 'other']);
    assert.equal(kept.decryptString(kept.encrypt('x')), 'x');
    kept.close();
    const call = again.encryptAsync(Buffer.alloc(500_000));
    again.close();
    assert.deepEqual(partitions(), ['kept', 'other'], 'a call in flight uses it');
    await call;
    assert.deepEqual(partitions(), ['other'], 'and its end ends it');
  });

  it('lets go of what nobody asked for during its duration', () => {
    const factory = newFactory({ sessionCacheDuration: 10 });
    const { now } = Date;
    let time = now();
    Date.now = () => time;
    try {
      factory.getSession('a').close();
      factory.getSession('b').close();
      time += 8_000;
      factory.getSession('a').close();
      time += 5_000;
      factory.getSession('c').close();
      assert.deepEqual(partitions(), ['a', 'c'], 'b was last asked for 13 s ago, a 5 s ago');
      time += 10_001;
      const session = factory.getSession('a');
      assert.deepEqual(opened, ['a', 'b', 'c', 'a'], 'the first a had expired');
      time -= 3_600_000;
      factory.getSession('a').close();
      factory.getSession('d').close();
      assert.equal(session.decryptString(session.encrypt('x')), 'x', 'a clock that goes back harms nothing');
    } finally {
      Date.now = now;
    }
  });

  it('that is switched off opens and closes a native session with each', () => {
    const factory = newFactory({ enableSessionCaching: false });
    const [one, other] = [factory.getSession('p'), factory.getSession('p')];
    assert.deepEqual(partitions(), ['p', 'p']);
    const record = one.encrypt('x');
    one.close();
    assert.equal(other.decryptString(record), 'x');
    assert.deepEqual(partitions(), ['p']);
    other.close();
    assert.deepEqual(partitions(), []);
  });

  it('does not keep the sessions that were never closed: garbage collection ends them', async () => {
    const factory = newFactory({ enableSessionCaching: false });
    const kept = factory.getSession('kept');
    for (let i = 0; i < 100; i++) factory.getSession(`forgotten-${i}`).encrypt('x');
    await collected(() => open.sessions.size === 1, 'only one is left open');
    assert.deepEqual(partitions(), ['kept']);
    assert.equal(kept.decryptString(kept.encrypt('x')), 'x');
  });

  it('does not end a forgotten session under its call in flight', async () => {
    const factory = newFactory({ enableSessionCaching: false });
    const calls = Array.from({ length: 50 }, (_, i) => factory.getSession(`p${i}`).encryptAsync(Buffer.alloc(200_000)));
    collectGarbage();
    await new Promise(setImmediate);
    collectGarbage();
    assert.equal((await Promise.all(calls)).length, 50);
    await collected(() => open.sessions.size === 0, 'and they are closed afterwards');
  });

  it('goes with its factory when that was forgotten', async () => {
    (() => {
      const factory = new SessionFactory({ ...config, onWarning: () => factory });
      factory.getSession('p').encrypt('x');
    })();
    await collected(() => open.factories.size === 0, 'although its onWarning refers to it');
  });

  it('lives as long as a session of its factory does', async () => {
    const session = (() => new SessionFactory(config).getSession('p'))();
    const record = session.encrypt('x');
    for (let i = 0; i < 5; i++) {
      collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    assert.equal(session.decryptString(record), 'x');
    assert.equal(open.factories.size, 1);
  });
});
