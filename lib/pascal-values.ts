// SPDX-License-Identifier: Apache-2.0
import { unexpected } from './errors.js';
import type { OptionName } from './option-checks.js';

// The values of PascalCase options, which `asherah` 3 read with Go's rules: durations are nanoseconds, and what Go gives a
// field that is not there means the default. `asherah` 4 reads the same names with durations in seconds.

/** Durations for which 0 means nothing of its own, and sizes. */
const zeroIsDefault = [
  'expireAfter',
  'checkInterval',
  'maxKeyStaleness',
  'sessionCacheDuration',
  'requestTimeout',
  'kmsRegionTimeout',
] as const satisfies OptionName[];
const sizes = ['sessionCacheMaxSize', 'intermediateKeyCacheMaxSize', 'systemKeyCacheMaxSize'] as const;
const withFractions = ['requestTimeout', 'kmsRegionTimeout', 'sqliteBusyTimeout'] as const satisfies OptionName[];
const durations = [...zeroIsDefault, 'sqliteBusyTimeout', 'poolMaxLifetime', 'poolMaxIdleTime'] as const;
// Without serviceName and productId, which are required, and staticMasterKeyHex, which is better missed than defaulted.
const texts = [
  'kms',
  'connectionString',
  'sqlMetastoreDbType',
  'replicaReadConsistency',
  'preferredRegion',
  'kmsKeyId',
  'awsProfileName',
  'dynamoDbEndpoint',
  'dynamoDbRegion',
  'dynamoDbSigningRegion',
  'dynamoDbTableName',
] as const satisfies OptionName[];

const has = (names: readonly OptionName[], name: OptionName) => names.includes(name);

/** Nobody means 31 years, and nobody means a second in nanoseconds. */
const nanosecondsFrom = 1_000_000_000;
/** What is left for seconds: beyond are fractions of a second in nanoseconds, or 12 to 31 years. */
const secondsBelow = 400_000_000;

/** @returns the value as its camelCase option would have it; `undefined` where it means the default */
export function fromPascal(option: OptionName, value: unknown, label: string): unknown {
  if (value === 0 && (has(zeroIsDefault, option) || has(sizes, option))) return undefined;
  if (value === '' && has(texts, option)) return undefined;
  if (option === 'regionMap' && isEmptyObject(value)) return undefined;
  if (typeof value !== 'number' || !has(durations, option) || !(value >= secondsBelow)) return value;
  // Up to a whole second where options have whole ones: a key that lives 1.5 s, as `asherah` 3 has it, lives 2.
  if (value >= nanosecondsFrom) return has(withFractions, option) ? value / 1e9 : Math.ceil(value / 1e9);
  throw unexpected(
    'ERR_ASHERAH_INVALID_CONFIG',
    label,
    'seconds below 400000000, or nanoseconds from 1000000000',
    String(value),
    'Between the two nobody can tell which it is: write seconds.',
  );
}

function isEmptyObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length === 0;
}
