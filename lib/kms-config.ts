// SPDX-License-Identifier: Apache-2.0
import { hexKey, names } from './checks.js';
import { unexpected } from './errors.js';
import type { OptionName } from './option-checks.js';
import type { Given } from './option-reader.js';

const ofStatic = ['staticMasterKeyHex'] as const satisfies OptionName[];
const ofAws = [
  'regionMap',
  'preferredRegion',
  'kmsKeyId',
  'kmsEndpoint',
  'kmsRegionTimeout',
  'requireAllRegions',
] as const satisfies OptionName[];

/** `asherah` 3 took AWS KMS where nothing was said; `asherah` 4 and this package want it said. */
export function chooseKms({ options, isPascal }: Given): void {
  if (isPascal) options.kms ??= 'aws';
}

/** The engine's part about the KMS: KMSConfig of go/capi/config.go. */
export function kmsConfig(given: Given): object {
  const { options } = given;
  const kms = given.need('kms', `KMS is required: choose ${names('aws', 'static', 'test-debug-static')}.`);
  const condition = typeof kms === 'object' ? 'with a kms of your own' : `with kms '${kms}'`;
  if (kms === 'test-debug-static' && options.staticMasterKeyHex !== undefined) {
    // Never ignored: what should be under that key would be under the public one.
    throw given.conflict('staticMasterKeyHex', condition, "Use kms 'static' with a key of your own.");
  }
  if (kms === 'aws' || typeof kms === 'object') given.refuse(ofStatic, condition);
  if (kms !== 'aws') {
    given.refuse(ofAws, condition);
    return { type: typeof kms === 'object' ? 'provider' : 'static' };
  }
  return {
    type: 'aws',
    regions: regions(given),
    requireAllRegions: options.requireAllRegions ?? false,
    regionTimeoutMs: Math.round((options.kmsRegionTimeout ?? 1) * 1000),
  };
}

interface Region {
  readonly region: string;
  readonly key: string;
  readonly endpoint: string;
}

/** The preferred one first. */
function regions(given: Given): Region[] {
  const { regionMap, kmsEndpoint } = given.options;
  if (regionMap === undefined) {
    given.refuse(['preferredRegion'], 'without regionMap');
    if (typeof kmsEndpoint === 'object') throw endpointPerRegion(given.label('kmsEndpoint'));
    const key = given.need('kmsKeyId', 'kms aws needs a key: regionMap, or kmsKeyId for a single one.');
    return [{ region: regionOfArn(key) ?? '', key, endpoint: kmsEndpoint ?? '' }];
  }
  given.refuse(['kmsKeyId'], 'beside regionMap');
  const known = Object.keys(regionMap).sort();
  const preferred = preferredOf(given, known);
  if (!known.includes(preferred)) throw notInMap(given.label('preferredRegion'), preferred, known);
  for (const region of typeof kmsEndpoint === 'object' ? Object.keys(kmsEndpoint) : []) {
    if (!known.includes(region)) throw notInMap(given.label('kmsEndpoint'), region, known);
  }
  return [preferred, ...known.filter((region) => region !== preferred)].map((region) => ({
    region,
    key: regionMap[region] as string,
    endpoint: (typeof kmsEndpoint === 'object' ? kmsEndpoint[region] : kmsEndpoint) ?? '',
  }));
}

function preferredOf(given: Given, known: string[]): string {
  const { preferredRegion } = given.options;
  if (preferredRegion !== undefined) return preferredRegion;
  const [first] = known as [string];
  if (known.length === 1) return first;
  const error = unexpected(
    'ERR_ASHERAH_INVALID_CONFIG',
    given.label('preferredRegion'),
    'the region to ask first',
    `undefined, with ${known.length} in regionMap`,
    `Choose ${names(...known)}.`,
  );
  if (!given.isPascal) throw error;
  // `asherah` 3 took any, another at each start.
  given.warn('WARN_ASHERAH_PREFERRED_REGION', `${error.message} Now it is '${first}'.`);
  return first;
}

function regionOfArn(key: string): string | undefined {
  return /^arn:[^:]*:kms:([^:]+):/.exec(key)?.[1];
}

function endpointPerRegion(label: string): Error {
  return unexpected(
    'ERR_ASHERAH_INVALID_CONFIG',
    label,
    'one URL with kmsKeyId',
    'an object of URLs by region',
    'Pass a string, or name the regions in regionMap.',
  );
}

function notInMap(option: string, got: string, known: string[]): Error {
  // Anything else may be a secret in the wrong place.
  const shown = /^[a-z0-9-]{1,32}$/.test(got) ? JSON.stringify(got) : 'no name of a region';
  return unexpected(
    'ERR_ASHERAH_INVALID_CONFIG',
    option,
    'a region of regionMap',
    shown,
    known.length === 1 ? `It has '${known[0]}'.` : `It has ${names(...known).replace(/ or /, ' and ')}.`,
  );
}

// Published with the Asherah libraries, whose test data is encrypted under it: it protects nothing.
const publicTestKey = 'thisIsAStaticMasterKeyForTesting';

/** The static KMS's key, or `undefined` for another KMS. Whoever gets it wipes it. */
export function masterKey(given: Given): { masterKey: Uint8Array | undefined; isTestKms: boolean } {
  const { kms } = given.options;
  if (kms === 'aws' || typeof kms === 'object') return { masterKey: undefined, isTestKms: false };
  const digits = kms === 'static' ? staticKey(given) : undefined;
  // Not from Buffer's shared pool, so that all of it can be wiped.
  const key = Buffer.alloc(32);
  if (digits === undefined) key.write(publicTestKey, 'latin1');
  else key.write(digits, 'hex');
  return { masterKey: key, isTestKms: digits === undefined };
}

/** @returns `undefined` where `asherah` 3 used the public test key */
function staticKey(given: Given): string | undefined {
  const { staticMasterKeyHex } = given.options;
  if (staticMasterKeyHex !== undefined) return staticMasterKeyHex;
  const { STATIC_MASTER_KEY_HEX: variable } = process.env;
  if (variable !== undefined && variable !== '') return hexKey(variable, 'STATIC_MASTER_KEY_HEX');
  if (given.isPascal) return undefined;
  const remedy =
    'StaticMasterKeyHex is required with kms static: 64 hexadecimal digits, here or in the variable STATIC_MASTER_KEY_HEX.';
  return given.need('staticMasterKeyHex', remedy);
}
