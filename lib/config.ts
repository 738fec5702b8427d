// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { boolean, func, hexKey, integer, names, number, oneOf, text, texts } from './checks.js';
import { AsherahError, describe, unexpected } from './errors.js';
import { nearest } from './nearest.js';
import type { SessionFactoryConfig } from './options.js';
import type { AsherahWarning } from './warnings.js';

/** A configuration that was checked, in the form its readers want. */
export interface CheckedConfig {
  /** For the engine, as go/capi/config.go reads it. */
  readonly engine: string;
  /** For the engine; whoever hands it over wipes it. */
  readonly masterKey: Uint8Array;
  readonly isTestKms: boolean;
  readonly isMemoryMetastore: boolean;
  /** UTF-16 units of the ids in every record, the partition's not counted. */
  readonly idLength: number;
  /** `undefined`: sessions are not cached. */
  readonly sessionCache: { readonly maxSize: number; readonly maxAgeMs: number } | undefined;
  readonly onWarning: ((warning: AsherahWarning) => void) | undefined;
}

// A duration in nanoseconds, the unit of other Asherah packages, is far above this limit (31 years), so it is noticed.
const maxSeconds = 1_000_000_000;
const seconds = integer(1, maxSeconds, 'seconds');
const cacheSize = integer(1, 10_000_000, 'entries');

/** Every option and its check: the compiler compares the names with those of the interface. */
const checks = {
  serviceName: text,
  productId: text,
  kms: oneOf('static', 'test-debug-static'),
  staticMasterKeyHex: hexKey,
  metastore: oneOf('memory', 'test-debug-memory', 'sqlite'),
  connectionString: text,
  sqliteBusyTimeout: number(0, 2_147_483, 'seconds'),
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

type Options = { -readonly [K in keyof typeof checks]?: ReturnType<(typeof checks)[K]> };
type OptionName = keyof Options;

/** @throws AsherahError `ERR_ASHERAH_INVALID_CONFIG` or `ERR_ASHERAH_UNKNOWN_OPTION` */
export function checkConfig(config: unknown): CheckedConfig {
  const options = readOptions(config);
  const serviceName = need(options, 'serviceName', 'Name the service the keys belong to.');
  const productId = need(options, 'productId', 'Name the product the keys belong to.');
  const kms = need(options, 'kms', `Choose ${names('static', 'test-debug-static')}.`);
  const metastore = need(options, 'metastore', `Choose ${names('memory', 'test-debug-memory', 'sqlite')}.`);
  const checkInterval = options.checkInterval ?? 3600;
  checkStaleness(options.maxKeyStaleness, checkInterval);
  const regionSuffix = options.regionSuffix ?? '';

  return {
    engine: JSON.stringify({
      service: serviceName,
      product: productId,
      regionSuffix,
      recoveryRegionSuffixes: options.recoveryRegionSuffixes ?? [],
      expireAfter: options.expireAfter ?? 90 * 24 * 3600,
      checkInterval,
      maxKeyStaleness: options.maxKeyStaleness ?? 0,
      intermediateKeyCacheMaxSize: options.intermediateKeyCacheMaxSize ?? 1000,
      systemKeyCacheMaxSize: options.systemKeyCacheMaxSize ?? 100,
      lockedMemory: options.lockedMemory ?? 'prefer',
      kms: { type: 'static' },
      metastore: engineMetastore(options, metastore),
    }),
    isTestKms: kms === 'test-debug-static',
    isMemoryMetastore: metastore === 'memory',
    idLength: serviceName.length + productId.length + regionSuffix.length,
    sessionCache: sessionCache(options),
    onWarning: options.onWarning,
    // Last: nothing after it can throw, so that the caller always gets to wipe it.
    masterKey: masterKey(options, kms),
  };
}

function readOptions(config: unknown): Options {
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

function need<K extends OptionName>(options: Options, name: K, remedy: string): Exclude<Options[K], undefined> {
  const value = options[name];
  if (value === undefined) {
    throw unexpected('ERR_ASHERAH_INVALID_CONFIG', `config.${name}`, 'a value', 'undefined', remedy);
  }
  return value as Exclude<Options[K], undefined>;
}

/** An option that would have no effect is refused: whoever gave it expects one. */
function refuse(options: Options, names: OptionName[], condition: string): void {
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

function checkStaleness(maxKeyStaleness: number | undefined, checkInterval: number): void {
  // A call waits for a refresh only after twice the interval; an earlier limit would fail calls that never asked.
  if (maxKeyStaleness !== undefined && maxKeyStaleness < 2 * checkInterval) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      'config.maxKeyStaleness',
      `at least twice checkInterval, ${2 * checkInterval} seconds`,
      String(maxKeyStaleness),
      'Raise it, or lower checkInterval.',
    );
  }
}

// Published with the Asherah libraries, whose test data is encrypted under it: it protects nothing.
const publicTestKey = 'thisIsAStaticMasterKeyForTesting';

function masterKey(options: Options, kms: 'static' | 'test-debug-static'): Uint8Array {
  // Not from Buffer's shared pool, so that the caller can wipe all of it.
  const key = Buffer.alloc(32);
  if (kms === 'static') {
    key.write(need(options, 'staticMasterKeyHex', 'kms static needs a key: 64 hexadecimal digits.'), 'hex');
  } else {
    refuse(options, ['staticMasterKeyHex'], `with kms '${kms}'`);
    key.write(publicTestKey, 'latin1');
  }
  return key;
}

function engineMetastore(options: Options, metastore: 'memory' | 'test-debug-memory' | 'sqlite'): object {
  if (metastore === 'sqlite') {
    return {
      type: 'sqlite',
      path: sqlitePath(need(options, 'connectionString', 'metastore sqlite needs the path of a file.')),
      busyTimeoutMs: Math.round((options.sqliteBusyTimeout ?? 5) * 1000),
    };
  }
  refuse(options, ['connectionString', 'sqliteBusyTimeout'], `with metastore '${metastore}'`);
  return { type: 'memory' };
}

/** Never in a message: a connection string meant for another store may hold a password. */
function sqlitePath(connectionString: string): string {
  const path = connectionString.startsWith('sqlite://') ? connectionString.slice('sqlite://'.length) : connectionString;
  // A scheme has at least two letters: C:\ is a drive.
  const isOther = /^[a-z][a-z0-9+.-]+:/i.test(path) || path === ':memory:' || path === '' || path.includes('\0');
  if (isOther) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      'config.connectionString',
      'a file path, or sqlite:// and a file path',
      describe(connectionString),
      "Only files can be opened; for a store in memory use metastore 'memory'.",
    );
  }
  // The engine opens further connections later, when the working directory may be another.
  return resolve(path);
}

function sessionCache(options: Options): CheckedConfig['sessionCache'] {
  if (options.enableSessionCaching === false) {
    refuse(options, ['sessionCacheMaxSize', 'sessionCacheDuration'], 'with enableSessionCaching false');
    return undefined;
  }
  return {
    maxSize: options.sessionCacheMaxSize ?? 1000,
    maxAgeMs: (options.sessionCacheDuration ?? 7200) * 1000,
  };
}
