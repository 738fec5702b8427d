// SPDX-License-Identifier: Apache-2.0
// The fear: a variable that is set and does nothing, or something else than in the other packages, and nobody hears of it.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { isDeepStrictEqual } = require('node:util');
const { AsherahError, SessionFactory } = require('asherah-napi');
const { checkConfig } = require('../dist/config.js');
const { metastoreVariables, optionsFromEnvironment, otherVariables, variables } = require('../dist/from-env.js');
const { key, valid } = require('./support/config.js');
const { temporaryFolder } = require('./support/store.js');

const otherKey = '5a'.repeat(32);
const arn = (region) => `arn:aws:kms:${region}:123456789012:key/1234abcd`;
const regionMap = { 'us-west-2': arn('us-west-2'), 'eu-west-1': arn('eu-west-1') };
const { staticMasterKeyHex: _key, ...keyless } = valid;
const base = { SERVICE_NAME: 'service', PRODUCT_ID: 'product', KMS: 'static', STATIC_MASTER_KEY_HEX: key };

/** All that the reader hands on, without its words. */
function checked(config) {
  const { addonOption: _, warnings: __, masterKey, ...rest } = checkConfig(config);
  return { ...rest, engine: JSON.parse(rest.engine), masterKey: masterKey && Buffer.from(masterKey).toString('hex') };
}

