// SPDX-License-Identifier: Apache-2.0
import {
  boolean,
  func,
  hexKey,
  integer,
  number,
  oneOf,
  regionMap,
  tableName,
  text,
  texts,
  url,
  urls,
} from './checks.js';
import { AsherahError, describe, unexpected } from './errors.js';
import { nearest } from './nearest.js';
import type { AwsCredentialsFunction, SessionFactoryConfig } from './options.js';
import type { AsherahWarning } from './warnings.js';

// A duration in nanoseconds, the unit of other Asherah packages, is far above this limit (31 years), so it is noticed.
const maxSeconds = 1_000_000_000;
const seconds = integer(1, maxSeconds, 'seconds');
const cacheSize = integer(1, 10_000_000, 'entries');
const connections = integer(0, 65_535, 'connections');
const poolSeconds = integer(0, maxSeconds, 'seconds');
/** The longest time that a Node.js timer can hold. */
const maxTimerSeconds = 2_147_483;

/** Every option and its check: the compiler compares the names with those of the interface. */
const checks = {
  serviceName: text,
  productId: text,
  kms: oneOf('static', 'test-debug-static', 'aws'),
  staticMasterKeyHex: hexKey,
  regionMap,
  preferredRegion: text,
  kmsKeyId: text,
  kmsEndpoint: urls,
  kmsRegionTimeout: number(0.05, maxTimerSeconds, 'seconds'),
  requireAllRegions: boolean,
  awsProfileName: text,
  awsCredentials: func as (value: unknown, name: string) => AwsCredentialsFunction,
  metastore: oneOf('memory', 'test-debug-memory', 'sqlite', 'rdbms', 'dynamodb'),
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
  onWarning: func as (value: unknown, name: string) => (warning: AsherahWarning) => void,
} satisfies {
  [K in keyof Required<SessionFactoryConfig>]: (
    value: unknown,
    name: string,
  ) => Exclude<SessionFactoryConfig[K], undefined>;
};

/** The options that were given, each checked by itself. */
export type Options = { -readonly [K in keyof typeof checks]?: ReturnType<(typeof checks)[K]> };
export type OptionName = keyof Options;

/** @throws AsherahError `ERR_ASHERAH_INVALID_CONFIG` or `ERR_ASHERAH_UNKNOWN_OPTION` */
export function readOptions(config: unknown): Options {
  const properties = typeof config === 'object' && config !== null ? readProperties(config) : undefined;
  if (properties === undefined || Array.isArray(config)) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      'config',
      'an object of options',
      describe(config),
      'Pass new SessionFactory({ serviceName, productId, kms, metastore }).',
    );
  }
  const options: Record<string, unknown> = Object.create(null);
  for (const [name, value] of properties) {
    if (!Object.hasOwn(checks, name)) throw unknownOption(name);
    if (value === undefined) continue;
    if (value === null) {
      throw unexpected('ERR_ASHERAH_INVALID_CONFIG', `config.${name}`, 'a value', 'null', 'Leave the option out.');
    }
    options[name] = checks[name as OptionName](value, `config.${name}`);
  }
  return options;
}

/** Each property is read once, so that a getter can't give the check one value and the engine another. */
function readProperties(config: object): [string, unknown][] {
  try {
    return Object.entries(config);
  } catch (cause) {
    const message =
      'config: expected an object that can be read, got one that throws (see the cause). Pass a plain object.';
    throw new AsherahError('ERR_ASHERAH_INVALID_CONFIG', message, { cause });
  }
}

function unknownOption(name: string): AsherahError {
  const meant = nearest(name, Object.keys(checks));
  return unexpected(
    'ERR_ASHERAH_UNKNOWN_OPTION',
    'config',
    'known options only',
    name.length > 64 ? 'one with a name of over 64 characters' : JSON.stringify(name),
    meant === undefined ? 'docs/configuration.md lists them all.' : `Did you mean ${meant}?`,
  );
}

export function need<K extends OptionName>(options: Options, name: K, remedy: string): Exclude<Options[K], undefined> {
  const value = options[name];
  if (value === undefined) {
    throw unexpected('ERR_ASHERAH_INVALID_CONFIG', `config.${name}`, 'a value', 'undefined', remedy);
  }
  return value as Exclude<Options[K], undefined>;
}

/** An option that would have no effect is refused: whoever gave it expects one. */
export function refuse(options: Options, names: readonly OptionName[], condition: string): void {
  for (const name of names) {
    if (options[name] !== undefined) {
      throw unexpected(
        'ERR_ASHERAH_INVALID_CONFIG',
        `config.${name}`,
        `no value ${condition}`,
        'one',
        'Leave one of the two out.',
      );
    }
  }
}
