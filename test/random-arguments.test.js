// SPDX-License-Identifier: Apache-2.0

// The fear: some argument, of some type in some order, ends the process, throws where a promise was promised, or shows itself in
// an error, where it may be a secret.

const assert = require('node:assert/strict');
const { passes } = require('./support/child.js');

const runs = process.env.ASHERAH_STRESS ? 100_000 : 1500;

describe('arguments at random', () => {
  it('get a result or one of our errors, which does not show them', async () => {
    const { functions, aliases } = JSON.parse(
      await passes('random-arguments.js', 'functions', { runs }, { patience: 3_600_000 }),
    );
    assert.ok(functions > 25);
    // what is not called above: classes, and other names of the same functions
    assert.deepEqual(aliases.sort(), ['AsherahError', 'AsherahSession', 'Session', 'SessionFactory']);
  }).timeout(0);
});
