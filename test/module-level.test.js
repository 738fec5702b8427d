// SPDX-License-Identifier: Apache-2.0

// The fear: a process with two static instances, or with one that some of its threads do not see, or that outlives its
// shutdown.

const { passes } = require('./support/child.js');

const fixture = 'module-level.js';

describe('the static instance of a process', function () {
  this.timeout(120_000);

  it('is seen by a worker thread', () => passes(fixture, 'set up here, used there'));

  it('made by a worker thread outlives it', () => passes(fixture, 'set up there, used here after its end'));

  it('that another thread shut down is gone, and its successor found', () =>
    passes(fixture, 'shut down and set up again there'));

  it('keeps no session of a thread that ended', () => passes(fixture, 'a thousand workers', { rounds: 20 }));

  it('is one where several threads set up at once', () => passes(fixture, 'two at once', { rounds: 50 }));

  it('may be shut down under calls', () => passes(fixture, 'shut down under calls', { rounds: 50 }));

  it('is one for all copies of the package', () => passes(fixture, 'another copy of the package'));

  it('does not end with the copy of the package that made it', () => passes(fixture, 'forgotten'));

  it('is found in either addon', () => passes(fixture, 'in the cloud addon'));

  it('is found where there is no list of what is mapped but the diagnostic report', function () {
    if ('Bun' in globalThis || 'Deno' in globalThis) this.skip();
    return passes(fixture, 'as other systems show it');
  });

  it('is not looked for by loading an addon', () => passes(fixture, 'nothing asked, nothing loaded'));
});
