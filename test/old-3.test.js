// SPDX-License-Identifier: Apache-2.0

// The fear: code that was written for version 3 of the older package (snake_case functions, PascalCase configuration, one
// set-up for the process) does something else here. What it documents, through the functions it has.

const assert = require('node:assert/strict');
const { join } = require('node:path');
const asherah = require('asherah-napi');
const { passes } = require('./support/child');
const { config3, keyCreated, pause, waitFor, withSetup } = require('./support/old');
const { has, temporaryFolder } = require('./support/store');

const nanoseconds = 1e9;

describe('code of version 3', () => {
  afterEach(() => asherah.shutdown());

  it('finds every function under its name', () => {
    const names = ['setup', 'shutdown', 'encrypt', 'encrypt_string', 'decrypt', 'decrypt_string'];
    const others = ['set_max_stack_alloc_item_size', 'set_safety_padding_overhead', 'get_setup_status'];
    for (const name of [...names, ...names.map((name) => `${name}_async`), ...others, 'set_log_hook', 'setenv']) {
      assert.equal(typeof asherah[name], 'function', name);
    }
  });

  describe('sets up and shuts down', () => {
    it('with every field there and most of them null', () =>
      withSetup(config3(), () => {
        assert.equal(asherah.get_setup_status(), true);
        assert.equal(asherah.decrypt_string('p', asherah.encrypt_string('p', 'text')), 'text');
      }));

    it('with a configuration that is JSON text', () =>
      withSetup(JSON.stringify(config3({ ServiceName: 'from text' })), () => {
        assert.match(asherah.encrypt_string('p', 'x'), /"_IK_p_from text_product"/);
      }));

    it('with the switches that mean nothing here', () =>
      withSetup(config3({ DisableZeroCopy: true, EnableCanaries: true, NullDataCheck: true }), () => {
        assert.equal(asherah.decrypt_string('p', asherah.encrypt_string('p', 'text')), 'text');
      }));

    it('in the same way asynchronously', async () => {
      assert.equal(await asherah.setup_async(config3()), undefined);
      assert.equal(asherah.get_setup_status(), true);
      assert.equal(await asherah.shutdown_async(), undefined);
      assert.equal(asherah.get_setup_status(), false);
    });

    it('ten times in a row', async () => {
      for (let i = 0; i < 10; i++) {
        await asherah.setup_async(config3({ EnableSessionCaching: i % 2 === 0 }));
        assert.equal(asherah.get_setup_status(), true);
        assert.equal(asherah.decrypt_string('p', asherah.encrypt_string('p', `${i}`)), `${i}`);
        await asherah.shutdown_async();
        assert.equal(asherah.get_setup_status(), false);
      }
    });

    it('not with a name missing, and then stays as it was', () => {
      for (const name of ['ServiceName', 'ProductID', 'Metastore']) {
        const config = config3();
        delete config[name];
        assert.throws(() => asherah.setup(config), has('ERR_ASHERAH_INVALID_CONFIG'), name);
        assert.equal(asherah.get_setup_status(), false);
      }
    });

    it('not twice, and the first set-up goes on working', () =>
      withSetup(config3(), async () => {
        const record = asherah.encrypt_string('p', 'text');
        assert.throws(() => asherah.setup(config3()), has('ERR_ASHERAH_ALREADY_SET_UP'));
        await assert.rejects(asherah.setup_async(config3()), has('ERR_ASHERAH_ALREADY_SET_UP'));
        assert.equal(asherah.decrypt_string('p', record), 'text');
      }));

    it('of one set-up in flight and another, only the first wins', async () => {
      const results = await Promise.allSettled([asherah.setup_async(config3()), asherah.setup_async(config3())]);
      assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
      assert.equal(results.find(({ reason }) => reason).reason.code, 'ERR_ASHERAH_ALREADY_SET_UP');
    });

    it('and may shut down what is not set up', async () => {
      assert.equal(asherah.shutdown(), undefined);
      assert.equal(await asherah.shutdown_async(), undefined);
    });

    it('for AWS without touching the network', () => passes('old-cloud.js', 'regionMap', config3()));
  });

  it('fails before set-up and after shut-down', async () => {
    const record = await withSetup(config3(), () => asherah.encrypt_string('p', 'text'));
    for (const name of ['encrypt', 'encrypt_string', 'decrypt', 'decrypt_string']) {
      const argument = name.startsWith('enc') ? 'text' : record;
      assert.throws(() => asherah[name]('p', argument), has('ERR_ASHERAH_NOT_SET_UP'), name);
      await assert.rejects(asherah[`${name}_async`]('p', argument), has('ERR_ASHERAH_NOT_SET_UP'), name);
    }
  });

  describe('gets back what it encrypted', () => {
    const big = 'x'.repeat(65_535);
    for (const EnableSessionCaching of [false, true]) {
      for (const stackSize of [0, 52, 65_536]) {
        it(`with session caching ${EnableSessionCaching} and stack items of up to ${stackSize}`, () =>
          withSetup(config3({ EnableSessionCaching, SessionCacheMaxSize: 10_000 }), async () => {
            asherah.set_max_stack_alloc_item_size(stackSize);
            for (const text of ['mysecretdata', big]) {
              const bytes = Buffer.from(text);
              const records = [
                [asherah.encrypt('partition', bytes), await asherah.encrypt_async('partition', bytes)],
                [asherah.encrypt_string('partition', text), await asherah.encrypt_string_async('partition', text)],
              ].flat();
              for (const record of records) {
                assert.ok(!record.includes(text) && !record.includes('\0') && record.includes('partition'));
                assert.deepEqual(asherah.decrypt('partition', record), bytes);
                assert.deepEqual(await asherah.decrypt_async('partition', record), bytes);
                assert.equal(asherah.decrypt_string('partition', record), text);
                assert.equal(await asherah.decrypt_string_async('partition', record), text);
              }
            }
          }));
      }
    }

    it('up to a megabyte', () =>
      withSetup(config3(), async () => {
        for (const size of [1 << 10, 10 << 10, 100 << 10, 1 << 20]) {
          const data = Buffer.alloc(size, 'abc');
          assert.ok(data.equals(await asherah.decrypt_async('p', await asherah.encrypt_async('p', data))), `${size}`);
        }
      }));

    it('with the sizes that it asked the old buffers for', () =>
      withSetup(config3(), () => {
        for (const size of [-1, 0, 1, 2 ** 31 - 1]) {
          assert.equal(asherah.set_max_stack_alloc_item_size(size), undefined);
          assert.equal(asherah.set_safety_padding_overhead(size), undefined);
          assert.equal(asherah.decrypt_string('p', asherah.encrypt_string('p', 'text')), 'text');
        }
      }));

    it('whatever the characters', () =>
      withSetup(config3(), async () => {
        const texts = ['ελληνικά', '🗝️🔒', 'a\0b', 'a\nb\rc\r\n', '{"a": {"b": "c"}}', '<b>&amp;"\'', '\\u0000', ' '];
        for (const text of texts) {
          const record = await asherah.encrypt_string_async('p', text);
          assert.equal(await asherah.decrypt_string_async('p', record), text);
        }
      }));

    it('in 100 calls at once over 10 partitions', () =>
      withSetup(config3({ EnableSessionCaching: true }), async () => {
        const calls = Array.from({ length: 100 }, async (_, i) => {
          const record = await asherah.encrypt_string_async(`partition${i % 10}`, `data${i}`);
          return asherah.decrypt_string_async(`partition${i % 10}`, record);
        });
        assert.deepEqual(
          await Promise.all(calls),
          Array.from(calls, (_, i) => `data${i}`),
        );
      }));

    it('and it stays what it was after a collection of garbage', () =>
      withSetup(config3(), async () => {
        const record = asherah.encrypt_string('p', 'a secret to keep');
        const [bytes, text] = [
          await asherah.decrypt_async('p', record),
          await asherah.decrypt_string_async('p', record),
        ];
        for (let i = 0; i < 10; i++) await new Promise(setImmediate);
        global.gc?.(); // Bun and Deno may have none
        await new Promise(setImmediate);
        assert.equal(bytes.toString(), 'a secret to keep');
        assert.equal(text, 'a secret to keep');
      }));
  });

  it('gets another record every time', () =>
    withSetup(config3(), () => {
      assert.notEqual(asherah.encrypt_string('p', 'same'), asherah.encrypt_string('p', 'same'));
    }));

  it('reads no record of another partition', () =>
    withSetup(config3(), async () => {
      const record = asherah.encrypt_string('one', 'text');
      for (const name of ['decrypt', 'decrypt_string']) {
        assert.throws(() => asherah[name]('two', record), has('ERR_ASHERAH_PARTITION_MISMATCH'));
        await assert.rejects(asherah[`${name}_async`]('two', record), has('ERR_ASHERAH_PARTITION_MISMATCH'));
      }
    }));

  it('may use names and partitions of any length and characters', () => {
    // Version 3 guesses the size of a record, and guesses too low for names that JSON escapes.
    const name = '<">&'.repeat(15);
    return withSetup(config3({ ServiceName: name, ProductID: name }), () => {
      assert.equal(asherah.decrypt_string(name, asherah.encrypt_string(name, '')), '');
    });
  });

  describe('gives durations in nanoseconds', () => {
    it('and a key of one second is followed by another', () =>
      withSetup(config3({ ExpireAfter: nanoseconds, CheckInterval: nanoseconds }), async () => {
        const before = asherah.encrypt_string('p', 'before');
        await pause(2100);
        const after = asherah.encrypt_string('p', 'after');
        assert.ok(keyCreated(after) > keyCreated(before));
        assert.equal(asherah.decrypt_string('p', before), 'before');
      }));

    it('of which 90 days are not for ever, nor over at once', () =>
      withSetup(config3({ ExpireAfter: 90 * 24 * 3600 * nanoseconds, CheckInterval: 3600 * nanoseconds }), async () => {
        const before = keyCreated(asherah.encrypt_string('p', 'x'));
        await pause(1100);
        assert.equal(keyCreated(asherah.encrypt_string('p', 'x')), before);
      }));

    it('of which 0 is the default', () =>
      withSetup(config3({ ExpireAfter: 0, CheckInterval: 0, SessionCacheDuration: 0, SessionCacheMaxSize: 0 }), () => {
        assert.equal(asherah.decrypt_string('p', asherah.encrypt_string('p', 'text')), 'text');
      }));

    it('of which half a second may be a mistake, and is refused', () => {
      for (const value of [-1, nanoseconds / 2, 4e8]) {
        assert.throws(
          () => asherah.setup(config3({ ExpireAfter: value })),
          has('ERR_ASHERAH_INVALID_CONFIG'),
          `${value}`,
        );
      }
    });

    it('and small ones were seconds in version 4', () =>
      withSetup(config3({ ExpireAfter: 1, CheckInterval: 1 }), async () => {
        const before = keyCreated(asherah.encrypt_string('p', 'x'));
        await pause(2100);
        assert.ok(keyCreated(asherah.encrypt_string('p', 'x')) > before);
      }));
  });

  describe('hears the log', () => {
    const folder = temporaryFolder();
    const failing = config3({ Metastore: 'sqlite', ConnectionString: join(folder, 'no such folder', 'keys.db') });
    let heard;
    const hook = (level, message) => heard.push({ level, message });
    beforeEach(() => {
      heard = [];
    });
    afterEach(() => asherah.set_log_hook(null));

    it('by the numbers of syslog: 3 is an error', async () => {
      asherah.set_log_hook(hook);
      asherah.setup(failing);
      assert.throws(() => asherah.encrypt_string('p', 'a secret'), has('ERR_ASHERAH_METASTORE'));
      const { message } = await waitFor(heard, ({ level }) => level === 3);
      assert.equal(typeof message, 'string');
      assert.ok(heard.every(({ message }) => !message.includes('a secret')));
    });

    it('and 4 is a warning, which is not taken for an error', async () => {
      asherah.set_log_hook(hook);
      asherah.setup(config3());
      await waitFor(heard, ({ level, message }) => level === 4 && /test/i.test(message));
      assert.ok(heard.every(({ level }) => level === 4));
    });

    it('no more once the hook is taken away', async () => {
      asherah.set_log_hook(hook);
      asherah.set_log_hook(null);
      asherah.setup(failing);
      assert.throws(() => asherah.encrypt_string('p', 'x'));
      await pause(100);
      assert.deepEqual(heard, []);
    });

    it('of a function only', () => {
      for (const value of [5, 'hook', {}]) {
        assert.throws(() => asherah.set_log_hook(value), has('ERR_ASHERAH_INVALID_ARGUMENT'));
      }
    });
  });

  describe('sets variables of the environment', () => {
    const name = 'ASHERAH_TEST_OLD_3';
    afterEach(() => {
      delete process.env[name];
    });
    const text = JSON.stringify({ [name]: 'value' });

    it('from JSON text', () => {
      assert.equal(asherah.setenv(text), undefined);
      assert.equal(process.env[name], 'value');
    });

    it('from JSON text in JSON text, as its README has it', () => {
      asherah.setenv(JSON.stringify(text));
      assert.equal(process.env[name], 'value');
    });

    it('from the bytes of JSON text', () => {
      asherah.setenv(Buffer.from(text));
      assert.equal(process.env[name], 'value');
    });

    it('and takes them away by null', () => {
      asherah.setenv(text);
      asherah.setenv(JSON.stringify({ [name]: null }));
      assert.equal(name in process.env, false);
    });

    it('all or none, and prints no value', () => {
      const wrong = ['not valid json', '{', '[]', '5', '', 5, null, undefined, true, ['a']];
      const halfWrong = `{"${name}": "hunter2", "OTHER": 5}`;
      for (const value of [...wrong, halfWrong, JSON.stringify(halfWrong)]) {
        assert.throws(
          () => asherah.setenv(value),
          (error) => has('ERR_ASHERAH_INVALID_ARGUMENT')(error) && !error.message.includes('hunter2'),
          String(value),
        );
      }
      assert.equal(name in process.env, false);
    });
  });

  it('without a KMS means AWS, which then needs a RegionMap', () => {
    for (const KMS of [null, '', undefined]) {
      assert.throws(
        () => asherah.setup(config3({ KMS })),
        (error) => has('ERR_ASHERAH_INVALID_CONFIG')(error) && /RegionMap/i.test(error.message),
      );
    }
  });
});