describe('every variable of the environment', () => {
  const memory = { ...valid, metastore: 'memory' };
  const inMemory = (more) => [{}, { ...memory, ...more }];
  const ofAws = [
    { KMS: 'aws', STATIC_MASTER_KEY_HEX: '' },
    { ...keyless, kms: 'aws', regionMap, preferredRegion: 'us-west-2', metastore: 'memory' },
  ];
  const withAws = (env, more) => [
    { ...ofAws[0], ...env },
    { ...ofAws[1], ...more },
  ];
  const ofMysql = [{ MYSQL_URL: 'mysql://h/d' }, { ...valid, metastore: 'rdbms', connectionString: 'mysql://h/d' }];
  const withMysql = (more) => [ofMysql[0], { ...ofMysql[1], ...more }];
  const ofDynamo = (more) => [{ Metastore: 'dynamodb' }, { ...valid, metastore: 'dynamodb', ...more }];
  const maps = {
    JSON: JSON.stringify(regionMap),
    pairs: `us-west-2=${arn('us-west-2')}, eu-west-1=${arn('eu-west-1')}`,
  };
  const noOp = (value) => [value, {}, memory, 'no effect'];

  /** Its value, the variables beside it, the options that say the same. */
  const rows = {
    SERVICE_NAME: ['other', ...inMemory({ serviceName: 'other' })],
    ASHERAH_SERVICE_NAME: ['other', { SERVICE_NAME: '' }, { ...memory, serviceName: 'other' }],
    PRODUCT_ID: ['other', ...inMemory({ productId: 'other' })],
    ASHERAH_PRODUCT_NAME: ['other', { PRODUCT_ID: '' }, { ...memory, productId: 'other' }],
    REGION_SUFFIX: ['eu', ...inMemory({ regionSuffix: 'eu' })],
    RECOVERY_REGION_SUFFIXES: [' us , ap,', ...inMemory({ recoveryRegionSuffixes: ['us', 'ap'] })],
    KMS: [
      'Test-Debug-Static',
      { STATIC_MASTER_KEY_HEX: '' },
      { ...keyless, kms: 'test-debug-static', metastore: 'memory' },
    ],
    ASHERAH_KMS_MODE: [
      'test-debug-static',
      { KMS: '', STATIC_MASTER_KEY_HEX: '' },
      { ...keyless, kms: 'test-debug-static', metastore: 'memory' },
    ],
    STATIC_MASTER_KEY_HEX: [otherKey, ...inMemory({ staticMasterKeyHex: otherKey })],
    REGION_MAP: [maps.JSON, ...withAws({ PREFERRED_REGION: 'us-west-2' })],
    ASHERAH_REGION_MAP: [maps.pairs, ...withAws({ PREFERRED_REGION: 'us-west-2' })],
    PREFERRED_REGION: ['eu-west-1', ...withAws({ REGION_MAP: maps.JSON }, { preferredRegion: 'eu-west-1' })],
    ASHERAH_PREFERRED_REGION: ['eu-west-1', ...withAws({ REGION_MAP: maps.JSON }, { preferredRegion: 'eu-west-1' })],
    KMS_KEY_ID: ['alias/a', ofAws[0], { ...keyless, kms: 'aws', metastore: 'memory', kmsKeyId: 'alias/a' }],
    ASHERAH_METASTORE_MODE: ['DynamoDB', {}, { ...valid, metastore: 'dynamodb' }],
    ASHERAH_CONNECTION_STRING: ['mysql://h/d', { ASHERAH_METASTORE_MODE: 'rdbms' }, ofMysql[1]],
    ASHERAH_SQL_METASTORE_DB_TYPE: [
      'mysql',
      { ASHERAH_METASTORE_MODE: 'rdbms', ASHERAH_CONNECTION_STRING: 'u:p@/d' },
      { ...ofMysql[1], connectionString: 'u:p@/d', sqlMetastoreDbType: 'mysql' },
    ],
    REPLICA_READ_CONSISTENCY: ['global', ...withMysql({ replicaReadConsistency: 'global' })],
    ASHERAH_REPLICA_READ_CONSISTENCY: ['global', ...withMysql({ replicaReadConsistency: 'global' })],
    ASHERAH_POOL_MAX_OPEN: ['3', ...withMysql({ poolMaxOpen: 3 })],
    ASHERAH_POOL_SIZE: ['3', ...withMysql({ poolMaxOpen: 3 })],
    ASHERAH_POOL_MAX_IDLE: ['3', ...withMysql({ poolMaxIdle: 3 })],
    ASHERAH_POOL_MAX_LIFETIME: ['3', ...withMysql({ poolMaxLifetime: 3 })],
    ASHERAH_POOL_MAX_IDLE_TIME: ['3', ...withMysql({ poolMaxIdleTime: 3 })],
    ASHERAH_DYNAMODB_TABLE_NAME: ['Other', ...ofDynamo({ dynamoDbTableName: 'Other' })],
    ASHERAH_DYNAMODB_REGION: ['eu-west-1', ...ofDynamo({ dynamoDbRegion: 'eu-west-1' })],
    ASHERAH_DYNAMODB_ENDPOINT: ['http://h', ...ofDynamo({ dynamoDbEndpoint: 'http://h' })],
    DDB_REGION_SUFFIX: ['on', ...ofDynamo({ enableRegionSuffix: true })],
    ASHERAH_ENABLE_REGION_SUFFIX: ['true', ...ofDynamo({ enableRegionSuffix: true })],
    EXPIRE_AFTER_SECS: ['86400', ...inMemory({ expireAfter: 86400 })],
    ASHERAH_EXPIRE_AFTER: ['24h', ...inMemory({ expireAfter: 86400 })],
    REVOKE_CHECK_INTERVAL_SECS: ['90', ...inMemory({ checkInterval: 90 })],
    ASHERAH_CHECK_INTERVAL: ['1m30s', ...inMemory({ checkInterval: 90 })],
    ASHERAH_ENABLE_SESSION_CACHING: ['No', ...inMemory({ enableSessionCaching: false })],
    SESSION_CACHE_MAX_SIZE: ['3', ...inMemory({ sessionCacheMaxSize: 3 })],
    ASHERAH_SESSION_CACHE_MAX_SIZE: ['3', ...inMemory({ sessionCacheMaxSize: 3 })],
    SESSION_CACHE_DURATION_SECS: ['60', ...inMemory({ sessionCacheDuration: 60 })],
    ASHERAH_SESSION_CACHE_DURATION: ['1m', ...inMemory({ sessionCacheDuration: 60 })],
    INTERMEDIATE_KEY_CACHE_MAX_SIZE: ['3', ...inMemory({ intermediateKeyCacheMaxSize: 3 })],
    ASHERAH_VERBOSE: ['1', ...inMemory({ verbose: true })],
    ASHERAH_NODE_DEBUG: ['1', ...inMemory({ verbose: true })],
    ASHERAH_DISABLE_ZERO_COPY: noOp('true'),
    ASHERAH_NULL_DATA_CHECK: noOp('true'),
    ASHERAH_CONFIG_DRIFT_FORCE_RUN: noOp('true'),
    ASHERAH_CONFIG_DRIFT_FORCE_UPDATE: noOp('true'),
    Metastore: ['DynamoDB', {}, { ...valid, metastore: 'dynamodb' }],
    SQLITE_PATH: ['a.db', {}, { ...valid, metastore: 'sqlite', connectionString: 'a.db' }],
    DDB_TABLE: ['Other', {}, { ...valid, metastore: 'dynamodb', dynamoDbTableName: 'Other' }],
    POSTGRES_URL: ['postgres://h/d', {}, { ...ofMysql[1], connectionString: 'postgres://h/d' }],
    MYSQL_URL: ['mysql://h/d', {}, ofMysql[1]],
    MYSQL_TLS_MODE: ['skip-verify', ...withMysql({ connectionString: 'mysql://h/d?tls=skip-verify' })],
    CREATE_DATE_PRECISION_SECS: noOp('60'),
    SHARED_INTERMEDIATE_KEY_CACHE: noOp('true'),
    SELF_HEAL_RECOVERED_KEYS: noOp('off'),
  };

  it('has a row', () => {
    const all = [
      ...Object.keys(variables),
      'Metastore',
      ...metastoreVariables.map(([name]) => name),
      ...otherVariables,
    ];
    assert.deepEqual(Object.keys(rows).sort(), all.sort());
  });

  for (const [variable, [value, beside, config, noEffect]] of Object.entries(rows)) {
    it(`${variable} says ${noEffect ? 'what is so anyway' : 'its option'}`, () => {
      const { [variable]: _, ...env } = { ...base, ...beside };
      const read = (variables) => checked(optionsFromEnvironment(variables));
      const result = read({ ...env, [variable]: value });
      assert.deepEqual(result, checked(config));
      let without;
      try {
        without = read({ ...env, [variable]: '' });
      } catch (error) {
        without = error;
      }
      assert.equal(isDeepStrictEqual(without, result), noEffect === 'no effect', 'compared with leaving it out');
      if (noEffect) {
        assert.throws(() => read({ ...env, [variable]: 'x' }), { message: new RegExp(`^${variable}: expected `) });
      }
    });
  }

  it('is in the table of docs/configuration.md, and no other', () => {
    const text = fs.readFileSync(path.join(__dirname, '../docs/configuration.md'), 'utf8');
    const [, table] = text.split('\n## Variables\n');
    const documented = [...table.split('\n## ')[0].matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names]) =>
      names.replaceAll('`', '').split(', '),
    );
    assert.deepEqual(documented.sort(), Object.keys(rows).sort());
  });

  it('of AWS is read by the engine: the tests of it exist', () => {
    const text = fs.readFileSync(path.join(__dirname, 'cloud-credentials.test.js'), 'utf8');
    assert.ok(text.includes('name the endpoint too, where no option does'));
  });
});

