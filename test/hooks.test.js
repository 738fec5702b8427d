// SPDX-License-Identifier: Apache-2.0

// The fear: a log or metrics hook disturbs calls, ends or holds the process, hears too little, too much, or a secret.

const assert = require('node:assert/strict');
const { join } = require('node:path');
const { AsherahError, SessionFactory, setLogHook, setMetricsHook } = require('asherah-napi');
const { loadAddon } = require('../dist/addon.js');
const { inChild, memoryConfig, passes, sqliteConfig } = require('./support/child.js');
const { temporaryFolder } = require('./support/store.js');

const fixture = 'hooks.js';
const folder = temporaryFolder();
const turn = () => new Promise((resolve) => setTimeout(resolve, 10));
const listeners = () => JSON.parse(loadAddon('core').stats(0)).listeners;

/** Hears measurements, or lines, until the end of the test. */
function hear(set, options) {
  const events = [];
  set((event) => events.push(event), options);
  return events;
}

/** Durations are what they are. */
function withoutTimes(events) {
  return events.map(({ durationNs, ...event }) => {
    if (durationNs !== undefined) assert.ok(Number.isSafeInteger(durationNs) && durationNs > 0, `${durationNs} ns`);
    return Object.values(event).join(' ');
  });
}

describe('hooks', () => {
  let factory;
  let session;
  beforeEach(() => {
    factory = new SessionFactory(memoryConfig);
    session = factory.getSession('p');
  });
  afterEach(() => {
    setLogHook(null);
    setMetricsHook(undefined);
    factory.close();
    assert.equal(listeners(), 0, 'nobody listens any more');
  });

  it('hear what was measured, in the order in which it happened', async () => {
    const events = hear(setMetricsHook);
    const record = session.encrypt('x');
    session.decrypt(record);
    assert.throws(() => session.decrypt('{}'));
    const other = factory.getSession('q');
    other.encrypt('x');
    assert.deepEqual(events, [], 'never inside a call');
    await other.encryptAsync(Buffer.alloc(100_000));
    await turn();
    assert.deepEqual(withoutTimes(events), [
      'cache_miss intermediate',
      'load memory',
      'cache_miss system',
      'load memory',
      'kms_encrypt',
      'store memory',
      'rotation system',
      'store memory',
      'rotation intermediate',
      'encrypt',
      'cache_hit intermediate',
      'decrypt',
      'decrypt ERR_ASHERAH_INVALID_RECORD',
      'cache_miss intermediate',
      'load memory',
      'cache_hit system',
      'store memory',
      'rotation intermediate',
      'encrypt',
      'cache_hit intermediate',
      'encrypt',
    ]);
  });

  it('hear of a cold asynchronous call once, and of its failure', async () => {
    const events = hear(setMetricsHook);
    const lines = hear(setLogHook);
    const broken = new SessionFactory(sqliteConfig(join(folder, 'no such folder', 'keys.db')));
    await assert.rejects(broken.getSession('p').encryptAsync('x'), { code: 'ERR_ASHERAH_METASTORE' });
    await turn();
    broken.close();
    assert.deepEqual(withoutTimes(events), [
      'cache_miss intermediate',
      'load sqlite ERR_ASHERAH_METASTORE',
      'encrypt ERR_ASHERAH_METASTORE',
    ]);
    assert.deepEqual(
      lines.map(({ level, target, code }) => [level, target, code]),
      [['error', 'asherah.call', 'ERR_ASHERAH_METASTORE']],
    );
  });

  it('hear lines of the level they asked for', async () => {
    const life = async (level) => {
      const lines = hear(setLogHook, level && { level });
      const own = new SessionFactory({ ...memoryConfig, intermediateKeyCacheMaxSize: 1 });
      for (const partition of ['a', 'b']) own.getSession(partition).encrypt('x');
      own.close();
      await turn();
      return lines.map(({ level, target, message }) => `${level} ${target} ${message.replace(/\d[\d.]*/g, '#')}`);
    };
    const info = [
      'info asherah.factory opened a factory: service service, product product, kms static, metastore memory',
      'info asherah.key system key _SK_service_product created at #: made and stored',
      'info asherah.key intermediate key _IK_a_service_product created at #: made and stored',
      'info asherah.key intermediate key _IK_b_service_product created at #: made and stored',
      'info asherah.factory closed a factory: service service, product product, kms static, metastore memory',
    ];
    const debug = [...info];
    debug.splice(1, 0, 'debug asherah.kms kms static: encrypt took # ms');
    debug.splice(5, 0, 'debug asherah.key intermediate key _IK_a_service_product created at #: left the full cache');
    assert.deepEqual(await life('debug'), debug);
    assert.deepEqual(await life('info'), info);
    assert.deepEqual(await life(), []);
  });

  it("get lib's own warnings too, and numbers where they take two arguments", async () => {
    const numbers = [];
    setLogHook((level, message) => numbers.push([level, message.slice(0, 18)]), { level: 'info' });
    new SessionFactory({ ...memoryConfig, metastore: 'memory', onWarning() {} }).close();
    assert.deepEqual(numbers, []);
    await turn();
    assert.deepEqual(numbers.sort(), [
      [4, "metastore 'memory'"],
      [6, 'closed a factory: '],
      [6, 'opened a factory: '],
    ]);
  });

  it('hear nothing more once they are removed, nor what is queued', async () => {
    const [events, lines] = [hear(setMetricsHook), hear(setLogHook, { level: 'debug' })];
    session.encrypt('x');
    setMetricsHook(null);
    const later = hear(setMetricsHook);
    await turn();
    assert.deepEqual([events, later], [[], []]);
    assert.ok(lines.length > 0, 'the other one hears what was queued for it');
    session.encrypt('x');
    setLogHook(null);
    await turn();
    assert.equal(later.length, 2);
    // In the middle of what is being delivered.
    let heard = 0;
    setMetricsHook(() => {
      heard++;
      setMetricsHook(null);
    });
    for (let i = 0; i < 10; i++) session.encrypt('x');
    await turn();
    assert.equal(heard, 1);
  });

  it('that throw, or reject, are a warning each, once, and go on being called', async () => {
    const warnings = [];
    const onWarning = ({ code, message }) => warnings.push([code, message.replace(/^.*: /, '')]);
    process.on('warning', onWarning);
    try {
      const failures = [
        () => {
          throw new Error('thrown');
        },
        async () => {
          throw new Error('rejected');
        },
        () => {
          throw Object.defineProperty(new Error(), 'message', {
            get: () => assert.fail('not to be read'),
          });
        },
        () => {
          throw 'text';
        },
      ];
      let calls = 0;
      for (const fail of failures) {
        setMetricsHook(() => {
          calls++;
          return fail();
        });
        for (let i = 0; i < 3; i++) session.encrypt('x');
        await turn();
      }
      assert.ok(calls >= 24, `${calls} calls`);
      assert.deepEqual(
        warnings,
        ['thrown', 'rejected', 'an error that can not be read', 'a string of 4 characters'].map((why) => [
          'WARN_ASHERAH_HOOK_FAILED',
          why,
        ]),
      );
    } finally {
      process.off('warning', onWarning);
    }
  });

  it('that are slow lose the newest events, and hear how many', async () => {
    const [events, lines] = [hear(setMetricsHook), hear(setLogHook)];
    session.encrypt('x');
    await turn();
    events.length = 0;
    for (let i = 0; i < 5000; i++) session.encrypt('x');
    await turn();
    assert.equal(events.length, 4096);
    assert.deepEqual([events[0].type, events[1].type], ['cache_hit', 'encrypt'], 'the oldest are there');
    assert.equal(lines.length, 1);
    assert.equal(lines[0].code, 'WARN_ASHERAH_EVENTS_DROPPED');
    assert.match(lines[0].message, /^5904 events were dropped/);
    session.encrypt('x');
    await turn();
    assert.equal(events.length, 4098, 'there is room again');
    // Without a log hook the process hears it.
    setLogHook(null);
    const warned = new Promise((resolve) => process.once('warning', resolve));
    for (let i = 0; i < 5000; i++) session.encrypt('x');
    assert.equal((await warned).code, 'WARN_ASHERAH_EVENTS_DROPPED');
  });

  it('may encrypt, and set hooks', async () => {
    let depth = 0;
    let calls = 0;
    setMetricsHook((event) => {
      assert.equal(depth++, 0, 'never inside another call');
      if (event.type === 'encrypt' && calls++ < 20) session.encrypt(JSON.stringify(event));
      depth--;
    });
    session.encrypt('x');
    while (calls < 20) await turn();
    setMetricsHook(() => setMetricsHook((event) => calls.push(event)));
    calls = [];
    session.encrypt('x');
    await turn();
    assert.equal(calls.length, 1);
  });

  it('are functions', () => {
    for (const wrong of [1, 'f', {}, true, Symbol('s')]) {
      for (const set of [setLogHook, setMetricsHook]) {
        assert.throws(() => set(wrong), {
          code: 'ERR_ASHERAH_INVALID_ARGUMENT',
          message: /^hook: expected a function/,
        });
      }
      assert.throws(() => setLogHook(() => {}, { level: wrong }), AsherahError);
    }
    assert.throws(() => setLogHook(() => {}, { levels: 'info' }), /^AsherahError: options: expected only 'level'/);
    assert.throws(() => setLogHook(() => {}, null), AsherahError);
    assert.equal(listeners(), 0, 'none was set');
  });

  it('hear no secret', async () => {
    const plaintext = 'a plaintext nobody may read';
    const events = [hear(setMetricsHook), hear(setLogHook, { level: 'trace' })];
    const db = join(folder, 'secret-name.db');
    const broken = new SessionFactory(sqliteConfig(join(folder, 'no such folder', 'keys.db')));
    assert.throws(() => broken.getSession('p').encrypt(plaintext));
    for (let i = 0; i < 2; i++) {
      const own = new SessionFactory(sqliteConfig(db));
      const record = own.getSession('p').encrypt(plaintext);
      own.getSession('p').decrypt(record);
      assert.throws(() => own.getSession('p').decrypt(record.replace(/"Data":"..../, '"Data":"AAAA')));
      own.close();
    }
    broken.close();
    await turn();
    const text = JSON.stringify(events);
    assert.match(text, /loaded/);
    const key = Buffer.alloc(32, 0x42);
    const secrets = [plaintext, Buffer.from(plaintext).toString('base64').slice(0, 30), 'secret-name'];
    for (const secret of [
      ...secrets,
      key.toString('hex'),
      key.toString('latin1'),
      key.toString('base64').slice(0, 40),
    ]) {
      assert.ok(!text.includes(secret), secret);
    }
  });

  describe('at the end', () => {
    it('of the process hear what is pending', async () => {
      for (const scenario of ['end', 'process.exit', 'exit in a hook', 'own hooks at the end']) {
        assert.equal(await passes(fixture, scenario), 'encrypt decrypt', scenario);
      }
    });

    it('do not keep it, not even by calls of their own', async () => {
      assert.ok(Number(await passes(fixture, 'endless')) >= 1);
    });

    it('of an outer function that throws there, the exit code stays', async () => {
      const { code, stdout, stderr } = await inChild(fixture, 'throws at exit');
      assert.deepEqual([code, stdout, stderr], [7, 'called\n', '']);
    });
  });

  describe('of a factory', () => {
    it('are called instead of those of the module, for lines and measurements apart', () =>
      passes(fixture, 'own hooks'));

    it('hear the last of it, and do not keep it from being collected', () => passes(fixture, 'forgotten'));

    it("that is verbose hears it from 'debug' on, or standard error shows it", async () => {
      const { code, stdout, stderr } = await inChild(fixture, 'verbose');
      assert.equal(code, 0, stderr);
      const [opened, ...more] = stderr.trim().split('\n');
      assert.match(opened, /^asherah-napi info: opened a factory: /);
      assert.match(more[0], /^asherah-napi debug: kms static: encrypt took /);
      assert.ok(
        more.some((line) => /^asherah-napi info: intermediate key _IK_a b_service/.test(line)),
        stderr,
      );
      assert.match(stdout, /^ok$/m);
    });
  });

  describe('in threads', () => {
    it('hear their own factories and the static instance, whoever uses it', () => passes(fixture, 'threads'));

    it('that are terminated, or end, take their hooks with them', async () => {
      assert.equal(Number(await passes(fixture, 'terminated')), 24);
    });

    it('and of both addons, are heard alike', () => passes(fixture, 'two addons'));
  });
});
