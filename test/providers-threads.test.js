// SPDX-License-Identifier: Apache-2.0

// The fear: a worker thread that ends while the engine waits for its functions takes the process along, or a thread that uses the
// set-up of another one hangs; and interleavings that nobody thought of.

const assert = require('node:assert/strict');
const { passes } = require('./support/child.js');

const fixture = 'providers-threads.js';
const stress = Boolean(process.env.ASHERAH_STRESS);

describe('a KMS and a metastore in JavaScript', () => {
  it('of worker threads that are terminated at any moment', async () => {
    const rounds = stress ? 100 : 3;
    assert.equal(Number(await passes(fixture, 'terminated', { rounds }, { patience: 0 })), rounds * 20);
  }).timeout(0);

  for (const promises of [false, true]) {
    it(`of the static instance are asked in their thread, and are missed when it has ended (promises: ${promises})`, () =>
      passes(fixture, 'static instance', { promises }, { patience: 30_000 })).timeout(60_000);
  }

  it('whose thread ends under the calls of another one', () =>
    passes(fixture, 'owner ends meanwhile', {}, { patience: 30_000 })).timeout(60_000);

  it('that answer at random: every call ends, with its result or one of the right errors', async () => {
    const runs = stress ? 20_000 : 1000;
    const outcomes = JSON.parse(await passes(fixture, 'random', { runs }, { patience: stress ? 0 : 100_000 }));
    for (const each of [
      'ok',
      'ERR_ASHERAH_KMS',
      'ERR_ASHERAH_METASTORE',
      'ERR_ASHERAH_WOULD_BLOCK',
      'ERR_ASHERAH_CLOSED',
    ]) {
      assert.ok(outcomes[each] > runs / 100, `${each}: ${outcomes[each]}`);
    }
  }).timeout(0);
});
