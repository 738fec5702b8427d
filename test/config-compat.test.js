// SPDX-License-Identifier: Apache-2.0
// The fear: a configuration of the older packages that comes to mean something else, silently.
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { SessionFactory, setup, shutdown } = require('asherah-napi');
const { checkConfig } = require('../dist/config.js');
const { key, open, refused, valid } = require('./support/config.js');
const { temporaryFolder } = require('./support/store.js');

const root = path.join(__dirname, '..');
const arn = (region) => `arn:aws:kms:${region}:123456789012:key/1234abcd`;
const pascal = {
  ServiceName: 'service',
  ProductID: 'product',
  KMS: 'static',
  StaticMasterKeyHex: key,
  Metastore: 'test-debug-memory',
};
const engine = (config) => JSON.parse(checkConfig(config).engine);
const warnings = (config, moduleLevel = false) =>
  checkConfig(config, { moduleLevel }).warnings.map(({ code, message }) => [code, message.split(':')[0]]);

/** Every field of `asherah` 3, without a value. */
const everyField = [
  ...[
    'ExpireAfter',
    'CheckInterval',
    'ConnectionString',
    'ReplicaReadConsistency',
    'DynamoDBEndpoint',
    'DynamoDBRegion',
  ],
  ...['DynamoDBTableName', 'SessionCacheMaxSize', 'SessionCacheDuration', 'RegionMap', 'PreferredRegion'],
  ...['EnableRegionSuffix', 'EnableSessionCaching', 'Verbose', 'DisableZeroCopy', 'EnableCanaries', 'NullDataCheck'],
];
const ofEvery = (value) => Object.fromEntries(everyField.map((name) => [name, value]));

