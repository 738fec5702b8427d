// SPDX-License-Identifier: Apache-2.0

// TypeScript of version 4: the default export beside named ones, camelCase, both types of configuration, both hooks.
import asherah, {
  type AsherahConfig,
  type AsherahConfigCompat,
  AsherahSession,
  clearPlaintext,
  decryptStringAsync,
  encryptAsync,
  getSetupStatus,
  type LogEvent,
  type LogHookCallback,
  type LogLevel,
  type MetricsEvent,
  SessionFactory,
  setLogHook,
  setMaxStackAllocItemSize,
  setMetricsHook,
  setSafetyPaddingOverhead,
  setupAsync,
  shutdownAsync,
} from 'asherah';

process.env.STATIC_MASTER_KEY_HEX = '22'.repeat(32);

const config: AsherahConfig = {
  serviceName: 'service',
  productId: 'product',
  metastore: 'memory',
  kms: 'static',
  expireAfter: null,
  checkInterval: 60,
  connectionString: null,
  replicaReadConsistency: null,
  dynamoDbEndpoint: null,
  dynamoDbSigningRegion: null,
  dynamoDBEndpoint: null,
  dynamoDBRegion: null,
  dynamoDBTableName: null,
  sqlMetastoreDbType: null,
  sqlMetastoreDBType: null,
  regionMap: null,
  awsProfileName: null,
  enableSessionCaching: true,
  verbose: false,
  disableZeroCopy: true,
  nullDataCheck: true,
  enableCanaries: false,
};

const compat: AsherahConfigCompat = {
  ServiceName: 'service',
  ProductID: 'product',
  Metastore: 'test-debug-memory',
  KMS: 'test-debug-static',
  ExpireAfter: null,
  AwsProfileName: null,
  SQLMetastoreDBType: null,
  ReplicaReadConsistency: null,
  NullDataCheck: true,
};

function configOf(more: Partial<AsherahConfig>): AsherahConfig {
  return { serviceName: 'service', productId: 'product', metastore: 'memory', kms: 'static', ...more };
}

const either: AsherahConfig | AsherahConfigCompat = Math.random() < 2 ? config : compat;

const levels: LogLevel[] = [];
const log = (event: LogEvent): void => {
  const { level, message, target }: { level: LogLevel; message: string; target: string } = event;
  if (message !== '' && target !== '') levels.push(level);
};
const old: LogHookCallback = (level, message) => void [level.toFixed(), message.length];

const seen: (string | number)[] = [];
const metrics = (event: MetricsEvent): void => {
  switch (event.type) {
    case 'encrypt':
    case 'decrypt':
    case 'store':
    case 'load':
      seen.push(event.durationNs);
      break;
    case 'cache_hit':
    case 'cache_miss':
    case 'cache_stale':
      seen.push(event.name);
      break;
  }
};

async function main(): Promise<void> {
  setLogHook(old);
  setLogHook((event) => void event.level.padEnd(5));
  setLogHook(log);
  asherah.set_log_hook(log);
  asherah.set_log_hook(null);
  setMetricsHook((event) => void event.type.padEnd(5));
  setMetricsHook(metrics);
  asherah.set_metrics_hook(null);
  setMaxStackAllocItemSize(1);
  setSafetyPaddingOverhead(1);

  asherah.setup(either);
  const record: string = asherah.encryptString('user', 'text');
  const text: string = asherah.decryptString('user', record);
  const bytes: Buffer = asherah.decrypt('user', asherah.encrypt('user', Buffer.from('bytes')));
  clearPlaintext(bytes);
  clearPlaintext(null);
  asherah.shutdown();

  await setupAsync(configOf({ enableSessionCaching: false }));
  const later: string = await decryptStringAsync('user', (await encryptAsync('user', Buffer.from('later'))) as string);
  const status: boolean = getSetupStatus();
  await shutdownAsync();

  const factory: SessionFactory = new SessionFactory(config);
  const session: AsherahSession = factory.getSession('user');
  const ofSession: string = session.decryptString(session.encryptString('of a session'));
  const ofSessionToo: Buffer = session.decrypt(session.encrypt(Buffer.alloc(0)));
  console.log(text, later, status, ofSession, ofSessionToo.length, session instanceof AsherahSession);
  session.close();
  factory.close();
  new asherah.SessionFactory(compat).close();

  process.env.KMS = 'test-debug-static';
  const fromEnv: SessionFactory = SessionFactory.fromEnv();
  fromEnv.close();
}

main();
