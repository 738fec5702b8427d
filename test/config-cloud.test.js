// SPDX-License-Identifier: Apache-2.0
// The options of AWS KMS, DynamoDB, MySQL and PostgreSQL: what is refused before anything is loaded, and what the engine gets.
const assert = require('node:assert/strict');
const path = require('node:path');
// What the engine is handed has no public face; everything else here goes through the public one.
const { checkConfig } = require('../dist/config.js');
const { key, refused, valid, wrongText } = require('./support/config.js');

const arn = (region) => `arn:aws:kms:${region}:123456789012:key/1234abcd`;
const aws = {
  serviceName: 'service',
  productId: 'product',
  kms: 'aws',
  regionMap: { 'us-west-2': arn('us-west-2'), 'eu-west-1': arn('eu-west-1'), 'ap-south-1': arn('ap-south-1') },
  preferredRegion: 'us-west-2',
};
const cloud = { ...aws, metastore: 'dynamodb', dynamoDbRegion: 'us-west-2' };
const cloudless = ({ dynamoDbRegion: _, ...rest }) => rest;
const rdbms = { ...valid, metastore: 'rdbms', connectionString: 'postgres://host/database' };

describe('a wrong configuration of the cloud', () => {
  const url = [5, true, {}, '', 'localhost', 'ftp://host', 'https://user:pw@host/', ['https://host']];
  const wrongOfCloud = {
    regionMap: [
      'us-west-2=arn',
      5,
      [],
      {},
      { 'us-west-2': '' },
      { 'us-west-2': 5 },
      { 'US West': 'key' },
      { 'us-west-2': 'arn:aws:kms:us-east-1:1:key/1' },
      { 'us-west-2': 'arn:aws:s3:us-west-2:1:key/1' },
      Buffer.from('x'),
    ],
    preferredRegion: [...wrongText, 'us-west-1'],
    kmsEndpoint: [...url, { 'us-west-1': 'https://host' }, { 'us-west-2': 'host' }],
    kmsRegionTimeout: ['1', true, 1n, NaN, 0, 0.01, -1, 1e9],
    requireAllRegions: ['true', 1, {}],
    awsProfileName: wrongText,
    awsCredentials: [{ accessKeyId: 'a' }, 'key', true],
    dynamoDbTableName: ['', 'ab', 'a b c', 'x'.repeat(256), 5, {}],
    dynamoDbRegion: wrongText,
    dynamoDbSigningRegion: wrongText,
    dynamoDbEndpoint: url,
    enableRegionSuffix: ['true', 1, {}],
    requestTimeout: ['1', true, 1n, NaN, 0, 0.01, -1, 1e9],
  };
  const wrongOfSql = {
    connectionString: [5, {}, '', 'host/database', 'sqlserver://host/db'],
    sqlMetastoreDbType: ['oracle', 'MariaDB', 5, true, 'mysql'],
    replicaReadConsistency: ['strong', 5, true],
    requireTls: ['true', 1, {}],
    caFile: wrongText,
    poolMaxOpen: ['1', true, 1.5, -1, 65_536, NaN],
    poolMaxIdle: ['1', true, 1.5, -1, 65_536, NaN],
    poolMaxLifetime: ['1', true, 1.5, -1, 1e9 + 1, NaN],
    poolMaxIdleTime: ['1', true, 1.5, -1, 1e9 + 1, NaN],
  };
  for (const [config, wrong] of [
    [cloud, wrongOfCloud],
    [rdbms, wrongOfSql],
  ]) {
    for (const [name, values] of Object.entries(wrong)) {
      it(`is refused by type and range: ${name}`, () => {
        for (const value of values) refused({ ...config, [name]: value }, `config.${name}`);
      });
    }
  }

  it('with an option of no effect is refused, not ignored', () => {
    const none = (config, name) => refused(config, `config.${name}: expected no value`);
    const values = {
      regionMap: aws.regionMap,
      preferredRegion: 'us-west-2',
      kmsKeyId: 'alias/a',
      kmsEndpoint: 'https://host',
      kmsRegionTimeout: 1,
      requireAllRegions: true,
      awsProfileName: 'a',
      awsCredentials: () => {},
      sqlMetastoreDbType: 'mysql',
      replicaReadConsistency: 'global',
      requireTls: true,
      caFile: 'a.pem',
      poolMaxOpen: 1,
      poolMaxIdle: 1,
      poolMaxLifetime: 1,
      poolMaxIdleTime: 1,
      dynamoDbTableName: 'abc',
      dynamoDbRegion: 'us-west-2',
      dynamoDbSigningRegion: 'us-west-2',
      dynamoDbEndpoint: 'https://host',
      enableRegionSuffix: true,
      requestTimeout: 1,
    };
    for (const [name, value] of Object.entries(values)) none({ ...valid, [name]: value }, name);
    none({ ...cloud, connectionString: 'x' }, 'connectionString');
    none({ ...cloud, kmsKeyId: 'alias/a' }, 'kmsKeyId');
    none({ ...cloud, staticMasterKeyHex: key }, 'staticMasterKeyHex');
    none({ ...cloud, enableRegionSuffix: true, regionSuffix: 'a' }, 'regionSuffix');
    none({ ...cloud, awsCredentials: () => {}, awsProfileName: 'a' }, 'awsProfileName');
    const { regionMap: _, ...single } = { ...cloud, kmsKeyId: 'alias/a' };
    none(single, 'preferredRegion');
  });

  it('of AWS KMS without a key, or without saying which of several is first, is refused', () => {
    const { regionMap, preferredRegion, ...rest } = cloud;
    refused(rest, 'config.kmsKeyId: expected a value, got undefined');
    refused({ ...rest, regionMap }, 'config.preferredRegion: expected the region to ask first, got undefined, with 3');
    refused(
      { ...rest, kmsKeyId: 'a', kmsEndpoint: { 'us-west-2': 'https://h' } },
      'config.kmsEndpoint: expected one URL',
    );
  });

  it('of a database whose kind nobody can tell is refused, and a contradiction too', () => {
    const { connectionString: _, ...bare } = rdbms;
    const of = (rest) => ({ ...bare, ...rest });
    refused(of({}), 'config.connectionString: expected a value');
    refused(of({ connectionString: 'u:hunter2@/db' }), 'config.connectionString: expected mysql://');
    const contradiction = of({ connectionString: 'mysql://h/d', sqlMetastoreDbType: 'postgres' });
    refused(contradiction, "config.sqlMetastoreDbType: expected 'mysql'");
  });
});

