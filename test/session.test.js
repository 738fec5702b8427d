// SPDX-License-Identifier: Apache-2.0
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { inspect } = require('node:util');
const { AsherahError, Session, SessionFactory } = require('asherah-napi');
const { packageCopy } = require('./fixtures/package-copy.js');

const config = {
  serviceName: 'service',
  productId: 'product',
  kms: 'static',
  staticMasterKeyHex: '42'.repeat(32),
  metastore: 'test-debug-memory',
};
// Above the size up to which an asynchronous call does its work at once.
const large = Buffer.alloc(500_000, 'x');
const closedCode = { code: 'ERR_ASHERAH_CLOSED' };

let factory;
beforeEach(() => {
  factory = new SessionFactory(config);
});
afterEach(() => factory.close());

describe('a session', () => {
  it('decrypts what another session of its partition encrypted', async () => {
    const [one, other] = [factory.getSession('p'), factory.getSession('p')];
    assert.notEqual(one, other);
    assert.equal(other.decryptString(one.encrypt('hello')), 'hello');
    assert.equal(await other.decryptStringAsync(await one.encryptAsync('hello')), 'hello');
    assert.deepEqual(await other.decryptAsync(one.encrypt(large)), large);
  });

  it('decrypts nothing of another partition', async () => {
    const record = factory.getSession('p').encrypt('hello');
    const other = factory.getSession('q');
    assert.throws(() => other.decrypt(record), { code: 'ERR_ASHERAH_PARTITION_MISMATCH' });
    await assert.rejects(other.decryptAsync(record), { code: 'ERR_ASHERAH_PARTITION_MISMATCH' });
    assert.throws(() => other.decryptString(record), { code: 'ERR_ASHERAH_PARTITION_MISMATCH' });
    await assert.rejects(other.decryptStringAsync(record), { code: 'ERR_ASHERAH_PARTITION_MISMATCH' });
  });

  it('gives bytes that are no UTF-8 as an error, never as replacement characters', async () => {
    const session = factory.getSession('p');
    for (const bytes of [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      for (const data of [Buffer.from(bytes), Buffer.concat([large, Buffer.from(bytes)])]) {
        const record = session.encrypt(data);
        assert.throws(() => session.decryptString(record), { code: 'ERR_ASHERAH_NOT_UTF8' });
        await assert.rejects(session.decryptStringAsync(record), { code: 'ERR_ASHERAH_NOT_UTF8' });
        assert.deepEqual(session.decrypt(record), data);
      }
    }
  });

  it('leaves no copy of a decoded string in a buffer', () => {
    const buffers = [];
    const copy = packageCopy((addon) => ({
      ...addon,
      decryptString(...args) {
        const data = addon.decryptString(...args);
        if (typeof data !== 'string') buffers.push(data);
        return data;
      },
    }));
    const own = new copy.SessionFactory(config);
    const session = own.getSession('p');
    assert.equal(session.decryptString(session.encrypt('żółw')), 'żółw');
    assert.throws(() => session.decryptString(session.encrypt(Buffer.from([0x61, 0xff]))));
    own.close();
    assert.equal(buffers.length, 2);
    for (const buffer of buffers) assert.ok(buffer.every((byte) => byte === 0));
  });

  it('can not be made by anybody but a factory', () => {
    for (const make of [() => new Session(), () => new Session(1, 2), () => Reflect.construct(Session, [], Object)]) {
      assert.throws(make, {
        code: 'ERR_ASHERAH_INVALID_ARGUMENT',
        message: /Call factory\.getSession\(partition\)\.$/,
      });
    }
    assert.throws(() => new (class extends Session {})(), { code: 'ERR_ASHERAH_INVALID_ARGUMENT' });
    const Own = factory.getSession('p').constructor;
    assert.throws(() => new Own(Symbol('Session'), {}), { code: 'ERR_ASHERAH_INVALID_ARGUMENT' });
  });

  it('shows neither its partition nor a key when it is printed', () => {
    const session = factory.getSession('hunter2');
    session.encrypt('hunter2');
    for (const value of [session, factory]) {
      const shown = `${inspect(value, { showHidden: true, depth: 9 })} ${JSON.stringify(value)} ${String(value)}`;
      assert.doesNotMatch(shown, /hunter2|4242|service/);
    }
  });

  it("tells in an asynchronous error's stack who called", async function () {
    if (process.versions.bun) this.skip(); // its engine keeps no asynchronous stacks
    const session = factory.getSession('p');
    async function theCaller() {
      await session.decryptAsync(`${' '.repeat(100_000)}{}`);
    }
    await assert.rejects(theCaller(), (error) => /theCaller/.test(error.stack));
  });
});

describe('a closed session', () => {
  const methods = ['encrypt', 'decrypt', 'decryptString'];

  it('throws or rejects with its code, and can be closed again', async () => {
    const session = factory.getSession('p');
    const record = session.encrypt('x');
    session.close();
    session.close();
    session[Symbol.dispose]();
    await session[Symbol.asyncDispose]();
    for (const method of methods) {
      assert.throws(() => session[method](record), closedCode);
      await assert.rejects(session[`${method}Async`](record), closedCode);
    }
  });

  it('does not close another of its partition, however often it is closed', () => {
    for (const enableSessionCaching of [true, false]) {
      const own = new SessionFactory({ ...config, enableSessionCaching });
      const [one, other] = [own.getSession('p'), own.getSession('p')];
      for (let i = 0; i < 5; i++) one.close();
      assert.equal(other.decryptString(other.encrypt('x')), 'x');
      own.close();
    }
  });

  it('lets its calls in flight finish', async () => {
    for (const enableSessionCaching of [true, false]) {
      const own = new SessionFactory({ ...config, enableSessionCaching });
      const session = own.getSession('p');
      const calls = [session.encryptAsync(large), session.encryptAsync('cold or not'), session.encryptAsync(large)];
      session.close();
      const records = await Promise.all(calls);
      const reader = own.getSession('p');
      const reads = records.map((record) => reader.decryptAsync(record));
      reader.close();
      assert.deepEqual(
        (await Promise.all(reads)).map((data) => data.length),
        [large.length, 11, large.length],
      );
      own.close();
    }
  });

  it('of a closed factory throws too, and closes', async () => {
    const sessions = [factory.getSession('p'), factory.getSession('q')];
    const record = sessions[0].encrypt('x');
    factory.close();
    factory.close();
    for (const session of sessions) {
      for (const method of methods) {
        assert.throws(() => session[method](record), closedCode);
        await assert.rejects(session[`${method}Async`](record), closedCode);
      }
      session.close();
    }
    assert.throws(() => factory.getSession('p'), closedCode);
  });

  it('of a factory that closes during its calls gets results or the code, nothing else', async () => {
    for (let round = 0; round < 20; round++) {
      const own = new SessionFactory(config);
      const session = own.getSession('p');
      const calls = Array.from({ length: 20 }, (_, i) => session.encryptAsync(i % 2 ? large : 'small'));
      if (round % 2) await new Promise(setImmediate);
      own.close();
      for (const { status, value, reason } of await Promise.allSettled(calls)) {
        if (status === 'fulfilled') assert.equal(typeof value, 'string');
        else assert.ok(reason instanceof AsherahError && reason.code === 'ERR_ASHERAH_CLOSED', reason);
      }
    }
  });

  it('was closed by `using`, on a runtime with or without the symbols', async () => {
    const session = factory.getSession('p');
    session[Symbol.dispose]();
    assert.throws(() => session.encrypt('x'), closedCode);
    const other = factory.getSession('p');
    assert.equal(await other[Symbol.asyncDispose](), undefined);
    assert.throws(() => other.encrypt('x'), closedCode);
    await factory[Symbol.asyncDispose]();
    factory[Symbol.dispose]();
    assert.throws(() => factory.getSession('p'), closedCode);
    assert.ok(!('undefined' in Session.prototype), 'no method named by a missing symbol');
  });
});

describe('a method on a wrong receiver', () => {
  it('is an error with a code, in every state, and never ends the process', () => {
    const child = path.join(__dirname, 'fixtures/wrong-receivers.js');
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [child], { encoding: 'utf8' });
    assert.equal(status, 0, `${signal} ${stderr}`);
    const { calls, methods } = JSON.parse(stdout);
    // So that a method or receiver that is added counts: 10 or 11 methods of Session, 6 of SessionFactory.
    assert.deepEqual(methods, {
      Session: [
        'Symbol.asyncDispose',
        'Symbol.dispose',
        'close',
        'decrypt',
        'decryptAsync',
        'decryptString',
        'decryptStringAsync',
        'encrypt',
        'encryptAsync',
        'encryptString',
        'encryptStringAsync',
      ],
      SessionFactory: ['Symbol.asyncDispose', 'Symbol.dispose', 'close', 'createSchema', 'getSession', 'verify'],
    });
    assert.equal(calls, 17 * 13 * 3);
  });
});
