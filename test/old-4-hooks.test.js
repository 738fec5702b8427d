// SPDX-License-Identifier: Apache-2.0

// The fear: the hooks of version 4's users, which feed their logs and dashboards, fall silent or get other shapes. The
// hooks' own promises (order, limits, workers) are in hooks.test.js.

const assert = require('node:assert/strict');
const { join } = require('node:path');
const asherah = require('asherah-napi');
const { config4, pause, waitFor, withSetup } = require('./support/old');
const { temporaryFolder } = require('./support/store');

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'];
const verbose = config4({ enableSessionCaching: true, verbose: true });

function use(partition = 'partition') {
  asherah.decryptString(partition, asherah.encryptString(partition, 'a secret'));
}

/** @param {{ type: string }} event */
function assertMetric(event) {
  if (['encrypt', 'decrypt', 'store', 'load', 'kms_encrypt', 'kms_decrypt'].includes(event.type)) {
    assert.ok(typeof event.durationNs === 'number' && event.durationNs > 0, JSON.stringify(event));
  } else {
    assert.ok(['cache_hit', 'cache_miss', 'cache_stale', 'rotation'].includes(event.type), JSON.stringify(event));
    assert.ok(typeof event.name === 'string' && event.name !== '', JSON.stringify(event));
  }
}

describe('the hooks of version 4', () => {
  const folder = temporaryFolder();
  let heard;
  const listen = (event) => heard.push(event);
  beforeEach(() => {
    heard = [];
  });
  afterEach(() => {
    asherah.setLogHook(null);
    asherah.setMetricsHook(null);
    asherah.shutdown();
  });

  it('hear the log as objects', async () => {
    asherah.setLogHook(listen);
    await withSetup(verbose, async () => {
      use();
      await waitFor(heard, ({ level }) => level !== 'warn');
    });
    for (const event of heard) {
      assert.ok(LEVELS.includes(event.level), JSON.stringify(event));
      assert.ok(typeof event.message === 'string' && event.message !== '', JSON.stringify(event));
      assert.ok(typeof event.target === 'string' && event.target !== '', JSON.stringify(event));
      assert.ok(!JSON.stringify(event).includes('a secret'));
    }
  });

  it('hear warnings and errors only, unless the configuration is verbose', async () => {
    asherah.setLogHook(listen);
    const connectionString = join(folder, 'no such folder', 'keys.db');
    await withSetup(config4({ metastore: 'sqlite', connectionString }), async () => {
      assert.throws(() => asherah.encryptString('p', 'x'));
      await waitFor(heard, ({ level }) => level === 'error');
    });
    assert.deepEqual(
      heard.filter(({ level }) => !['warn', 'error'].includes(level)),
      [],
    );
  });

  // By its own tests: a number from 0 to 4, also when verbose, and something in every set-up of the test KMS.
  for (const name of ['set_log_hook', 'setLogHook']) {
    it(`take a function of level and message (${name}), in the second set-up too`, async () => {
      for (let round = 0; round < 2; round++) {
        const calls = [];
        asherah[name]((level, message) => calls.push({ level, message }));
        await withSetup(verbose, async () => {
          use();
          await waitFor(calls, () => true);
          await pause(50);
        });
        asherah[name](null);
        for (const { level, message } of calls) {
          assert.ok(Number.isInteger(level) && level >= 0 && level <= 4, `${level}`);
          assert.equal(typeof message, 'string');
        }
      }
    });

    it(`take a function of one object (${name})`, async () => {
      asherah[name]((event) => heard.push(event));
      await withSetup(verbose, () => waitFor(heard, ({ level }) => LEVELS.includes(level)));
    });
  }

  for (const name of ['setMetricsHook', 'set_metrics_hook']) {
    it(`hear of every call (${name})`, async () => {
      asherah[name](listen);
      await withSetup(verbose, async () => {
        for (let i = 0; i < 5; i++) use();
        await waitFor(heard, () => heard.filter(({ type }) => type === 'decrypt').length >= 5);
      });
      heard.forEach(assertMetric);
      const count = (type) => heard.filter((event) => event.type === type).length;
      assert.deepEqual([count('encrypt'), count('decrypt')], [5, 5]);
    });
  }

  it('hear of the metastore: two keys are stored, and looked for before', async () => {
    asherah.setMetricsHook(listen);
    await withSetup(config4(), async () => {
      use();
      await waitFor(heard, ({ type }) => type === 'decrypt');
    });
    const count = (type) => heard.filter((event) => event.type === type).length;
    assert.equal(count('store'), 2);
    assert.ok(count('load') >= 2);
  });

  it('hear of the caches', async () => {
    asherah.setMetricsHook(listen);
    await withSetup(verbose, async () => {
      for (let i = 0; i < 3; i++) use();
      await waitFor(heard, ({ type }) => type === 'cache_hit');
      await waitFor(heard, ({ type }) => type === 'cache_miss');
    });
    heard.forEach(assertMetric);
  });

  it('hear nothing any more once taken away', async () => {
    asherah.setMetricsHook(listen);
    asherah.setLogHook(listen);
    await withSetup(verbose, async () => {
      use();
      await waitFor(heard, ({ type }) => type === 'decrypt');
      await pause(50);
      asherah.setMetricsHook(null);
      asherah.setLogHook(null);
      const before = heard.length;
      use('another partition');
      await pause(50);
      assert.equal(heard.length, before);
    });
  });

  it('can be exchanged', async () => {
    asherah.setMetricsHook(listen);
    await withSetup(verbose, async () => {
      use();
      await waitFor(heard, ({ type }) => type === 'decrypt');
      await pause(50);
      const [before, others] = [heard.length, []];
      asherah.setMetricsHook((event) => others.push(event));
      use();
      await waitFor(others, ({ type }) => type === 'decrypt');
      assert.equal(heard.length, before);
    });
  });

  it('hear in every round of setting up and taking away', async () => {
    for (let round = 0; round < 3; round++) {
      const events = [];
      asherah.setMetricsHook((event) => events.push(event));
      await withSetup(verbose, async () => {
        use();
        await waitFor(events, ({ type }) => type === 'encrypt');
      });
      asherah.setMetricsHook(null);
    }
  });

  it('hear of what happened until shutdown, also when it follows at once', async () => {
    asherah.setMetricsHook(listen);
    await withSetup(config4(), () => use());
    await waitFor(heard, ({ type }) => type === 'decrypt');
  });

  it('hear of factories and their sessions', async () => {
    const log = [];
    asherah.setLogHook((event) => log.push(event));
    asherah.setMetricsHook(listen);
    const factory = new asherah.SessionFactory(verbose);
    const session = factory.getSession('p');
    session.decryptString(session.encryptString('x'));
    session.close();
    factory.close();
    await waitFor(heard, ({ type }) => type === 'encrypt');
    await waitFor(heard, ({ type }) => type === 'decrypt');
    await waitFor(log, () => true);
  });
});
