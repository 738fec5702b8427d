// SPDX-License-Identifier: Apache-2.0

// The fear: the Go runtime in the addon changes how the process, or its children, react to signals.

const { passes } = require('./support/child.js');

const fixture = 'signals.js';

describe('signals', function () {
  this.timeout(120_000);

  it('are caught and ignored as before, apart from those the Go runtime needs', function () {
    if (process.platform !== 'linux') this.skip(); // read from /proc
    return passes(fixture, 'dispositions');
  });

  it('reach the handlers of the program', () => passes(fixture, 'handlers'));

  it('are inherited by children as without the addon', function () {
    if (process.platform !== 'linux') this.skip();
    return passes(fixture, 'children');
  });

  it('of faults still reach V8: WebAssembly traps and stack overflows are exceptions', () =>
    passes(fixture, 'webassembly'));
});