describe('a configuration of the older packages', () => {
  it('may say nothing with null, and with what Go gives a field that is not there', () => {
    const expected = engine(valid);
    for (const nothing of [null, undefined]) {
      assert.deepEqual(engine({ ...pascal, ...ofEvery(nothing) }), expected);
      assert.deepEqual(warnings({ ...pascal, ...ofEvery(nothing) }), []);
      open({ ...valid, regionSuffix: nothing, dynamoDBRegion: nothing, VaultAddr: nothing });
    }
    const zeros = { ExpireAfter: 0, CheckInterval: 0, SessionCacheMaxSize: 0, SessionCacheDuration: 0, RegionMap: {} };
    const texts = { ConnectionString: '', DynamoDBRegion: '', PreferredRegion: '', ReplicaReadConsistency: '' };
    const all = { ...pascal, ...zeros, ...texts, EnableRegionSuffix: false };
    assert.deepEqual(engine(all), expected);
    assert.deepEqual(checkConfig(all).sessionCache, checkConfig(valid).sessionCache);
    assert.deepEqual(warnings(all), []);
    for (const name of ['expireAfter', 'checkInterval', 'sessionCacheDuration', 'sessionCacheMaxSize']) {
      refused({ ...valid, [name]: 0 }, `config.${name}: expected an integer`);
    }
    refused({ ...valid, regionMap: {} }, 'config.regionMap');
    refused({ ...pascal, ServiceName: '' }, 'config.ServiceName: expected a non-empty string');
    refused({ ...pascal, StaticMasterKeyHex: '' }, 'config.StaticMasterKeyHex');
  });

  it('may mix the two ways to write names, and name nothing twice', () => {
    const mixed = { ServiceName: 'service', productId: 'product', kms: 'static', StaticMasterKeyHex: key };
    assert.deepEqual(engine({ ...mixed, metastore: 'test-debug-memory' }), engine(valid));
    const twice = refused(
      { ...valid, ServiceName: 'hunter2' },
      'config.ServiceName: expected the value of config.serviceName',
    );
    assert.ok(!twice.message.includes('hunter2'), 'without the values');
    open({ ...valid, ServiceName: 'service', ProductID: null });
    open({ ...valid, expireAfter: 3600, ExpireAfter: 3600e9 });
    const maps = { regionMap: { 'us-west-2': 'a' }, RegionMap: { 'us-west-2': 'a' } };
    checkConfig({ ...valid, kms: 'aws', staticMasterKeyHex: null, ...maps });
    refused(
      { ...valid, kms: 'aws', ...maps, RegionMap: { 'us-west-2': 'b' } },
      'config.RegionMap: expected the value of',
    );
    refused(
      { ...valid, dynamoDBRegion: 'a', dynamoDbRegion: 'b' },
      'config.dynamoDbRegion: expected the value of config.dynamoDBRegion',
    );
  });

  it('may be JSON text, which is in no message', () => {
    const factory = new SessionFactory(JSON.stringify(valid));
    assert.ok(factory.getSession('p').encrypt('x').includes('"_IK_p_service_product"'));
    factory.close();
    open(JSON.stringify({ ...pascal, ...ofEvery(null) }));
    for (const text of ['{"a": "hunter2"', '"hunter2"', 'hunter2', '']) {
      const error = refused(text, 'config: expected an object of options');
      assert.ok(!`${error.message} ${error.stack} ${error.cause}`.includes('hunter2'), error.stack);
    }
    refused('{"__proto__": {"kms": "static"}}', 'config: expected known', 'ERR_ASHERAH_UNKNOWN_OPTION');
  });

  it('has durations in nanoseconds or seconds by their PascalCase names, and in seconds by others', () => {
    const expireAfter = (config) => engine({ ...pascal, ...config }).expireAfter;
    for (const [given, seconds] of [
      [7776000e9, 7776000],
      [1e9, 1],
      [1.5e9, 2],
      [60e9, 60],
      [1e18, 1e9],
      [399_999_999, 399_999_999],
      [3600, 3600],
      [1, 1],
    ]) {
      assert.equal(expireAfter({ ExpireAfter: given }), seconds, `${given}`);
    }
    assert.equal(expireAfter({ expireAfter: 1e9 }), 1e9, 'by the name of the option, not of the others');
    for (const given of [4e8, 5e8, 999_999_999]) {
      refused(
        { ...pascal, ExpireAfter: given },
        `config.ExpireAfter: expected seconds below 400000000, or nanoseconds`,
      );
      assert.equal(expireAfter({ expireAfter: given }), given);
    }
    for (const given of [-1, -1e9, 1.5, 2e18, NaN, Infinity, '3600']) {
      refused({ ...pascal, ExpireAfter: given }, 'config.ExpireAfter: expected an integer number of seconds');
    }
    refused({ ...valid, expireAfter: 7776000e9 }, 'config.expireAfter: expected an integer number of seconds');
    assert.equal(checkConfig({ ...pascal, SessionCacheDuration: 60e9 }).sessionCache.maxAgeMs, 60_000);
    assert.equal(engine({ ...pascal, CheckInterval: 90e9 }).checkInterval, 90);
  });

  it("has fixed words in any letter case, and asherah 4's other names of metastores", () => {
    const file = { connectionString: 'a.db' };
    const typeOf = (config) => engine({ ...valid, ...config }).metastore.type;
    assert.equal(typeOf({ kms: 'Static', metastore: 'Test-Debug-Memory' }), 'memory');
    assert.equal(typeOf({ metastore: 'SQLite', ...file }), 'sqlite');
    assert.equal(typeOf({ metastore: 'test-debug-sqlite', ...file }), 'sqlite');
    const url = { metastore: 'RDBMS', connectionString: 'sqlite://a.db' };
    assert.equal(typeOf(url), 'sqlite');
    assert.equal(checkConfig({ ...valid, ...url }).addon, 'core');
    refused({ ...valid, ...url, poolMaxOpen: 1 }, "config.poolMaxOpen: expected no value with metastore 'sqlite'");
  });

  it('has connection strings as the older packages took them', () => {
    const database = (connectionString, more) => {
      const { type, connectionString: handed } = engine({
        ...pascal,
        Metastore: 'rdbms',
        connectionString,
        ...more,
      }).metastore;
      return `${type} ${handed}`;
    };
    assert.equal(database('u:p@/d'), 'mysql u:p@/d', "3's default");
    assert.equal(database('u:p@tcp(h:1)/d'), 'mysql u:p@tcp(h:1)/d');
    assert.equal(database('mysql://u:p@tcp(h:1)/d'), 'mysql u:p@tcp(h:1)/d', "4's other form");
    assert.equal(
      database('u:p@h:1/d', { SQLMetastoreDBType: 'MySQL' }),
      'mysql mysql://u:p@h:1/d',
      "4's URL without a scheme",
    );
    assert.equal(database('u:p@h:1/d', { SQLMetastoreDBType: 'postgres' }), 'postgres postgres://u:p@h:1/d');
    assert.equal(database('dbname=d'), 'postgres dbname=d');
    refused({ ...valid, metastore: 'rdbms', connectionString: 'u:p@/d' }, 'config.connectionString: expected mysql://');
  });

  it('without a KMS is AWS KMS in PascalCase, and an error in camelCase', () => {
    const { KMS: _, StaticMasterKeyHex: __, ...rest } = pascal;
    for (const KMS of [undefined, null, '']) {
      refused({ ...rest, KMS }, 'config.KmsKeyId: expected a value, got undefined. kms aws needs a key: regionMap');
      const single = { ...rest, KMS, RegionMap: { 'us-west-2': arn('us-west-2') } };
      assert.equal(checkConfig(single).addon, 'cloud');
    }
    const { kms: ___, ...camel } = valid;
    refused(camel, 'config.kms: expected a value, got undefined. KMS is required');
  });

  it('with several regions and none preferred takes the first by name, with a warning', () => {
    const RegionMap = Object.fromEntries(
      ['us-west-2', 'eu-west-1', 'us-east-1'].map((region) => [region, arn(region)]),
    );
    const config = { ...pascal, KMS: 'aws', StaticMasterKeyHex: null, RegionMap };
    assert.deepEqual(
      engine(config).kms.regions.map(({ region }) => region),
      ['eu-west-1', 'us-east-1', 'us-west-2'],
    );
    assert.deepEqual(warnings(config), [['WARN_ASHERAH_PREFERRED_REGION', 'config.PreferredRegion']]);
    assert.deepEqual(warnings({ ...config, PreferredRegion: 'us-west-2' }), []);
    const { ServiceName: serviceName, ...rest } = config;
    refused({ ...rest, serviceName }, 'config.preferredRegion: expected the region to ask first');
  });
});