describe('SessionFactory.fromEnv()', () => {
  const folder = temporaryFolder();
  let files = 0;
  const newFile = () => path.join(folder, `${++files}.db`);

  /** Runs it with these variables and no others that it could read. */
  function withVariables(env, use) {
    const before = { ...process.env };
    const ours = [
      ...Object.keys(variables),
      'Metastore',
      ...metastoreVariables.map(([name]) => name),
      ...otherVariables,
    ];
    try {
      for (const name of ours) delete process.env[name];
      Object.assign(process.env, env);
      return use();
    } finally {
      for (const name of [...ours, ...Object.keys(env)]) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
    }
  }

  function fails(env, start) {
    let error;
    try {
      withVariables({ ...base, ...env }, () => SessionFactory.fromEnv()).close();
    } catch (e) {
      error = e;
    }
    assert.ok(error instanceof AsherahError, `an AsherahError, got ${error}`);
    assert.equal(error.code, 'ERR_ASHERAH_INVALID_CONFIG');
    assert.ok(error.message.startsWith(start), error.message);
    assert.match(error.message, /^[^:]+: expected .+, got .+\. .+[.?]$/, 'the grammar of all messages');
    assert.ok(!error.message.includes('hunter2'), error.message);
    return error.message;
  }

  /** The warnings of a configuration made by these variables, without those of its store. */
  const warnings = (env) => checkConfig(optionsFromEnvironment({ ...base, ...env })).warnings;

  it('makes a factory that shares its file and its keys with one of options', () => {
    const file = newFile();
    const env = { ...base, SERVICE_NAME: 'shop', REGION_SUFFIX: 'eu', SQLITE_PATH: file };
    const factory = withVariables(env, () => SessionFactory.fromEnv());
    const record = factory.getSession('p').encrypt('x');
    factory.close();
    assert.equal(JSON.parse(record).Key.ParentKeyMeta.KeyId, '_IK_p_shop_product_eu');
    const config = { ...valid, serviceName: 'shop', regionSuffix: 'eu', metastore: 'sqlite', connectionString: file };
    const other = new SessionFactory(config);
    assert.equal(other.getSession('p').decryptString(record), 'x');
    other.close();
  });

  it('is a function that may be called on its own', () => {
    const { fromEnv } = SessionFactory;
    const factory = withVariables({ ...base, SQLITE_PATH: newFile() }, () => fromEnv());
    assert.ok(factory instanceof SessionFactory && SessionFactory.name === 'SessionFactory');
    factory.close();
  });

  it('names the variable that is wrong', () => {
    for (const name of [
      'EXPIRE_AFTER_SECS',
      'REVOKE_CHECK_INTERVAL_SECS',
      'SESSION_CACHE_MAX_SIZE',
      'ASHERAH_POOL_SIZE',
    ]) {
      for (const value of ['hunter2', '1.5', '0x10', ' ', '-1', '1e3', '99999999999'])
        fails({ [name]: value }, `${name}: expected`);
    }
    for (const name of ['ASHERAH_EXPIRE_AFTER', 'ASHERAH_CHECK_INTERVAL', 'ASHERAH_SESSION_CACHE_DURATION']) {
      for (const value of ['hunter2', '90', '90d', '1h 30m', '-1h', '0', '1500ms', 'h', '1.h.']) {
        fails({ [name]: value }, `${name}: expected`);
      }
    }
    for (const name of [
      'DDB_REGION_SUFFIX',
      'ASHERAH_VERBOSE',
      'SELF_HEAL_RECOVERED_KEYS',
      'ASHERAH_CONFIG_DRIFT_FORCE_RUN',
    ]) {
      for (const value of ['hunter2', '2', 'y', ' ']) fails({ [name]: value }, `${name}: expected`);
    }
    const aws = { KMS: 'aws', STATIC_MASTER_KEY_HEX: '' };
    for (const value of ['hunter2', '{', '[]', '"a=b"', '{}', '{"us-west-2": 5}', '{"US West": "x"}']) {
      fails({ ...aws, REGION_MAP: value }, 'REGION_MAP');
    }
    for (const value of ['hunter2', '=', 'a=', ',', '=b', 'us-west-2=arn:aws:kms:eu-west-1:1:key/1']) {
      fails({ ...aws, ASHERAH_REGION_MAP: value }, 'ASHERAH_REGION_MAP');
    }
    fails({ KMS: 'hunter2 hunter2' }, 'KMS: expected');
    fails({ Metastore: 'mem' }, 'Metastore: expected');
    fails({ ASHERAH_METASTORE_MODE: 'mem' }, 'ASHERAH_METASTORE_MODE: expected');
    fails({ STATIC_MASTER_KEY_HEX: 'hunter2' }, 'STATIC_MASTER_KEY_HEX: expected 64 hexadecimal digits');
    fails({ POSTGRES_URL: 'mysql://u:hunter2@h/d' }, 'POSTGRES_URL: expected the URL of a postgres server');
    fails({ MYSQL_URL: 'postgres://u:hunter2@h/d' }, 'MYSQL_URL: expected the URL of a mysql server');
    fails({ SQLITE_PATH: ':memory:' }, 'SQLITE_PATH: expected a file path');
  });

  it('names the variable that is missing', () => {
    fails({ KMS: '' }, 'KMS: expected a value');
    fails({ STATIC_MASTER_KEY_HEX: '' }, 'STATIC_MASTER_KEY_HEX: expected a value');
    fails({ Metastore: 'sqlite' }, 'SQLITE_PATH, POSTGRES_URL or MYSQL_URL: expected a value');
    fails({ Metastore: 'rdbms' }, 'SQLITE_PATH, POSTGRES_URL or MYSQL_URL: expected a value');
    fails({ KMS: 'aws' }, 'KMS_KEY_ID: expected a value');
    fails({ KMS: 'aws', REGION_MAP: JSON.stringify(regionMap) }, 'PREFERRED_REGION: expected the region to ask first');
    // Not the memory, where the keys of a server would be lost.
    fails(
      { ASHERAH_CONNECTION_STRING: 'mysql://u:hunter2@h/d' },
      'ASHERAH_CONNECTION_STRING: expected a metastore beside it',
    );
  });

  it('names both variables that contradict each other', () => {
    const both = (env) => {
      const [one, other] = Object.keys(env);
      const message = fails(env, `${other}: expected`);
      assert.ok(message.includes(one), message);
    };
    both({ SERVICE_NAME: 'service', ASHERAH_SERVICE_NAME: 'other' });
    both({ EXPIRE_AFTER_SECS: '60', ASHERAH_EXPIRE_AFTER: '2m' });
    both({ KMS: 'static', ASHERAH_KMS_MODE: 'aws' });
    both({ ASHERAH_POOL_MAX_OPEN: '1', ASHERAH_POOL_SIZE: '2' });
    both({ ASHERAH_METASTORE_MODE: 'dynamodb', SQLITE_PATH: 'a.db' });
    both({ ASHERAH_CONNECTION_STRING: 'mysql://h/a', MYSQL_URL: 'mysql://h/b' });
    both({ MYSQL_URL: 'mysql://h/d?ssl-mode=REQUIRED', MYSQL_TLS_MODE: 'true' });
    const agreeing = { EXPIRE_AFTER_SECS: '60', ASHERAH_EXPIRE_AFTER: '1m', ASHERAH_SERVICE_NAME: 'service' };
    assert.equal(optionsFromEnvironment({ ...base, ...agreeing }).expireAfter, 60);
  });

  it('refuses what this package does in another way, and says how it does it', () => {
    assert.match(fails({ SELF_HEAL_RECOVERED_KEYS: 'true' }, 'SELF_HEAL_RECOVERED_KEYS'), /never writes/);
    assert.match(fails({ SHARED_INTERMEDIATE_KEY_CACHE: '0' }, 'SHARED_INTERMEDIATE_KEY_CACHE'), /share/);
    assert.match(fails({ CREATE_DATE_PRECISION_SECS: '1' }, 'CREATE_DATE_PRECISION_SECS: expected 60'), /60 seconds/);
    fails({ CREATE_DATE_PRECISION_SECS: '60', EXPIRE_AFTER_SECS: '20' }, 'CREATE_DATE_PRECISION_SECS: expected 20');
    optionsFromEnvironment({ ...base, CREATE_DATE_PRECISION_SECS: '20', EXPIRE_AFTER_SECS: '20' });
    for (const mode of ['required', 'True', 'skip'])
      fails({ MYSQL_URL: 'mysql://h/d', MYSQL_TLS_MODE: mode }, 'MYSQL_TLS_MODE: expected');
    for (const kms of ['vault', 'vault-transit', 'secrets-manager']) {
      assert.match(fails({ KMS: kms }, 'KMS: expected'), /no support/);
    }
    // Variables that other programs have too, and that asherah 4 reads with that KMS only.
    assert.deepEqual(warnings({ VAULT_ADDR: 'https://h', SECRETS_MANAGER_SECRET_ID: 'a' }), []);
  });

  it('takes the metastore by the precedence of asherah 4, and warns of the variables that lost', () => {
    const all = { SQLITE_PATH: 'a.db', DDB_TABLE: 'Table', POSTGRES_URL: 'postgres://h/d', MYSQL_URL: 'mysql://h/d' };
    const expected = { SQLITE_PATH: 'sqlite', DDB_TABLE: 'dynamodb', POSTGRES_URL: 'postgres', MYSQL_URL: 'mysql' };
    const typeOf = (env) => checked(optionsFromEnvironment({ ...base, ...env })).engine.metastore.type;
    const env = { ...all };
    for (const [winner, type] of Object.entries(expected)) {
      assert.equal(typeOf(env), type);
      const lost = Object.keys(env).filter((name) => name !== winner);
      assert.deepEqual(
        warnings(env).map(({ code, message }) => `${code} ${message.split(':')[0]}`),
        lost.map((name) => `WARN_ASHERAH_OPTION_IGNORED ${name}`),
      );
      delete env[winner];
    }
    assert.equal(typeOf({}), 'memory');
    assert.equal(typeOf({ Metastore: 'memory', MYSQL_URL: 'mysql://h/d' }), 'mysql');
    assert.equal(typeOf({ Metastore: 'rdbms', DDB_TABLE: 'Table', MYSQL_URL: 'mysql://h/d' }), 'dynamodb');
    assert.equal(warnings({ Metastore: 'memory', MYSQL_URL: 'mysql://h/d' })[0].message.split(':')[0], 'Metastore');
    assert.equal(warnings({ SQLITE_PATH: 'a.db', MYSQL_TLS_MODE: 'true' })[0].message.split(':')[0], 'MYSQL_TLS_MODE');
  });

  it('warns of variables that the others leave without effect, and does without them', () => {
    const env = {
      REGION_MAP: JSON.stringify(regionMap),
      ASHERAH_POOL_SIZE: '3',
      SQLITE_PATH: 'a.db',
      DDB_REGION_SUFFIX: '0',
    };
    assert.deepEqual(
      warnings(env)
        .map(({ code, message }) => `${code} ${message.split(':')[0]}`)
        .sort(),
      ['WARN_ASHERAH_OPTION_IGNORED ASHERAH_POOL_SIZE', 'WARN_ASHERAH_OPTION_IGNORED REGION_MAP'],
    );
    const suffixes = checked(
      optionsFromEnvironment({ ...base, DDB_TABLE: 'Table', DDB_REGION_SUFFIX: '1', REGION_SUFFIX: 'eu' }),
    );
    assert.deepEqual([suffixes.engine.metastore.regionSuffix, suffixes.engine.regionSuffix], [true, '']);
  });

  it("has asherah 4's names where none are given, with warnings", () => {
    const { SERVICE_NAME: _, PRODUCT_ID: __, ...nameless } = base;
    const config = optionsFromEnvironment(nameless);
    assert.deepEqual([config.serviceName, config.productId], ['service', 'product']);
    assert.deepEqual(
      checkConfig(config).warnings.map(({ code, message }) => [code, message.split(':')[0]]),
      [
        ['WARN_ASHERAH_DEFAULT_NAME', 'SERVICE_NAME'],
        ['WARN_ASHERAH_DEFAULT_NAME', 'PRODUCT_ID'],
      ],
    );
  });

  it('takes a given key for the testing KMS too, as asherah 4 does, whose data is under it', () => {
    const config = optionsFromEnvironment({ ...base, KMS: 'test-debug-static' });
    assert.deepEqual(checked(config), checked({ ...valid, metastore: 'memory' }));
  });
});
