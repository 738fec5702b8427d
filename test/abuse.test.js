// SPDX-License-Identifier: Apache-2.0

// The fear: a caller in a strange state ends the process. (Methods on a wrong `this` are in session.test.js.)

const { passes } = require('./support/child.js');

const fixture = 'abuse.js';

describe('a caller', function () {
  this.timeout(120_000);

  it('at the end of its stack gets a RangeError or a code, whatever it calls', () =>
    passes(fixture, 'end of the stack'));

  it('whose Buffer.allocUnsafeSlow returns something else gets an error', () =>
    passes(fixture, 'an allocator that lies'));

  it('that changed builtins gets the right result or a code', () => passes(fixture, 'changed builtins'));
});
