// SPDX-License-Identifier: Apache-2.0

// The fear: what is forgotten without close() is never freed, what is in use is, or each call leaves a little behind.

const { passes } = require('./support/child.js');

const fixture = 'gc.js';

describe('garbage collection', function () {
  this.timeout(120_000);

  it('closes factories and sessions that nobody holds, and frees their keys', () => passes(fixture, 'forgotten'));

  it('closes nothing that a call in flight still needs', () => passes(fixture, 'in flight'));

  for (const what of ['sync calls', 'async calls', 'failing calls', 'long texts', 'factories']) {
    it(`leaves nothing of ${what}`, function () {
      if (process.env.LD_PRELOAD?.includes('asan')) this.skip(); // keeps freed memory on purpose
      return passes(fixture, 'leak', { what });
    });
  }
});
