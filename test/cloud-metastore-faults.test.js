// SPDX-License-Identifier: Apache-2.0

// The fear: a network that fails takes the application with it: calls that hang, calls that fail although their keys are in
// memory, errors that don't say what failed, a process that has to be started again.

const assert = require('node:assert/strict');
const { STORES, withFactory } = require('./support/cloud-stores.js');
const {
  behindProxy,
  FAULTS,
  isFailureOf,
  keepsWorking,
  repair,
  requestTimeout,
  slack,
  takesAtMost,
} = require('./support/faulty-store.js');
const { need } = require('./support/services.js');

const names = ['MariaDB', 'PostgreSQL', 'DynamoDB'];

for (const name of names) {
  describe(`a failing ${name}`, function () {
    this.timeout(60_000);
    need(STORES[name].service, 'toxiproxy');

    for (const [fault, hurt] of Object.entries(FAULTS)) {
      it(`that ${fault}: cold calls fail by their deadline, and work again without a restart`, () =>
        behindProxy(name, async ({ store, proxy, factory }) => {
          const record = await factory.getSession('warm').encryptAsync('before'); // connections are open
          const stored = await withFactory(store.options(), (other) => other.getSession('cold').encrypt('stored'));
          await hurt(proxy);
          const isFailure = isFailureOf(store.name(proxy.port));
          await takesAtMost(requestTimeout + slack, () =>
            assert.throws(() => factory.getSession('cold').decrypt(stored), isFailure),
          );
          const [{ ok, checks }] = await takesAtMost(requestTimeout + slack, () =>
            Promise.all([
              factory.verify(),
              assert.rejects(factory.getSession('cold').decryptAsync(stored), isFailure),
              assert.rejects(factory.getSession('new').encryptAsync('text'), isFailure),
            ]),
          );
          assert.equal(ok, false, JSON.stringify(checks));
          assert.equal(factory.getSession('warm').decryptString(record), 'before');
          assert.equal(await factory.getSession('warm').decryptStringAsync(record), 'before');

          await repair(proxy);
          assert.equal(await factory.getSession('cold').decryptStringAsync(stored), 'stored');
          const next = factory.getSession('new').encrypt('after');
          await withFactory(store.options(), (other) =>
            assert.equal(other.getSession('new').decryptString(next), 'after'),
          );
          assert.equal((await factory.verify()).ok, true);
        }));
    }

    it('that is only slow delays, and nothing fails', () =>
      behindProxy(
        name,
        async ({ proxy, factory }) => {
          await proxy.toxic('latency', { latency: 80, jitter: 60 });
          const session = factory.getSession('partition');
          assert.equal(await session.decryptStringAsync(await session.encryptAsync('text')), 'text');
        },
        { requestTimeout: 20 },
      ));
  });
}

describe('a failing metastore', function () {
  this.timeout(120_000);
  need(...names.map((name) => STORES[name].service), 'toxiproxy');

  it('costs no call of a warm session, whatever the fault, and a warning says so', async () => {
    const warmBehind = (name) => {
      const warnings = [];
      const work = async ({ store, proxy, factory }) => {
        const session = factory.getSession('warm');
        const record = session.encrypt('before');
        for (const [fault, hurt] of Object.entries(FAULTS)) {
          warnings.length = 0;
          await hurt(proxy);
          await keepsWorking(session, record, 2200);
          const failed = warnings.filter(({ code }) => code === 'WARN_ASHERAH_REFRESH_FAILED');
          assert.ok(failed.length > 0, `nobody noticed that ${name} ${fault}; then this test shows nothing`);
          assert.ok(failed[0].message.includes(store.name(proxy.port)), failed[0].message);
          await repair(proxy);
          await keepsWorking(session, record, 200);
        }
      };
      return behindProxy(name, work, { checkInterval: 1, onWarning: (warning) => warnings.push(warning) });
    };
    await Promise.all(names.map(warmBehind));
  });
});
