// SPDX-License-Identifier: Apache-2.0
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { Worker } = require('node:worker_threads');
const asherah = require('asherah-napi');
const { packageCopy } = require('./fixtures/package-copy.js');

const config = {
  serviceName: 'service',
  productId: 'product',
  kms: 'test-debug-static',
  metastore: 'memory',
  onWarning: () => {},
};

function errorOf({ SessionFactory }) {
  try {
    new SessionFactory({});
  } catch (error) {
    return error;
  }
}

function run(source, args = []) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [...args, '-e', source], {
    cwd: path.join(__dirname, '..'),
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return { stdout, stderr };
}

describe('the package loaded twice', () => {
  it('by import and by require is one', async () => {
    const esm = await import('asherah-napi');
    assert.deepEqual(Object.keys(esm).sort(), Object.keys(asherah).sort());
    for (const name of Object.keys(asherah)) {
      if (name !== 'default') assert.equal(esm[name], asherah[name], name);
    }
    for (const name of Object.keys(asherah.default)) {
      assert.equal(esm.default[name], asherah[name], name);
      assert.equal(asherah.default[name], asherah[name], name);
    }
    const extra = Object.keys(asherah).filter((name) => !(name in asherah.default));
    assert.deepEqual(extra.sort(), ['default']);
  });

  it('has errors that each copy takes for its own', () => {
    const copy = packageCopy();
    assert.notEqual(copy.AsherahError, asherah.AsherahError, 'there are two');
    assert.ok(errorOf(copy) instanceof asherah.AsherahError);
    assert.ok(errorOf(asherah) instanceof copy.AsherahError);
    assert.ok(errorOf(copy) instanceof Error);
  });

  it('does not take other errors, values or classes for its own', () => {
    const { AsherahError } = asherah;
    class Mine extends AsherahError {}
    const mine = new Mine('ERR_ASHERAH_KMS', 'mine');
    assert.ok(mine instanceof Mine && mine instanceof AsherahError);
    assert.ok(!(errorOf(asherah) instanceof Mine));
    for (const value of [new Error('x'), undefined, null, 5, 'x', {}, { code: 'ERR_ASHERAH_KMS' }, () => {}]) {
      assert.ok(!(value instanceof AsherahError));
    }
  });

  it('has factories that work side by side', () => {
    const copy = packageCopy();
    const [one, two] = [new asherah.SessionFactory(config), new copy.SessionFactory(config)];
    const [a, b] = [one.getSession('p'), two.getSession('p')];
    assert.equal(a.decryptString(a.encrypt('a')), 'a');
    one.close();
    assert.equal(b.decryptString(b.encrypt('b')), 'b');
    two.close();
    assert.throws(
      () => b.encrypt('b'),
      (error) => error instanceof asherah.AsherahError,
    );
  });

  it('in a worker thread works, and its end leaves this thread alone', async () => {
    const factory = new asherah.SessionFactory(config);
    const session = factory.getSession('p');
    const worker = new Worker(
      `const { SessionFactory, AsherahError } = require('asherah-napi');
       const { parentPort, workerData } = require('node:worker_threads');
       const session = new SessionFactory({ ...workerData, onWarning: () => {} }).getSession('p');
       let caught;
       try { session.decrypt('{}'); } catch (error) { caught = error instanceof AsherahError && error.code; }
       parentPort.postMessage([session.decryptString(session.encrypt('in a worker')), caught]);`,
      { eval: true, workerData: { ...config, onWarning: undefined } },
    );
    const messages = [];
    worker.on('message', (message) => messages.push(message));
    assert.equal(await new Promise((resolve, reject) => worker.on('exit', resolve).on('error', reject)), 0);
    assert.deepEqual(messages, [['in a worker', 'ERR_ASHERAH_INVALID_RECORD']]);
    assert.equal(session.decryptString(session.encrypt('x')), 'x');
    factory.close();
  });
});