describe('a static KMS without a key', () => {
  const { StaticMasterKeyHex: _, ...keyless } = pascal;
  const { staticMasterKeyHex: __, ...camel } = valid;
  const keyOf = (config) => Buffer.from(checkConfig(config).masterKey).toString('latin1');

  afterEach(() => delete process.env.STATIC_MASTER_KEY_HEX);

  it('is the public test key in PascalCase, with a warning that everybody sees', () => {
    assert.equal(keyOf(keyless), 'thisIsAStaticMasterKeyForTesting');
    const source = `const { SessionFactory } = require('asherah-napi');
      new SessionFactory(${JSON.stringify(keyless)}).close();`;
    const { stderr } = spawnSync(process.execPath, ['-e', source], { cwd: root, encoding: 'utf8' });
    assert.match(stderr, /\[WARN_ASHERAH_TEST_KMS\] AsherahWarning: .*KMS 'static' without a key.* public/);
  });

  it('is an error in camelCase', () => {
    refused(
      camel,
      'config.staticMasterKeyHex: expected a value, got undefined. StaticMasterKeyHex is required with kms static',
    );
  });

  it('takes that of STATIC_MASTER_KEY_HEX, in every letter case, and goes by the option before it', () => {
    process.env.STATIC_MASTER_KEY_HEX = '61'.repeat(32);
    for (const config of [keyless, camel, JSON.stringify(camel)]) {
      assert.equal(keyOf(config), 'a'.repeat(32));
      assert.equal(checkConfig(config).isTestKms, false);
    }
    assert.equal(checkConfig(valid).masterKey[0], 0x01);
    assert.equal(checkConfig(pascal).masterKey[0], 0x01);
    assert.equal(keyOf({ ...camel, kms: 'test-debug-static' }), 'thisIsAStaticMasterKeyForTesting');
    process.env.STATIC_MASTER_KEY_HEX = '';
    refused(camel, 'config.staticMasterKeyHex');
    process.env.STATIC_MASTER_KEY_HEX = 'hunter2';
    assert.ok(!refused(keyless, 'STATIC_MASTER_KEY_HEX: expected 64').message.includes('hunter2'));
  });

  it('is never the testing one while a key is given', () => {
    for (const config of [
      { ...pascal, KMS: 'test-debug-static' },
      { ...valid, kms: 'test-debug-static' },
    ]) {
      for (const moduleLevel of [true, false]) {
        assert.throws(
          () => checkConfig(config, { moduleLevel }),
          /taticMasterKeyHex: expected no value .* kms 'static' with/,
        );
      }
    }
  });
});

