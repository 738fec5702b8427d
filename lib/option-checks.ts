// SPDX-License-Identifier: Apache-2.0
import {
  boolean,
  func,
  hexKey,
  integer,
  kind,
  methodsOr,
  number,
  oneOf,
  regionMap,
  tableName,
  text,
  texts,
  url,
  urls,
} from './checks.js';
import type { NoOpOptions } from './compat-options.js';
import type { LogEvent, MetricsHook } from './hooks.js';
import type { AwsCredentialsFunction, SessionFactoryConfig } from './options.js';
import type { KeyManagementService, Metastore } from './providers.js';
import type { AsherahWarning } from './warnings.js';

// A duration in nanoseconds, the unit of other Asherah packages, is far above this limit (31 years), so it is noticed.
const maxSeconds = 1_000_000_000;
const seconds = integer(1, maxSeconds, 'seconds');
const cacheSize = integer(1, 10_000_000, 'entries');
const connections = integer(0, 65_535, 'connections');
const poolSeconds = integer(0, maxSeconds, 'seconds');
/** The longest time that a Node.js timer can hold. */
const maxTimerSeconds = 2_147_483;

type Check<T> = (value: unknown, name: string) => T;

/** Every option and its check: the compiler compares the names with those of the interfaces. */
export const checks = {
  serviceName: text,
  productId: text,
  kms: methodsOr<KeyManagementService>()(
    ['encryptKey', 'decryptKey'],
    kind('Unknown KMS type', 'static', 'test-debug-static', 'aws'),
  ),
  staticMasterKeyHex: hexKey,
  regionMap,
  preferredRegion: text,
  kmsKeyId: text,
  kmsEndpoint: urls,
  kmsRegionTimeout: number(0.05, maxTimerSeconds, 'seconds'),
  requireAllRegions: boolean,
  awsProfileName: text,
  awsCredentials: func as Check<AwsCredentialsFunction>,
  metastore: methodsOr<Metastore>()(
    ['load', 'loadLatest', 'store'],
    kind(
      'Unsupported Metastore value',
      'memory',
      'test-debug-memory',
      'sqlite',
      'test-debug-sqlite',
      'rdbms',
      'dynamodb',
    ),
  ),
  connectionString: text,
  sqliteBusyTimeout: number(0, maxTimerSeconds, 'seconds'),
  sqlMetastoreDbType: oneOf('mysql', 'postgres', 'postgresql'),
  replicaReadConsistency: oneOf('eventual', 'global', 'session'),
  requireTls: boolean,
  caFile: text,
  poolMaxOpen: connections,
  poolMaxIdle: connections,
  poolMaxLifetime: poolSeconds,
  poolMaxIdleTime: poolSeconds,
  dynamoDbTableName: tableName,
  dynamoDbRegion: text,
  dynamoDbSigningRegion: text,
  dynamoDbEndpoint: url,
  enableRegionSuffix: boolean,
  requestTimeout: number(0.05, maxTimerSeconds, 'seconds'),
  expireAfter: seconds,
  checkInterval: seconds,
  maxKeyStaleness: seconds,
  enableSessionCaching: boolean,
  sessionCacheMaxSize: cacheSize,
  sessionCacheDuration: seconds,
  intermediateKeyCacheMaxSize: cacheSize,
  systemKeyCacheMaxSize: cacheSize,
  regionSuffix: text,
  recoveryRegionSuffixes: texts,
  lockedMemory: oneOf('prefer', 'require'),
  onWarning: func as Check<(warning: AsherahWarning) => void>,
  logHook: func as Check<(event: LogEvent) => void>,
  logLevel: oneOf('trace', 'debug', 'info', 'warn', 'error'),
  verbose: boolean,
  metricsHook: func as Check<MetricsHook>,
  disableZeroCopy: boolean,
  nullDataCheck: boolean,
  enableCanaries: boolean,
  configDriftForceRun: boolean,
  configDriftForceUpdate: boolean,
} satisfies {
  [K in keyof Required<SessionFactoryConfig & NoOpOptions>]: Check<
    NonNullable<(SessionFactoryConfig & NoOpOptions)[K]>
  >;
};

/** The options that were given, each checked by itself. */
export type Options = { -readonly [K in keyof typeof checks]?: ReturnType<(typeof checks)[K]> };
export type OptionName = keyof Options;
export const optionNames = Object.keys(checks) as OptionName[];
