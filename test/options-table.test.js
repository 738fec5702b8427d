// SPDX-License-Identifier: Apache-2.0
// The fear: an option that is accepted and does nothing. Every name of an option has a row here (every variable: in
// from-env.test.js); a name without one fails. What an option does is shown through the public API, or by the test that the row points to. That another
// spelling is the same option is shown by all that the reader hands on.
const assert = require('node:assert/strict');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { isDeepStrictEqual } = require('node:util');
const { SessionFactory } = require('asherah-napi');
const { checkConfig } = require('../dist/config.js');
const { optionNames } = require('../dist/option-checks.js');
const { missingFeatures, pascalName } = require('../dist/option-names.js');
const { errorOf, key, refused, valid } = require('./support/config.js');
const { temporaryFolder } = require('./support/store.js');

const root = path.join(__dirname, '..');
const otherKey = '5a'.repeat(32);
const arn = (region) => `arn:aws:kms:${region}:123456789012:key/1234abcd`;
const regionMap = { 'us-west-2': arn('us-west-2'), 'eu-west-1': arn('eu-west-1') };
const { staticMasterKeyHex: _key, ...keyless } = valid;
const aws = { ...keyless, kms: 'aws', regionMap, preferredRegion: 'us-west-2' };
const rdbms = { ...valid, metastore: 'rdbms', connectionString: 'u:p@h/d', sqlMetastoreDbType: 'mysql' };
const dynamodb = { ...valid, metastore: 'dynamodb', dynamoDbRegion: 'us-west-2' };
const hook = () => {};

/** All that the reader hands on. */
function checked(config) {
  const { addonOption: _, masterKey, ...rest } = checkConfig(config);
  return { ...rest, engine: JSON.parse(rest.engine), masterKey: masterKey && Buffer.from(masterKey).toString('hex') };
}

/** Whether a configuration without the option would come to the same. */
function isSame(config, expected) {
  try {
    return isDeepStrictEqual(checked(config), expected);
  } catch {
    return false;
  }
}

async function withFactory(config, use) {
  const factory = new SessionFactory(config);
  try {
    return await use(factory);
  } finally {
    factory.close();
  }
}

// What an option does.

const makesKeyId = (id) => (config) =>
  withFactory(config, (factory) => assert.equal(keyIdOf(factory.getSession('p').encrypt('x')), id));
const keyIdOf = (record) => JSON.parse(record).Key.ParentKeyMeta.KeyId;
const createdOf = (record) => JSON.parse(record).Key.ParentKeyMeta.Created;
const isRefused = (start) => (config) => assert.ok(errorOf(config).message.includes(start), errorOf(config).message);

const warns =
  (code, more = {}) =>
  async (config) => {
    const codes = [];
    await withFactory({ ...config, ...more, onWarning: (warning) => codes.push(warning.code) }, () => {});
    await new Promise(setImmediate);
    assert.ok(codes.includes(code), `${codes}`);
  };

