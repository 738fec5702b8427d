// SPDX-License-Identifier: Apache-2.0

// The fear: the Go runtime in an addon changes how the process, or its children, react to signals, or a signal at the wrong
// moment ends the process. With each addon, and with both.

const { passes } = require('./support/child.js');

const fixture = 'signals.js';

for (const order of [['core'], ['cloud'], ['core', 'cloud']]) {
  describe(`signals (${order.join(', then ')})`, function () {
    this.timeout(120_000);

    const linuxOnly = (scenario, options) =>
      function () {
        if (process.platform !== 'linux') this.skip(); // read from /proc
        return passes(fixture, scenario, { order, ...options });
      };

    it('are caught and ignored as before, apart from those of faults', linuxOnly('dispositions'));

    it('do not reach the threads of Go', linuxOnly('threads'));

    it('in the middle of calls do no harm', () =>
      passes(fixture, 'flood', { order, milliseconds: process.env.ASHERAH_STRESS === '1' ? 60_000 : 2000 }));

    it('reach the handlers of the program', () => passes(fixture, 'handlers', { order }));

    it('are inherited by children as without the addon', linuxOnly('children'));

    it('of faults still reach V8: WebAssembly traps and stack overflows are exceptions', () =>
      passes(fixture, 'webassembly', { order }));
  });
}