describe('an option that the others leave without effect', () => {
  const folder = temporaryFolder();
  const ignored = {
    connectionString: 'a',
    preferredRegion: 'eu-west-1',
    sessionCacheMaxSize: 5,
    enableSessionCaching: false,
  };
  const names = ['preferredRegion', 'connectionString', 'sessionCacheMaxSize'];

  it('is an error for a factory in camelCase, except false', () => {
    refused({ ...valid, ...ignored }, 'config.preferredRegion: expected no value');
    open({ ...valid, enableRegionSuffix: false, requireTls: false, requireAllRegions: false });
  });

  it('is a warning that names it at module level and in PascalCase', () => {
    const told = (label) => names.map((name) => ['WARN_ASHERAH_OPTION_IGNORED', `config.${label(name)}`]);
    assert.deepEqual(
      warnings({ ...valid, ...ignored }, true),
      told((name) => name),
    );
    const upper = (name) => `${name[0].toUpperCase()}${name.slice(1)}`;
    const pascalOnes = Object.fromEntries(Object.entries(ignored).map(([name, value]) => [upper(name), value]));
    assert.deepEqual(warnings({ ...pascal, ...pascalOnes }), told(upper));
    assert.deepEqual(warnings({ ...pascal, ...pascalOnes }, true), told(upper));
    assert.deepEqual(engine({ ...pascal, ...pascalOnes }), engine(valid), 'and has none indeed');
  });

  it('is told once in a process, to the process or to onWarning', () => {
    const config = { ...pascal, ConnectionString: 'hunter2', SessionCacheMaxSize: 5, EnableSessionCaching: false };
    const source = `const { SessionFactory, setup } = require('asherah-napi');
      const config = ${JSON.stringify(config)};
      for (let i = 0; i < 3; i++) new SessionFactory(config).close();
      setup(config);
      new SessionFactory({ ...config, onWarning: ({ code, message }) => console.log(code, message) });`;
    const { stderr, stdout } = spawnSync(process.execPath, ['-e', source], { cwd: root, encoding: 'utf8' });
    const first = /\[(\w+)\] AsherahWarning: config\.(\w+): .* It is ignored\./g;
    assert.deepEqual(
      [...stderr.matchAll(first)].map(([, code, name]) => `${code} ${name}`),
      ['WARN_ASHERAH_OPTION_IGNORED ConnectionString', 'WARN_ASHERAH_OPTION_IGNORED SessionCacheMaxSize'],
      stderr,
    );
    assert.equal(stdout.match(/^WARN_ASHERAH_OPTION_IGNORED config/gm)?.length, 2, stdout);
    assert.ok(!`${stderr}${stdout}`.includes('hunter2'));
  });

  it('is not there for logLevel without a hook, or beside verbose', () => {
    refused({ ...valid, logLevel: 'debug' }, 'config.logLevel: expected no value without logHook');
    refused(
      { ...valid, logLevel: 'debug', logHook: () => {}, verbose: true },
      'config.logLevel: expected no value with verbose',
    );
    open({ ...valid, logLevel: 'debug', logHook: () => {}, verbose: false });
  });

  it('does not make a file where another metastore was meant', () => {
    const connectionString = path.join(folder, 'a.db');
    setup({ ...pascal, ConnectionString: connectionString, onWarning: () => {} });
    shutdown();
    assert.ok(!require('node:fs').existsSync(connectionString));
  });
});

describe('an unknown option of the older packages', () => {
  const unknown = ['WARN_ASHERAH_UNKNOWN_OPTION', 'config'];

  it('is a warning for setup in PascalCase, and an error otherwise', () => {
    const config = { ...pascal, Colour: 'hunter2' };
    assert.deepEqual(warnings(config, true), [unknown]);
    const { message } = checkConfig(config, { moduleLevel: true }).warnings[0];
    assert.ok(message.includes('"Colour"') && !message.includes('hunter2'), message);
    refused(config, 'config: expected known options only, got "Colour"', 'ERR_ASHERAH_UNKNOWN_OPTION');
    const lower = { ...valid, colour: 1 };
    assert.throws(() => checkConfig(lower, { moduleLevel: true }), { code: 'ERR_ASHERAH_UNKNOWN_OPTION' });
  });

  it('is an error all the same when it nearly is a known one', () => {
    for (const [slip, right] of Object.entries({
      ExpiresAfter: 'ExpireAfter',
      Regionmap: 'RegionMap',
      DynamoDbRegion: 'DynamoDBRegion',
    })) {
      assert.throws(() => checkConfig({ ...pascal, [slip]: 1 }, { moduleLevel: true }), {
        code: 'ERR_ASHERAH_UNKNOWN_OPTION',
        message: new RegExp(`Did you mean ${right}\\?$`),
      });
    }
  });

  it('does not get through by the name of a property of every object', () => {
    for (const name of ['constructor', '__proto__', 'toString']) {
      const config = Object.defineProperty({ ...pascal }, name, { value: {}, enumerable: true });
      assert.deepEqual(warnings(config, true), [unknown]);
    }
    assert.equal({}.kms, undefined);
  });
});