describe('what the engine is handed for the cloud', () => {
  const engine = (config) => JSON.parse(checkConfig(config).engine);

  it('holds the documented defaults of the cloud', () => {
    const { kms, metastore, requestTimeoutMs } = engine(cloud);
    assert.equal(requestTimeoutMs, 10_000);
    assert.deepEqual(kms, {
      type: 'aws',
      regions: ['us-west-2', 'ap-south-1', 'eu-west-1'].map((region) => ({ region, key: arn(region), endpoint: '' })),
      requireAllRegions: false,
      regionTimeoutMs: 1000,
    });
    assert.deepEqual(metastore, {
      type: 'dynamodb',
      table: 'EncryptionKey',
      region: 'us-west-2',
      signingRegion: '',
      endpoint: '',
      regionSuffix: false,
    });
    const sql = engine({ ...rdbms, connectionString: 'mysql://host/database' });
    assert.deepEqual(sql.metastore, {
      type: 'mysql',
      connectionString: 'mysql://host/database',
      replicaReadConsistency: '',
      requireTls: false,
      caFile: '',
      poolMaxOpen: 10,
      poolMaxIdle: 2,
      poolMaxLifetimeMs: 0,
      poolMaxIdleTimeMs: 0,
    });
    assert.equal(sql.aws, undefined, 'no AWS variable goes where none is needed');
  });

  it('holds every option of the cloud that was given', () => {
    const endpoint = (region) => `https://kms.${region}.example`;
    const given = engine({
      ...cloud,
      kmsEndpoint: { 'eu-west-1': endpoint('eu-west-1') },
      kmsRegionTimeout: 0.25,
      requireAllRegions: true,
      awsProfileName: 'other',
      requestTimeout: 2.5,
      dynamoDbTableName: 'Keys',
      dynamoDbSigningRegion: 'us-east-1',
      dynamoDbEndpoint: 'http://localhost:8000',
      enableRegionSuffix: true,
    });
    assert.deepEqual(
      given.kms.regions.map((region) => region.endpoint),
      ['', '', endpoint('eu-west-1')],
    );
    assert.deepEqual([given.kms.requireAllRegions, given.kms.regionTimeoutMs], [true, 250]);
    assert.deepEqual(
      [given.aws.profile, given.aws.credentialsFunction, given.requestTimeoutMs],
      ['other', false, 2500],
    );
    assert.deepEqual(given.metastore, {
      type: 'dynamodb',
      table: 'Keys',
      region: 'us-west-2',
      signingRegion: 'us-east-1',
      endpoint: 'http://localhost:8000',
      regionSuffix: true,
    });
    const single = {
      ...cloudless(cloud),
      metastore: 'test-debug-memory',
      regionMap: undefined,
      preferredRegion: undefined,
    };
    assert.deepEqual(engine({ ...single, kmsKeyId: arn('eu-west-1'), kmsEndpoint: 'https://h' }).kms.regions, [
      { region: 'eu-west-1', key: arn('eu-west-1'), endpoint: 'https://h' },
    ]);
    assert.equal(engine({ ...single, kmsKeyId: 'alias/a', awsCredentials: () => {} }).aws.credentialsFunction, true);
    const sql = {
      connectionString: 'user:password@tcp(host:3306)/database',
      replicaReadConsistency: 'session',
      requireTls: true,
      poolMaxOpen: 0,
      poolMaxIdle: 1,
    };
    const whole = { ...rdbms, caFile: 'ca.pem', poolMaxLifetime: 3, poolMaxIdleTime: 4, ...sql };
    assert.deepEqual(engine(whole).metastore, {
      ...sql,
      type: 'mysql',
      caFile: path.resolve('ca.pem'),
      poolMaxLifetimeMs: 3000,
      poolMaxIdleTimeMs: 4000,
    });
  });

  it('knows the database by every form of its connection string', () => {
    const typeOf = (connectionString, rest) => engine({ ...rdbms, connectionString, ...rest }).metastore.type;
    for (const form of ['mysql://h/d', 'MYSQL://h/d', 'u:p@tcp(h:1)/d', 'u:p@unix(/s)/d', 'tcp:p@tcp(h)/d?tls=true']) {
      assert.equal(typeOf(form), 'mysql', form);
      assert.equal(typeOf(form, { sqlMetastoreDbType: 'mysql' }), 'mysql', form);
    }
    for (const form of ['postgres://h/d', 'postgresql://h/d', 'host=h dbname=d', " user = 'a b'"]) {
      assert.equal(typeOf(form), 'postgres', form);
      assert.equal(typeOf(form, { sqlMetastoreDbType: 'postgresql' }), 'postgres', form);
    }
    assert.equal(typeOf('u:p@/database', { sqlMetastoreDbType: 'mysql' }), 'mysql');
  });

  it('has the AWS variables as JavaScript sees them, and no others', () => {
    process.env.AWS_TEST_OF_CONFIG = 'seen';
    try {
      const { environment } = engine(cloud).aws;
      assert.equal(environment.AWS_TEST_OF_CONFIG, 'seen');
      assert.ok(Object.keys(environment).every((name) => name.startsWith('AWS_')));
    } finally {
      delete process.env.AWS_TEST_OF_CONFIG;
    }
    assert.ok(!('AWS_TEST_OF_CONFIG' in engine(cloud).aws.environment));
  });
});
