// SPDX-License-Identifier: Apache-2.0

// The fear: a worker thread ends, by itself or terminated in the middle of a call, and the process with it.

const assert = require('node:assert/strict');
const { join } = require('node:path');
const { inChild, passes } = require('../support/child.js');
const { temporaryFolder } = require('../support/store.js');

const full = process.env.ASHERAH_STRESS === '1';
const folder = temporaryFolder();
const newFile = (name) => join(folder, `${name}.db`);

describe('worker threads', function () {
  this.timeout(full ? 0 : 120_000);

  it('that are terminated during calls, cold or hot, or while they load, take nothing with them', async () => {
    const options = { db: newFile('terminated'), rounds: full ? 63 : 1, width: 6 };
    const terminated = await passes('workers.js', 'terminated', options);
    assert.equal(Number(terminated), options.rounds * 4 * 6);
    if (full) console.log(`      ${terminated} workers terminated, in four kinds of work`);
  });

  it('share one file, and read what another wrote', () =>
    passes('workers.js', 'results', { db: newFile('results'), workers: 6 }));

  it('may be the first to load the addon, and end', () => passes('workers.js', 'first to load'));

  it('may end by process.exit with calls in flight', () => passes('workers.js', 'exits by itself'));

  it('that still work do not keep process.exit of the main thread', async () => {
    const { code, signal, stderr } = await inChild('workers.js', 'main thread goes first', { db: newFile('main') });
    assert.equal(code, 5, `${signal} ${stderr}`);
  });
});
