// SPDX-License-Identifier: Apache-2.0

// The fear: worker threads of old code, which share the one set-up of the process, find none, or take it along at their end.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { join } = require('node:path');
const { Worker } = require('node:worker_threads');
const asherah = require('asherah-napi');
const { config3, config4 } = require('./support/old');
const { has } = require('./support/store');

/** A thread of old code. */
class Thread {
  #worker = new Worker(join(__dirname, 'fixtures/old-worker.js'));

  /** @param {[string, ...unknown[]][]} calls @returns {Promise<unknown[]>} */
  async do(...calls) {
    this.#worker.postMessage(calls);
    return (await once(this.#worker, 'message'))[0];
  }

  end() {
    return this.#worker.terminate();
  }
}

describe('the set-up of a process', () => {
  let threads;
  const thread = () => {
    threads.push(new Thread());
    return threads.at(-1);
  };
  beforeEach(() => {
    threads = [];
  });
  afterEach(async () => {
    await Promise.all(threads.map((each) => each.end()));
    asherah.shutdown();
  });

  for (const [kind, config] of [
    ['PascalCase', config3({ EnableSessionCaching: true })],
    ['camelCase', config4()],
  ]) {
    it(`made in the main thread (${kind}) is there in workers`, async () => {
      const other = thread();
      assert.deepEqual(await other.do(['get_setup_status'], ['encrypt_string', 'p', 'x']), [
        false,
        { code: 'ERR_ASHERAH_NOT_SET_UP' },
      ]);
      asherah.setup(config);
      const mine = asherah.encrypt_string('p', 'of the main thread');
      const [status, text, record] = await other.do(
        ['get_setup_status'],
        ['decrypt_string', 'p', mine],
        ['encrypt_string_async', 'p', 'of the worker'],
      );
      assert.deepEqual([status, text], [true, 'of the main thread']);
      assert.equal(asherah.decrypt_string('p', record), 'of the worker');
    });
  }

  it('made in a worker is there in the main thread, after the worker ended too', async () => {
    const other = thread();
    const [, record] = await other.do(['setup', config3()], ['encrypt_string', 'p', 'of the worker']);
    assert.equal(asherah.getSetupStatus(), true);
    await other.end();
    assert.equal(asherah.getSetupStatus(), true);
    assert.equal(asherah.decryptString('p', record), 'of the worker');
    const further = await asherah.encryptStringAsync('p', 'of the main thread');
    assert.equal(await asherah.decryptStringAsync('p', further), 'of the main thread');
    asherah.shutdown();
    assert.equal(asherah.getSetupStatus(), false);
  });

  it('made in one worker is there in another, which may end it for all', async () => {
    const [one, two] = [thread(), thread()];
    const [, record] = await one.do(['setupAsync', config4()], ['encryptStringAsync', 'p', 'text']);
    assert.deepEqual(await two.do(['decryptString', 'p', record]), ['text']);
    assert.equal(asherah.decryptString('p', record), 'text');
    await two.do(['shutdown']);
    const over = [false, { code: 'ERR_ASHERAH_NOT_SET_UP' }];
    assert.deepEqual(await one.do(['getSetupStatus'], ['encryptString', 'p', 'x']), over);
    assert.throws(() => asherah.encryptString('p', 'x'), has('ERR_ASHERAH_NOT_SET_UP'));
  });

  it('is one: no thread makes a second, whichever made the first', async () => {
    const other = thread();
    const twice = [{ code: 'ERR_ASHERAH_ALREADY_SET_UP' }, { code: 'ERR_ASHERAH_ALREADY_SET_UP' }];
    asherah.setup(config3());
    assert.deepEqual(await other.do(['setup', config3()], ['setup_async', config3()]), twice);
    asherah.shutdown();
    await other.do(['setup', config3()]);
    assert.throws(() => asherah.setup(config3()), has('ERR_ASHERAH_ALREADY_SET_UP'));
    await assert.rejects(asherah.setup_async(config3()), has('ERR_ASHERAH_ALREADY_SET_UP'));
  });

  it('can be exchanged for another one, which all threads then use', async () => {
    const other = thread();
    for (const serviceName of ['first', 'second']) {
      asherah.setup(config4({ serviceName }));
      const [record] = await other.do(['encryptString', 'p', 'x']);
      assert.match(record, new RegExp(`_IK_p_${serviceName}_product`));
      asherah.shutdown();
    }
  });

  it('goes on in one thread while others are terminated in the middle of calls', async () => {
    asherah.setup(config4());
    const record = asherah.encryptString('p', 'text');
    for (let i = 0; i < 5; i++) {
      const other = thread();
      await other.do(['decryptString', 'p', record]);
      const calls = Array.from({ length: 50 }, (_, j) => ['encryptAsync', `p${j}`, Buffer.alloc(100_000)]);
      other.do(...calls); // not waited for
      await other.end();
      assert.equal(asherah.decryptString('p', record), 'text');
    }
  });

  it('of long names works in a thread that did not make it', async () => {
    // In version 3 the room for a record was counted where setup was called, and was too little elsewhere.
    asherah.setup(config3({ ServiceName: 's'.repeat(300), ProductID: 'p'.repeat(300) }));
    const [record] = await thread().do(['encrypt_string', 'partition', '']);
    assert.equal(asherah.decrypt_string('partition', record), '');
  });
});
