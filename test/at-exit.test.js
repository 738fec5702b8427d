// SPDX-License-Identifier: Apache-2.0

// The fear: a process does not end when it should, ends before its calls, or crashes while it ends.

const assert = require('node:assert/strict');
const { join } = require('node:path');
const { SessionFactory } = require('asherah-napi');
const { inChild, passes, sqliteConfig } = require('./support/child.js');
const { startGo } = require('./support/peer.js');
const { temporaryFolder } = require('./support/store.js');

const fixture = 'at-exit.js';
const folder = temporaryFolder();

/** Ends with that exit code, not by a signal. @returns standard error */
async function endsWith(expected, scenario, options) {
  const { code, signal, stderr } = await inChild(fixture, scenario, options);
  assert.equal(code, expected, `${scenario}: ${signal ?? ''}\n${stderr}`);
  return stderr;
}

describe('a process', function () {
  this.timeout(150_000);

  it('ends by itself when nothing is pending, though factories are open', () => passes(fixture, 'nothing pending'));

  it('ends only after its calls', async () => {
    assert.equal(await passes(fixture, 'a promise alone'), '200000');
    assert.equal(await passes(fixture, 'promise after promise'), 'end');
  });

  it('ends with process.exit in the middle of its calls', async () => {
    await endsWith(7, 'process.exit');
    await endsWith(7, 'process.exit in a continuation');
  });

  it('ends with an uncaught exception or rejection in the middle of its calls', async () => {
    assert.match(await endsWith(1, 'uncaught exception'), /thrown on purpose/);
    assert.match(await endsWith(1, 'unhandled rejection'), /ERR_ASHERAH_INVALID_RECORD/);
  });

  it('may call in its exit handlers', async () => {
    assert.equal(await passes(fixture, 'calls in exit handlers'), 'at exit');
  });

  it('ends with a signal as if the addon were not there, or handles it', async function () {
    if (process.platform === 'win32') this.skip(); // knows no signals
    const stop = (signal) => ({ onLine: (line, child) => line === 'up' && child.kill(signal) });
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
      assert.equal((await inChild(fixture, 'signal', {}, stop(signal))).signal, signal);
    }
    const { code, stderr } = await inChild(fixture, 'signal with a handler', {}, stop('SIGTERM'));
    assert.equal(code, 9, stderr);
  });

  describe('with calls that wait for a locked store', () => {
    let go;
    let db;
    before(async function () {
      this.timeout(600_000); // the peer is built
      go = startGo();
      db = join(folder, 'locked.db');
      const factory = new SessionFactory(sqliteConfig(db));
      factory.getSession('first').encrypt('x');
      factory.close();
      await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE'); // no new intermediate key can be stored
    });
    after(() => go?.stop());

    it('ends with process.exit', () => endsWith(7, 'locked store, process.exit', { db }));
    it('closes the factory, and the calls reject', () => passes(fixture, 'locked store, close', { db }));
    it('terminates a worker thread', async () => {
      assert.equal(await passes(fixture, 'locked store, worker terminated', { db }), 'ended');
    });
  });
});
