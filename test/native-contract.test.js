// SPDX-License-Identifier: Apache-2.0

// The fear: a mistake in lib, or somebody who calls the addon himself, ends the process or reaches what is not his.

const assert = require('node:assert/strict');
const { passes } = require('./support/child.js');

const fixture = 'native-contract.js';

describe('the functions of the addon', function () {
  this.timeout(120_000);

  it('check the type of every argument', async () => {
    assert.ok(Number(await passes(fixture, 'wrong types')) > 10_000);
  });

  it('write a plaintext where it fits, and nowhere else', () => passes(fixture, 'destination'));

  it('hand events to listeners, and to nobody else', () => passes(fixture, 'listeners'));

  it('end calls that are cancelled, and no others', () => passes(fixture, 'cancellation'));

  it('hand requests to whom they are for, and take only answers that fit', () => passes(fixture, 'requests'));

  it('know a handle that is stale or invented', () => passes(fixture, 'stale handles'));

  it('work where the file is loaded more than once', () => passes(fixture, 'loaded twice'));

  describe('keep the static instance', () => {
    const instance = 'static-instance.js';

    it('when the worker thread that set it ends, but none of its sessions', () =>
      passes(instance, 'outlives its worker'));

    it('until any thread closes it', () => passes(instance, 'closed by another thread'));

    it('once, whoever comes at the same time', () => passes(instance, 'set by many at once'));

    it('of each addon apart', () => passes(instance, 'of two addons'));
  });
});
