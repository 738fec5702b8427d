// SPDX-License-Identifier: Apache-2.0

// The fear: code that was written for version 4 of the older package (camelCase functions, factories and sessions) does
// something else here. What it documents, through the functions it has; old-4-hooks.test.js has its hooks.

const assert = require('node:assert/strict');
const { existsSync } = require('node:fs');
const { isAbsolute, join } = require('node:path');
const asherah = require('asherah-napi');
const { config3, config4, environment, keyCreated, pause, withSetup } = require('./support/old');
const { has, temporaryFolder } = require('./support/store');

const { SessionFactory } = asherah;

describe('code of version 4', () => {
  afterEach(() => asherah.shutdown());

  describe('finds every name', () => {
    const camel = ['setup', 'shutdown', 'encrypt', 'encryptString', 'decrypt', 'decryptString'];
    const rest = [
      'getSetupStatus',
      'setMaxStackAllocItemSize',
      'setSafetyPaddingOverhead',
      'setLogHook',
      'setMetricsHook',
    ];
    const both = [...camel, ...camel.map((name) => `${name}Async`), ...rest];
    const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const functions = [...new Set([...both, ...both.map(snake)]), 'setenv', 'clearPlaintext'];
    const all = [...functions, 'SessionFactory', 'AsherahSession', '__binary'];
    const ours = ['Session', 'AsherahError', 'loadCloud'];

    it('in CommonJS, where they can be listed', () => {
      const listed = Object.keys(asherah);
      for (const name of [...all, ...ours]) assert.ok(listed.includes(name), name);
      for (const name of functions) assert.equal(typeof asherah[name], 'function', name);
    });

    it('in ES modules, by name and in the default export', async () => {
      const module = await import('asherah-napi');
      for (const name of [...all, ...ours]) {
        assert.equal(module[name], asherah[name], `import { ${name} }`);
        assert.equal(module.default[name], asherah[name], `default.${name}`);
      }
    });

    it('of the file that was loaded', () => {
      asherah.setup(config4());
      assert.ok(isAbsolute(asherah.__binary) && existsSync(asherah.__binary), asherah.__binary);
      assert.match(asherah.__binary, /\.node$/);
    });

    it('and AsherahSession is the class of sessions', () => {
      const factory = new SessionFactory(config4());
      assert.ok(factory.getSession('p') instanceof asherah.AsherahSession);
      assert.equal(asherah.AsherahSession, asherah.Session);
      factory.close();
    });
  });

  describe('sets up and shuts down', () => {
    const nulls = {
      expireAfter: null,
      checkInterval: null,
      connectionString: null,
      dynamoDbEndpoint: null,
      dynamoDbRegion: null,
      dynamoDbSigningRegion: null,
      dynamoDbTableName: null,
      dynamoDBEndpoint: null,
      dynamoDBRegion: null,
      dynamoDBTableName: null,
      sessionCacheMaxSize: null,
      sessionCacheDuration: null,
      regionMap: null,
      preferredRegion: null,
      awsProfileName: null,
      enableRegionSuffix: null,
      enableSessionCaching: null,
      replicaReadConsistency: null,
      verbose: null,
      sqlMetastoreDbType: null,
      sqlMetastoreDBType: null,
      disableZeroCopy: null,
      nullDataCheck: null,
      enableCanaries: null,
    };
    const configs = {
      'the least of options': config4(),
      'null in all the others': config4(nulls),
      'all of them': config4({
        enableSessionCaching: true,
        sessionCacheMaxSize: 100,
        sessionCacheDuration: 3600,
        expireAfter: 86_400,
        checkInterval: 60,
        verbose: false,
        enableRegionSuffix: false,
        disableZeroCopy: true,
        nullDataCheck: true,
        enableCanaries: true,
      }),
      'PascalCase and null': config3(),
      'PascalCase and the least of options': {
        ServiceName: 'service',
        ProductID: 'product',
        Metastore: 'memory',
        KMS: 'test-debug-static',
      },
      'names in capital letters': config4({ metastore: 'Memory', kms: 'Test-Debug-Static' }),
    };
    for (const [name, config] of Object.entries(configs)) {
      it(`with ${name}, at once or not, or in a factory`, async () => {
        await withSetup(config, () => {
          assert.equal(asherah.decryptString('p', asherah.encryptString('p', 'text')), 'text');
        });
        await asherah.setupAsync(config);
        const record = await asherah.encryptStringAsync('p', 'text');
        assert.equal(await asherah.decryptStringAsync('p', record), 'text');
        assert.equal(await asherah.shutdownAsync(), undefined);
        const factory = new SessionFactory(config);
        const session = factory.getSession('p');
        assert.equal(session.decryptString(session.encryptString('text')), 'text');
        session.close();
        factory.close();
      });
    }

    it('as often as it likes', async () => {
      for (let i = 0; i < 3; i++) {
        await asherah.setupAsync(config4({ serviceName: `cycle ${i}` }));
        assert.equal(asherah.getSetupStatus(), true);
        assert.match(await asherah.encryptStringAsync('p', 'x'), new RegExp(`_IK_p_cycle ${i}_product`));
        asherah.shutdown();
        asherah.shutdown();
        await asherah.shutdownAsync();
        assert.equal(asherah.getSetupStatus(), false);
      }
    });
  });

  describe('finds the static master key', () => {
    environment({ STATIC_MASTER_KEY_HEX: '22'.repeat(32) });
    const folder = temporaryFolder();
    const config = config4({ kms: 'static', metastore: 'sqlite', connectionString: join(folder, 'keys.db') });
    const withKey = (key) => new SessionFactory({ ...config, staticMasterKeyHex: key });

    it('in STATIC_MASTER_KEY_HEX, where the README puts it', async () => {
      const record = await withSetup(config, () => asherah.encryptString('p', 'text'));
      const factory = withKey('22'.repeat(32));
      assert.equal(factory.getSession('p').decryptString(record), 'text');
      factory.close();
      const other = withKey('23'.repeat(32));
      assert.throws(() => other.getSession('p').decryptString(record), has('ERR_ASHERAH_KMS'));
      other.close();
    });

    it('in the option first', () => {
      const first = withKey('23'.repeat(32));
      assert.throws(() => first.getSession('p').encryptString('x'), has('ERR_ASHERAH_KMS'), 'the keys are of another');
      first.close();
    });
  });

  it('gets an error for a static KMS without a key', () => {
    assert.throws(() => asherah.setup(config4({ kms: 'static' })), has('ERR_ASHERAH_INVALID_CONFIG'));
  });

  describe('makes a factory from the environment', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'keys.db');
    environment({
      SERVICE_NAME: 'from',
      PRODUCT_ID: 'environment',
      KMS: 'static',
      STATIC_MASTER_KEY_HEX: '22'.repeat(32),
      Metastore: 'sqlite',
      SQLITE_PATH: file,
    });

    it('by fromEnv', () => {
      const factory = SessionFactory.fromEnv();
      assert.ok(factory instanceof SessionFactory);
      const session = factory.getSession('p');
      assert.match(session.encryptString('x'), /"_IK_p_from_environment"/);
      assert.ok(existsSync(file));
      factory.close();
    });

    it('and not without a KMS', () => {
      delete process.env.KMS;
      assert.throws(() => SessionFactory.fromEnv(), /KMS/);
    });
  });

  describe('gets back what it encrypted', () => {
    it('whatever the characters', () =>
      withSetup(config4({ enableSessionCaching: false }), async () => {
        const texts = ['漢字かな한글', '🦊🗝️', 'abc Ж 漢 ع 🦊', 'e\u0301 a\u0308', '👩\u200d👧\u200d👦', ''];
        for (const text of texts) {
          assert.equal(asherah.decryptString('p', asherah.encryptString('p', text)), text);
          assert.equal(await asherah.decryptStringAsync('p', await asherah.encryptStringAsync('p', text)), text);
        }
      }));

    it('whatever the bytes, from records that are text or bytes', () =>
      withSetup(config4(), async () => {
        const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        for (const data of [all, Buffer.alloc(0), Buffer.alloc(1 << 20, all)]) {
          const record = asherah.encrypt('p', data);
          assert.ok(Buffer.isBuffer(asherah.decrypt('p', record)));
          assert.ok(asherah.decrypt('p', Buffer.from(record)).equals(data));
          assert.ok((await asherah.decryptAsync('p', Buffer.from(record))).equals(data));
        }
      }));

    it('by the other kind of call', () =>
      withSetup(config4(), async () => {
        assert.equal(await asherah.decryptStringAsync('p', asherah.encryptString('p', 'a')), 'a');
        assert.equal(asherah.decryptString('p', await asherah.encryptStringAsync('p', 'b')), 'b');
        assert.equal(asherah.decrypt_string('p', asherah.encrypt('p', Buffer.from('c'))), 'c');
        assert.equal(String(await asherah.decrypt_async('p', asherah.encrypt_string('p', 'd'))), 'd');
      }));

    it('in 100 calls at once over 20 partitions', () =>
      withSetup(config4(), async () => {
        const calls = Array.from({ length: 100 }, async (_, i) => {
          const record = await asherah.encryptStringAsync(`p${i % 20}`, `payload ${i}`);
          assert.equal(await asherah.decryptStringAsync(`p${i % 20}`, record), `payload ${i}`);
        });
        await Promise.all(calls);
      }));

    for (const [what, own, partitions] of [
      ['a session cache of 4', { sessionCacheMaxSize: 4 }, 64],
      ['a session cache of the default size', {}, 1100],
      ['no session cache', { enableSessionCaching: false }, 8],
    ]) {
      it(`over ${partitions} partitions with ${what}`, () =>
        withSetup(config4(own), () => {
          for (let i = 0; i < 2 * partitions; i++) {
            const partition = `p${i % partitions}`;
            assert.equal(asherah.decryptString(partition, asherah.encryptString(partition, `${i}`)), `${i}`);
          }
        }));
    }

    const folder = temporaryFolder();
    it('by whichever of a factory and the module, over one metastore', async () => {
      const config = config4({ metastore: 'sqlite', connectionString: join(folder, 'shared.db') });
      const ofModule = await withSetup(config, () => asherah.encrypt('p', Buffer.from('of the module')));
      const factory = new SessionFactory(config);
      const session = factory.getSession('p');
      assert.equal(session.decrypt(ofModule).toString(), 'of the module');
      const ofFactory = session.encrypt(Buffer.from('of a factory'));
      factory.close();
      await withSetup(config, () => assert.equal(asherah.decryptString('p', ofFactory), 'of a factory'));
    });
  });

  describe('has sessions', () => {
    let factory;
    beforeEach(() => {
      factory = new SessionFactory(config4({ enableSessionCaching: false }));
    });
    afterEach(() => factory.close());

    it('with every method that its documents show, the missing ones too', async () => {
      const session = factory.getSession('p');
      for (const record of [session.encryptString('text'), await session.encryptStringAsync('text')]) {
        assert.equal(session.decryptString(record), 'text');
        assert.equal(await session.decryptStringAsync(record), 'text');
        assert.deepEqual(session.decrypt(record), Buffer.from('text'));
        assert.deepEqual(await session.decryptAsync(record), Buffer.from('text'));
      }
      assert.deepEqual(session.decrypt(await session.encryptAsync(Buffer.from('b'))), Buffer.from('b'));
    });

    it('apart from each other', () => {
      const [one, two] = [factory.getSession('one'), factory.getSession('two')];
      assert.throws(() => two.decryptString(one.encryptString('x')), has('ERR_ASHERAH_PARTITION_MISMATCH'));
      assert.throws(() => one.decrypt(two.encrypt(Buffer.from('x'))), has('ERR_ASHERAH_PARTITION_MISMATCH'));
    });

    it('that are closed once and for all', async () => {
      const session = factory.getSession('p');
      const record = session.encryptString('x');
      session.close();
      session.close();
      for (const name of ['encrypt', 'encryptString']) {
        assert.throws(() => session[name]('x'), has('ERR_ASHERAH_CLOSED'), name);
        await assert.rejects(session[`${name}Async`]('x'), has('ERR_ASHERAH_CLOSED'), name);
      }
      for (const name of ['decrypt', 'decryptString']) {
        assert.throws(() => session[name](record), has('ERR_ASHERAH_CLOSED'), name);
        await assert.rejects(session[`${name}Async`](record), has('ERR_ASHERAH_CLOSED'), name);
      }
    });

    it('of no closed factory', () => {
      factory.close();
      factory.close();
      assert.throws(() => factory.getSession('p'), has('ERR_ASHERAH_CLOSED'));
    });

    it('that end with their factory, where version 4 let them go on', () => {
      const session = factory.getSession('p');
      const record = session.encryptString('x');
      factory.close();
      assert.throws(() => session.encryptString('x'), has('ERR_ASHERAH_CLOSED'));
      assert.throws(() => session.decryptString(record), has('ERR_ASHERAH_CLOSED'));
    });

    it('not for an empty partition, even before the first call', () => {
      for (const partition of ['', null, undefined, 5]) {
        assert.throws(() => factory.getSession(partition), has('ERR_ASHERAH_INVALID_ARGUMENT'));
      }
    });
  });

  describe('sees keys rotate', () => {
    const short = config4({ expireAfter: 1, checkInterval: 1, enableSessionCaching: false });

    it('and reads the records of before, by all calls', () =>
      withSetup(short, async () => {
        const both = async (text) => [asherah.encryptString('p', text), await asherah.encryptStringAsync('p', text)];
        const history = [];
        for (const text of ['first', 'second', 'third']) {
          if (history.length > 0) await pause(2100);
          history.push(...(await both(text)).map((record) => ({ text, record })));
        }
        const created = history.map(({ record }) => keyCreated(record));
        assert.ok(created[2] > created[1] && created[4] > created[3], `${created}`);
        for (const { text, record } of history) {
          assert.equal(asherah.decryptString('p', record), text);
          assert.equal(await asherah.decryptStringAsync('p', record), text);
        }
      }));
  });

  describe('wipes plaintext', () => {
    it('of a Buffer or a view', () =>
      withSetup(config4(), () => {
        const data = asherah.decrypt('p', asherah.encryptString('p', 'secret'));
        assert.equal(data.toString(), 'secret');
        assert.equal(asherah.clearPlaintext(data), undefined);
        assert.deepEqual(data, Buffer.alloc(6));
        const part = new Uint8Array([1, 2, 3, 4]);
        asherah.clearPlaintext(part.subarray(1, 3));
        assert.deepEqual([...part], [1, 0, 0, 4]);
      }));

    it('and of nothing', () => {
      assert.equal(asherah.clearPlaintext(null), undefined);
      assert.equal(asherah.clearPlaintext(undefined), undefined);
    });

    it('but says what can not be wiped', () => {
      for (const value of ['secret', 5, {}]) {
        assert.throws(() => asherah.clearPlaintext(value), has('ERR_ASHERAH_INVALID_ARGUMENT'), String(value));
      }
    });
  });

  describe('sets variables of the environment', () => {
    const [one, two] = ['ASHERAH_TEST_OLD_4_ONE', 'ASHERAH_TEST_OLD_4_TWO'];
    afterEach(() => {
      delete process.env[one];
      delete process.env[two];
    });

    it('from lines', () => {
      asherah.setenv(`${one}=1\n${two}=a=b\n`);
      assert.deepEqual([process.env[one], process.env[two]], ['1', 'a=b']);
    });

    it('from JSON text, as its documents say, where null takes one away', () => {
      asherah.setenv(JSON.stringify({ [one]: '1', [two]: '2' }));
      asherah.setenv(JSON.stringify({ [one]: null }));
      assert.deepEqual([one in process.env, process.env[two]], [false, '2']);
    });

    it('from an object', () => {
      asherah.setenv({ [one]: '1' });
      assert.equal(process.env[one], '1');
    });
  });

  it('may call what does nothing any more', () => {
    assert.equal(asherah.setMaxStackAllocItemSize(2048), undefined);
    assert.equal(asherah.setSafetyPaddingOverhead(256), undefined);
  });
});
