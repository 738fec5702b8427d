// SPDX-License-Identifier: Apache-2.0

// The fear: a server that hangs or dies stops what has nothing to do with it: the event loop, the thread pool, the end of
// the process; and one that comes back is not found again.

const assert = require('node:assert/strict');
const { pbkdf2 } = require('node:crypto');
const { readFile } = require('node:fs/promises');
const { performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');
const { promisify } = require('node:util');
const { passes } = require('./support/child.js');
const { configOn, openOn, STORES, withFactory } = require('./support/cloud-stores.js');
const {
  behindProxy,
  isFailureOf,
  keepsWorking,
  takesAtMost,
  requestTimeout,
  slack,
} = require('./support/faulty-store.js');
const { OwnServer } = require('./support/own-server.js');
const { need } = require('./support/services.js');
const { has } = require('./support/store.js');

for (const name of ['MariaDB', 'PostgreSQL', 'DynamoDB']) {
  describe(`a hanging ${name}`, function () {
    this.timeout(60_000);
    need(STORES[name].service, 'toxiproxy');

    it('blocks neither the event loop nor the thread pool', () =>
      behindProxy(
        name,
        async ({ proxy, factory }) => {
          await proxy.toxic('timeout', { timeout: 0 });
          let pending = 200; // many times the threads of the pool
          const calls = Array.from({ length: pending }, (_, i) =>
            factory
              .getSession(`partition ${i}`)
              .encryptAsync('text')
              .finally(() => {
                pending--;
              }),
          );
          const outcomes = Promise.allSettled(calls);
          let [longest, last] = [0, performance.now()];
          const beat = setInterval(() => {
            longest = Math.max(longest, performance.now() - last);
            last = performance.now();
          }, 10);
          await sleep(300);
          for (let i = 0; i < 20; i++) {
            await Promise.all([readFile(__filename), promisify(pbkdf2)('a', 'b', 1000, 32, 'sha256'), sleep(20)]);
          }
          clearInterval(beat);
          assert.equal(pending, 200, 'the calls are no longer under way; then this test shows nothing');
          assert.ok(longest < 1500, `the event loop stood still for ${longest.toFixed()} ms`);
          for (const { reason } of await outcomes) assert.ok(has('ERR_ASHERAH_METASTORE')(reason), String(reason));
        },
        { requestTimeout: 4 },
      ));

    it('does not keep a process from ending, by close(), exit() or both', () =>
      behindProxy(name, async ({ store, proxy }) => {
        await proxy.toxic('timeout', { timeout: 0 });
        const config = configOn(store.options(proxy.port), { requestTimeout: 60 });
        const end = (ending) => passes('hanging-calls.js', 'end', { config, ending });
        await takesAtMost(20, () => Promise.all(['close', 'exit', 'close and exit'].map(end)));
      }));
  });
}

for (const name of ['MariaDB', 'PostgreSQL']) {
  describe(`${name} that is killed and comes back`, function () {
    this.timeout(60_000);
    need(STORES[name].service);
    let server;
    before(async function () {
      if (process.platform !== 'linux') this.skip(); // how it is started again is read from /proc
      server = await OwnServer.start(name);
    });
    after(() => server?.stop());

    it('costs no call of a warm session, and cold ones fail and recover', async () => {
      const store = await server.store();
      const factory = openOn(store.options(), { requestTimeout, checkInterval: 1 });
      try {
        assert.equal(await factory.createSchema(), true);
        const session = factory.getSession('warm');
        const record = session.encrypt('before');
        const stored = await withFactory(store.options(), (other) => other.getSession('cold').encrypt('stored'));
        for (let round = 0; round < 2; round++) {
          await server.kill();
          await keepsWorking(session, record, 2500);
          await takesAtMost(requestTimeout + slack, () =>
            assert.rejects(factory.getSession(`new ${round}`).encryptAsync('text'), isFailureOf(store.name())),
          );
          assert.throws(() => factory.getSession(`new ${round}`).encrypt('text'), isFailureOf(store.name()));
          await server.restart();
          assert.equal(await factory.getSession('cold').decryptStringAsync(stored), 'stored');
          const next = factory.getSession(`new ${round}`).encrypt('after');
          await withFactory(store.options(), (other) =>
            assert.equal(other.getSession(`new ${round}`).decryptString(next), 'after'),
          );
          await keepsWorking(session, record, 200);
        }
        assert.equal((await store.rows()).length, 5);
      } finally {
        factory.close();
      }
    });
  });
}
