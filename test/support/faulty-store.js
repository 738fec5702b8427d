// SPDX-License-Identifier: Apache-2.0

// Network metastores that fail, and what calls may and must not do meanwhile.

const assert = require('node:assert/strict');
const { performance } = require('node:perf_hooks');
const { setTimeout: sleep } = require('node:timers/promises');
const { newStore, openOn } = require('./cloud-stores.js');
const { Toxiproxy } = require('./services.js');
const { has } = require('./store.js');

/** Seconds: the deadline of calls here, and how much longer a loaded machine may need to notice. */
const requestTimeout = 1;
const slack = 3;

/** Each makes a proxy's connections, old and new, useless. */
const FAULTS = {
  'refuses connections': (proxy) => proxy.down(),
  'answers nothing (half-open)': (proxy) => proxy.toxic('timeout', { timeout: 0 }),
  'hears nothing (half-open)': (proxy) => proxy.toxic('timeout', { timeout: 0 }, 'upstream'),
  'resets connections': (proxy) => proxy.toxic('reset_peer', { timeout: 0 }),
  'is cut off in the middle of an answer': (proxy) => proxy.toxic('limit_data', { bytes: 20 }),
  'answers too late': (proxy) => proxy.toxic('latency', { latency: 60_000 }),
};

async function repair(proxy) {
  await proxy.heal();
  await proxy.up();
}

/** Runs `use` with a factory on a store behind a proxy. */
async function behindProxy(name, use, options) {
  const store = await newStore(name);
  const proxy = await Toxiproxy.create(store.port);
  const factory = openOn(store.options(proxy.port), { requestTimeout, ...options });
  try {
    return await use({ store, proxy, factory });
  } finally {
    factory.close();
    await repair(proxy);
  }
}

/** That a cold call fails as it should. */
const isFailureOf = (place) => (error) => {
  assert.ok(has('ERR_ASHERAH_METASTORE')(error), error.stack);
  assert.ok(error.message.includes(place), error.message);
  assert.ok(error.cause instanceof Error && error.cause.message.length > 0, `no cause: ${error.message}`);
  return true;
};

async function takesAtMost(seconds, work) {
  const began = performance.now();
  const result = await work();
  const took = (performance.now() - began) / 1000;
  assert.ok(took < seconds, `took ${took.toFixed(1)} s, more than ${seconds}`);
  return result;
}

/** Calls of a session whose keys are in memory, for a while: each has to succeed. */
async function keepsWorking(session, record, milliseconds) {
  for (const end = performance.now() + milliseconds; performance.now() < end; await sleep(50)) {
    assert.equal(session.decryptString(record), 'before');
    assert.equal(await session.decryptStringAsync(await session.encryptAsync('text')), 'text');
    assert.equal(session.decryptString(session.encrypt('text')), 'text');
  }
}

module.exports = { behindProxy, FAULTS, isFailureOf, keepsWorking, repair, requestTimeout, slack, takesAtMost };