/** What is called in the place of `hook` hears such an event. */
const hears = (isSuch) => async (config) => {
  const events = [];
  const mine = (event) => events.push(event);
  const ours = Object.entries(config).map(([name, value]) => [name, value === hook ? mine : value]);
  await withFactory(Object.fromEntries(ours), async (factory) => {
    factory.getSession('p').encrypt('x');
    for (let i = 0; i < 100 && !events.some(isSuch); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  });
  assert.ok(events.some(isSuch), JSON.stringify(events));
};

/** The first request that a call makes, of a server that answers nobody. */
async function firstRequest(config) {
  const requests = [];
  const server = http.createServer(async (request, response) => {
    const body = [];
    for await (const chunk of request) body.push(chunk);
    const [, accessKey, region] = /Credential=([^/]+)\/\d+\/([^/]+)\//.exec(request.headers.authorization) ?? [];
    requests.push({ url: request.url, accessKey, region, ...JSON.parse(Buffer.concat(body)) });
    response.writeHead(400, { 'content-type': 'application/x-amz-json-1.0' }).end('{"__type":"ValidationException"}');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `http://127.0.0.1:${server.address().port}`;
  const ours = Object.fromEntries(
    Object.entries(config).map(([name, value]) => [name, value === here ? `${endpoint}/own` : value]),
  );
  const credentials = () => ({ accessKeyId: 'AKIA', secretAccessKey: 's' });
  const hasOwn = Object.keys(config).some((name) => /^awsCredentials$/i.test(name));
  const { AWS_ENDPOINT_URL: before } = process.env;
  process.env.AWS_ENDPOINT_URL = endpoint;
  try {
    await withFactory(
      { ...ours, ...(hasOwn ? {} : { awsCredentials: credentials }), onWarning: () => {} },
      async (factory) => {
        await assert.rejects(factory.getSession('p').encryptAsync('x'));
      },
    );
  } finally {
    if (before === undefined) delete process.env.AWS_ENDPOINT_URL;
    else process.env.AWS_ENDPOINT_URL = before;
    server.closeAllConnections();
    server.close();
  }
  assert.ok(requests.length > 0, 'the server was asked');
  return requests[0];
}
/** Stands for the URL of that server. */
const here = 'http://here.invalid';
const asks = (expected) =>
  async function (config) {
    if (!fs.existsSync(path.join(root, 'cloud/build/Release/asherah-cloud.node'))) this.skip();
    const request = await firstRequest(config);
    for (const [name, value] of Object.entries(expected)) assert.deepEqual(request[name], value, name);
  };

const single = { ...keyless, kms: 'aws', kmsKeyId: arn('us-west-2') };

describe('every option', function () {
  this.timeout(20_000);
  const folder = temporaryFolder();
  let files = 0;
  const file = path.join(folder, 'store.db');
  const sqlite = { ...valid, metastore: 'sqlite', connectionString: file };
  const freshFile = () => path.join(folder, `${++files}.db`);

  const storesIn = (where) => (config) =>
    withFactory(config, (factory) => {
      factory.getSession('p').encrypt('x');
      assert.ok(fs.existsSync(where), where);
      fs.rmSync(where);
    });

  /** `base` is the configuration beside the option. */
  const rows = {
    serviceName: { value: 'other', effect: makesKeyId('_IK_p_other_product') },
    productId: { value: 'other', effect: makesKeyId('_IK_p_service_other') },
    kms: { base: keyless, value: 'test-debug-static', effect: warns('WARN_ASHERAH_TEST_KMS') },
    staticMasterKeyHex: {
      value: otherKey,
      effect: async (config) => {
        const where = { metastore: 'sqlite', connectionString: freshFile() };
        const record = await withFactory({ ...config, ...where }, (f) => f.getSession('p').encrypt('x'));
        const read = (hex) => (f) => f.getSession('p').decryptString(record) + hex;
        await withFactory({ ...valid, ...where, staticMasterKeyHex: otherKey }, read(otherKey));
        const wrong = withFactory({ ...valid, ...where, staticMasterKeyHex: key }, read(key));
        await assert.rejects(wrong, { code: 'ERR_ASHERAH_KMS' });
      },
    },
    regionMap: {
      base: { ...keyless, kms: 'aws', preferredRegion: 'eu-west-1' },
      value: regionMap,
      effect: asks({ KeyId: arn('eu-west-1') }),
    },
    preferredRegion: { base: aws, value: 'eu-west-1', effect: asks({ region: 'eu-west-1', KeyId: arn('eu-west-1') }) },
    kmsKeyId: {
      base: { ...keyless, kms: 'aws' },
      value: arn('ap-south-1'),
      effect: asks({ KeyId: arn('ap-south-1'), region: 'ap-south-1' }),
    },
    kmsEndpoint: { base: single, value: here, effect: asks({ url: '/own' }) },
    kmsRegionTimeout: {
      base: aws,
      value: 0.5,
      see: [
        'cloud-kms-faults.test.js',
        'that is slow, but within the region timeout: no other is asked and nothing is warned of',
      ],
    },
    requireAllRegions: {
      base: aws,
      value: true,
      see: [
        'cloud-kms-faults.test.js',
        'with requireAllRegions: an error, nothing stored, and it works once the region answers',
      ],
    },
    awsProfileName: {
      base: aws,
      value: 'other',
      see: ['cloud-credentials.test.js', 'may name a profile, as awsProfileName does, which goes before them'],
    },
    awsCredentials: {
      base: single,
      value: () => ({ accessKeyId: 'AKIAOTHER', secretAccessKey: 's' }),
      effect: asks({ accessKey: 'AKIAOTHER' }),
    },
    metastore: { base: { ...valid, connectionString: file }, value: 'sqlite', effect: storesIn(file) },
    connectionString: { base: { ...valid, metastore: 'sqlite' }, value: file, effect: storesIn(file) },
    sqliteBusyTimeout: {
      base: sqlite,
      value: 0.5,
      see: ['faults.test.js', 'fails calls after sqliteBusyTimeout, not before and not much later, and writes nothing'],
    },
    sqlMetastoreDbType: {
      base: { ...rdbms, connectionString: 'u:p@h/d' },
      value: 'postgres',
      effect: (config) => isRefused("expected 'mysql'")({ ...config, connectionString: 'mysql://h/d' }),
    },
    replicaReadConsistency: {
      base: rdbms,
      value: 'session',
      see: ['cloud-sql.test.js', 'on a server without Aurora is not read with replicaReadConsistency'],
    },
    requireTls: {
      base: rdbms,
      value: true,
      see: ['cloud-sql-tls.test.js', 'is contradicted by no string when it is required'],
    },
    caFile: {
      base: rdbms,
      value: 'ca.pem',
      see: ['cloud-sql-tls.test.js', 'is for the server that the CA file vouches for'],
    },
    dynamoDbTableName: { base: dynamodb, value: 'Other', effect: asks({ TableName: 'Other' }) },
    dynamoDbRegion: {
      base: { ...valid, metastore: 'dynamodb' },
      value: 'ap-south-1',
      effect: asks({ region: 'ap-south-1' }),
    },
    dynamoDbSigningRegion: { base: dynamodb, value: 'ap-south-1', effect: asks({ region: 'ap-south-1' }) },
    dynamoDbEndpoint: { base: dynamodb, value: here, effect: asks({ url: '/own' }) },
    enableRegionSuffix: {
      base: dynamodb,
      value: true,
      effect: asks({ ExpressionAttributeValues: { ':id': { S: '_IK_p_service_product_us-west-2' } } }),
    },
    requestTimeout: {
      base: dynamodb,
      value: 2,
      see: ['cloud-metastore-faults.test.js', 'cold calls fail by their deadline, and work again without a restart'],
    },
    expireAfter: {
      value: 1,
      pascal: 1e9,
      effect: (config) =>
        withFactory(config, async (factory) => {
          const session = factory.getSession('p');
          const before = createdOf(session.encrypt('x'));
          await new Promise((resolve) => setTimeout(resolve, 2100));
          assert.ok(createdOf(session.encrypt('x')) > before, 'another key');
        }),
    },
    checkInterval: {
      value: 1,
      pascal: 1e9,
      see: ['stress/rotation.test.js', 'is let go within two check intervals'],
    },
    maxKeyStaleness: {
      value: 7300,
      pascal: 7300e9,
      effect: (config) => isRefused('at least twice checkInterval')({ ...config, checkInterval: 3651 }),
    },
    enableSessionCaching: {
      value: false,
      see: ['session-cache.test.js', 'that is switched off opens and closes a native session with each'],
    },
    sessionCacheMaxSize: {
      value: 3,
      see: ['session-cache.test.js', 'never holds more than its option, and lets the one used longest ago go first'],
    },
    sessionCacheDuration: {
      value: 10,
      pascal: 10e9,
      see: ['session-cache.test.js', 'lets go of what nobody asked for during its duration'],
    },
    intermediateKeyCacheMaxSize: {
      value: 5,
      see: ['stress/growth.test.js', 'neither fill the memory nor overfill a cache'],
    },
    // No face outside of the engine.
    systemKeyCacheMaxSize: { value: 5, engine: { systemKeyCacheMaxSize: 5 } },
    regionSuffix: { value: 'eu', effect: makesKeyId('_IK_p_service_product_eu') },
    recoveryRegionSuffixes: {
      value: ['near'],
      effect: async (config) => {
        const where = { metastore: 'sqlite', connectionString: freshFile() };
        const record = await withFactory({ ...valid, ...where, regionSuffix: 'near' }, (f) =>
          f.getSession('p').encrypt('x'),
        );
        const read = (f) => f.getSession('p').decryptString(record);
        assert.equal(await withFactory({ ...config, ...where }, read), 'x');
        await assert.rejects(withFactory({ ...valid, ...where }, read), { code: 'ERR_ASHERAH_PARTITION_MISMATCH' });
      },
    },
    lockedMemory: {
      value: 'require',
      see: ['errors.test.js', 'of memory that can not be locked come as one warning unless they were asked for'],
    },
    onWarning: {
      base: { ...valid, metastore: 'memory' },
      value: hook,
      effect: hears(({ code }) => code === 'WARN_ASHERAH_MEMORY_METASTORE'),
    },
    logHook: {
      base: { ...valid, metastore: 'memory', onWarning: () => {} },
      value: hook,
      effect: hears(({ level }) => level === 'warn'),
    },
    logLevel: { base: { ...valid, logHook: hook }, value: 'info', effect: hears(({ level }) => level === 'info') },
    verbose: { base: { ...valid, logHook: hook }, value: true, effect: hears(({ level }) => level === 'info') },
    metricsHook: { value: hook, effect: hears(({ type }) => type === 'encrypt') },
  };
  for (const [name, value] of Object.entries({
    poolMaxOpen: 3,
    poolMaxIdle: 3,
    poolMaxLifetime: 3,
    poolMaxIdleTime: 3,
  })) {
    rows[name] = {
      base: rdbms,
      value,
      see: ['cloud-sql.test.js', 'is read through a pool that is as large as it was told'],
    };
  }
  for (const name of [
    'disableZeroCopy',
    'nullDataCheck',
    'enableCanaries',
    'configDriftForceRun',
    'configDriftForceUpdate',
  ]) {
    rows[name] = { value: true, noOp: true };
  }
  const aliases = {
    dynamoDbTableName: 'dynamoDBTableName',
    dynamoDbRegion: 'dynamoDBRegion',
    dynamoDbSigningRegion: 'dynamoDBSigningRegion',
    dynamoDbEndpoint: 'dynamoDBEndpoint',
    sqlMetastoreDbType: 'sqlMetastoreDBType',
  };

  it('of the older packages is in docs/configuration.md', () => {
    const text = fs.readFileSync(path.join(root, 'docs/configuration.md'), 'utf8');
    const [, section] = text.split('\n## Configurations of the older packages\n');
    const irregular = optionNames.map(pascalName).filter((name) => /[A-Z]{2}/.test(name));
    const noOps = Object.keys(rows).filter((name) => rows[name].noOp);
    const missing = [...irregular, ...Object.values(aliases), ...noOps].filter(
      (name) => !section.includes(`\`${name}\``),
    );
    assert.deepEqual(missing, []);
  });

  it('has a row', () => assert.deepEqual(Object.keys(rows).sort(), [...optionNames].sort()));

  for (const [name, row] of Object.entries(rows)) {
    const spellings = new Set([name, aliases[name], pascalName(name)]);
    for (const spelling of spellings) {
      if (spelling === undefined) continue;
      it(`${spelling} ${row.noOp ? 'has no effect, as documented, and is checked' : 'has its effect'}`, async function () {
        const { [name]: _, ...base } = row.base ?? valid;
        const isPascal = /^[A-Z]/.test(spelling);
        const config = { ...base, [spelling]: (isPascal && row.pascal) || row.value };
        const result = checked(config);
        assert.deepEqual(result, checked({ ...base, [name]: row.value }), 'as its camelCase name');
        assert.equal(isSame(base, result), row.noOp ?? false, 'compared with leaving it out');
        if (row.noOp) refused({ ...base, [spelling]: 'yes' }, `config.${spelling}: expected true or false`);
        for (const [option, handed] of Object.entries(row.engine ?? {})) assert.equal(result.engine[option], handed);
        if (row.see !== undefined)
          assert.ok(fs.readFileSync(path.join(__dirname, row.see[0]), 'utf8').includes(row.see[1]), `${row.see}`);
        assert.ok(row.noOp || row.see || row.engine || row.effect, 'shows an effect');
        await row.effect?.call(this, config);
      });
    }
  }

  describe('for what this package does not do', () => {
    for (const [name, feature] of missingFeatures) {
      it(`${name} is an error that says so`, () => {
        for (const spelling of [name, `${name[0].toUpperCase()}${name.slice(1)}`]) {
          const { message } = refused(
            { ...valid, [spelling]: 'hunter2' },
            `config.${spelling}: expected no value, got one`,
          );
          assert.ok(message.includes(`no support for ${feature}`) && !message.includes('hunter2'), message);
          checked({ ...valid, [spelling]: null });
        }
      });
    }
    for (const kms of ['vault', 'Vault-Transit', 'secrets-manager']) {
      it(`kms '${kms}' is an error that says so`, () =>
        assert.match(refused({ ...keyless, kms }, 'config.kms').message, /no support for /));
    }
    it("sqlMetastoreDbType 'oracle' is an error that says so", () =>
      assert.match(
        refused({ ...rdbms, sqlMetastoreDbType: 'oracle' }, 'config.sqlMetastoreDbType').message,
        /for Oracle/,
      ));
  });
});