describe('loading', () => {
  it('does not load the addon before the first factory', () => {
    const { stdout } = run(`
      const { SessionFactory } = require('asherah-napi');
      const loaded = () => Object.keys(require.cache).some((file) => file.endsWith('.node'));
      const before = loaded();
      try { new SessionFactory({}); } catch {}
      const between = loaded();
      new SessionFactory(${JSON.stringify({ ...config, metastore: 'test-debug-memory' })});
      console.log(before, between, loaded());`);
    assert.equal(stdout.trim(), 'false false true');
  });

  it('is possible where Symbol.dispose is missing, as in a vm context of Node 20', () => {
    const { stdout } = run(`
      const Missing = Object.assign((name) => Builtin(name), { prototype: Symbol.prototype });
      const Builtin = Symbol;
      for (const name of Object.getOwnPropertyNames(Symbol)) {
        if (!/dispose|length|prototype|name/i.test(name)) Missing[name] = Symbol[name];
      }
      globalThis.Symbol = Missing;
      const { Session } = require('asherah-napi');
      console.log(Symbol.dispose, typeof Session.prototype[Symbol.for('Symbol.dispose')], 'undefined' in Session.prototype);`);
    assert.equal(stdout.trim(), 'undefined function false');
  });
});

describe('a warning', () => {
  it('about a choice in the configuration comes once, however often the package and the choice are made', () => {
    const { stderr } = run(`
      const warnings = [];
      process.on('warning', ({ name, code }) => warnings.push(name + ' ' + code));
      const config = { serviceName: 's', productId: 'p', kms: 'test-debug-static', metastore: 'memory' };
      for (let i = 0; i < 3; i++) {
        for (const file of Object.keys(require.cache)) if (file.includes('dist')) delete require.cache[file];
        const { SessionFactory } = require('asherah-napi');
        new SessionFactory(config).close();
        new SessionFactory({ ...config, metastore: 'test-debug-memory' }).close();
      }
      setImmediate(() => require('node:assert').deepEqual(warnings,
        ['AsherahWarning WARN_ASHERAH_TEST_KMS', 'AsherahWarning WARN_ASHERAH_MEMORY_METASTORE']));`);
    assert.match(stderr, /\[WARN_ASHERAH_TEST_KMS\] AsherahWarning: kms 'test-debug-static'/);
  });

  it("goes to every factory's own onWarning, after the constructor", async () => {
    const heard = [];
    let factory;
    for (let i = 0; i < 2; i++) {
      factory = undefined;
      factory = new asherah.SessionFactory({
        ...config,
        onWarning: ({ code }) => heard.push([code, factory?.constructor.name]),
      });
      assert.equal(heard.length, i * 2, 'not inside the constructor');
      await new Promise(setImmediate);
      factory.close();
    }
    const each = [
      ['WARN_ASHERAH_TEST_KMS', 'SessionFactory'],
      ['WARN_ASHERAH_MEMORY_METASTORE', 'SessionFactory'],
    ];
    assert.deepEqual(heard, [...each, ...each]);
  });

  it('whose onWarning throws is an uncaught exception, and the factory goes on', () => {
    const { stdout } = run(`
      const { SessionFactory } = require('asherah-napi');
      process.on('uncaughtException', (error) => console.log('uncaught', error.message));
      const config = { serviceName: 's', productId: 'p', kms: 'test-debug-static', metastore: 'memory' };
      const session = new SessionFactory({ ...config, onWarning({ code }) { throw new Error(code); } }).getSession('p');
      setImmediate(() => console.log(session.decryptString(session.encrypt('goes on'))));`);
    assert.equal(stdout, 'uncaught WARN_ASHERAH_TEST_KMS\nuncaught WARN_ASHERAH_MEMORY_METASTORE\ngoes on\n');
  });

  it('from a factory that allows onWarning a promise is an unhandled rejection when that fails', () => {
    const { stdout } = run(`
      const { SessionFactory } = require('asherah-napi');
      process.on('unhandledRejection', (error) => console.log('unhandled', error.message));
      const config = { serviceName: 's', productId: 'p', kms: 'test-debug-static', metastore: 'test-debug-memory' };
      new SessionFactory({ ...config, async onWarning({ code }) { throw new Error(code); } });`);
    assert.equal(stdout, 'unhandled WARN_ASHERAH_TEST_KMS\n');
  });
});
