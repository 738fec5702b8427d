// SPDX-License-Identifier: Apache-2.0

// What must compile, from a CommonJS module, and then run.
import assert = require('node:assert/strict');

import {
  AsherahError,
  type AsherahErrorCode,
  type AsherahWarning,
  type AsherahWarningCode,
  type CallOptions,
  type Data,
  type DataRowRecord,
  type KeyManagementService,
  type LoadCloudOptions,
  loadCloud,
  type Metastore,
  type Session,
  SessionFactory,
  type SessionFactoryConfig,
  type Verification,
} from 'asherah-napi';

const required: SessionFactoryConfig = {
  serviceName: 'service',
  productId: 'product',
  kms: 'test-debug-static',
  metastore: 'test-debug-memory',
};
const kms: KeyManagementService = {
  encryptKey: (key: Uint8Array) => Uint8Array.from(key),
  decryptKey: async (encrypted) => Buffer.from(encrypted),
};
const rows = new Map<string, string>();
const metastore: Metastore = {
  load: (id: string, created: number) => rows.get(`${id} ${created}`),
  loadLatest: async () => null,
  store: (id, created, keyRecord) => {
    rows.set(`${id} ${created}`, keyRecord);
    return true;
  },
};
new SessionFactory({ ...required, kms, metastore }).close();

const cloud: Required<SessionFactoryConfig> = {
  ...required,
  kms: 'aws',
  regionMap: { 'us-west-2': 'key', 'eu-west-1': 'key' },
  preferredRegion: 'us-west-2',
  kmsKeyId: undefined,
  kmsEndpoint: { 'us-west-2': 'https://localhost' },
  kmsRegionTimeout: 1,
  requireAllRegions: true,
  awsProfileName: undefined,
  awsCredentials: async () => ({ accessKeyId: 'a', secretAccessKey: 'b', sessionToken: 'c', expiration: new Date() }),
  metastore: 'rdbms',
  sqlMetastoreDbType: 'postgresql',
  replicaReadConsistency: 'session',
  requireTls: true,
  caFile: 'ca.pem',
  poolMaxOpen: 10,
  poolMaxIdle: 2,
  poolMaxLifetime: 0,
  poolMaxIdleTime: 0,
  dynamoDbTableName: undefined,
  dynamoDbRegion: undefined,
  dynamoDbSigningRegion: undefined,
  dynamoDbEndpoint: undefined,
  enableRegionSuffix: undefined,
  requestTimeout: 10,
  staticMasterKeyHex: undefined,
  connectionString: undefined,
  sqliteBusyTimeout: undefined,
  expireAfter: 90 * 24 * 3600,
  checkInterval: 3600,
  maxKeyStaleness: 7200,
  enableSessionCaching: true,
  sessionCacheMaxSize: 1000,
  sessionCacheDuration: 7200,
  intermediateKeyCacheMaxSize: 1000,
  systemKeyCacheMaxSize: 100,
  regionSuffix: 'eu',
  recoveryRegionSuffixes: ['us'] as const,
  lockedMemory: 'prefer',
  onWarning: ({ code, message }: AsherahWarning) => void [code satisfies AsherahWarningCode, message satisfies string],
  logHook: (event) => void [event.level, event.message satisfies string],
  logLevel: 'debug',
  verbose: null,
  metricsHook: (event) => void event.type,
};
void cloud;
const load: (options?: LoadCloudOptions) => void = loadCloud;
void load;

async function main(): Promise<void> {
  using factory = new SessionFactory(required);
  const verification: Verification = await factory.verify();
  assert.ok(
    verification.ok && verification.checks.every(({ status, milliseconds }) => status === 'ok' && milliseconds >= 0),
  );
  const made: boolean = await factory.createSchema();
  assert.equal(made, false);
  await using session = factory.getSession('partition');
  const anything: Data[] = ['text', Buffer.from('b'), new Float64Array(1), new DataView(new ArrayBuffer(1))];
  for (const data of [...anything, new ArrayBuffer(1), new SharedArrayBuffer(1)]) {
    const record: string = session.encrypt(data);
    const records: DataRowRecord[] = [
      record,
      await session.encryptAsync(data),
      Buffer.from(record),
      new Uint8Array(Buffer.from(record)),
    ];
    for (const each of records) {
      const bytes: Buffer = session.decrypt(each);
      assert.deepEqual(await session.decryptAsync(each), bytes);
    }
  }
  const options: CallOptions = { signal: AbortSignal.timeout(60_000) };
  await session.decryptAsync(await session.encryptAsync('text', options), options);
  const text: string = session.decryptString(session.encrypt('text'));
  assert.equal(await session.decryptStringAsync(session.encrypt('text')), text);

  let inner: Session;
  {
    using scoped = factory.getSession('partition');
    inner = scoped;
  }
  try {
    inner.encrypt('x');
    assert.fail('it is closed');
  } catch (error) {
    if (!(error instanceof AsherahError)) throw error;
    const code: AsherahErrorCode = error.code;
    assert.equal(code, 'ERR_ASHERAH_CLOSED');
  }
}

main().then(() => console.log('ran'));
