// SPDX-License-Identifier: Apache-2.0
import { names } from './checks.js';
import { unexpected } from './errors.js';
import { need, type OptionName, type Options, refuse } from './option-reader.js';

const ofStatic = ['staticMasterKeyHex'] as const satisfies OptionName[];
const ofAws = [
  'regionMap',
  'preferredRegion',
  'kmsKeyId',
  'kmsEndpoint',
  'kmsRegionTimeout',
  'requireAllRegions',
] as const satisfies OptionName[];

/** The engine's part about the KMS: KMSConfig of go/capi/config.go. */
export function kmsConfig(options: Options): object {
  const kms = need(options, 'kms', `Choose ${names('aws', 'static', 'test-debug-static')}.`);
  if (kms !== 'static') refuse(options, ofStatic, `with kms '${kms}'`);
  if (kms !== 'aws') {
    refuse(options, ofAws, `with kms '${kms}'`);
    return { type: 'static' };
  }
  return {
    type: 'aws',
    regions: regions(options),
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
function regions(options: Options): Region[] {
  const { regionMap, kmsKeyId, kmsEndpoint } = options;
  if (regionMap === undefined) {
    refuse(options, ['preferredRegion'], 'without regionMap');
    if (typeof kmsEndpoint === 'object') throw endpointPerRegion();
    const key = need(options, 'kmsKeyId', 'kms aws needs a key: regionMap, or kmsKeyId for a single one.');
    return [{ region: regionOfArn(key) ?? '', key, endpoint: kmsEndpoint ?? '' }];
  }
  if (kmsKeyId !== undefined) refuse(options, ['kmsKeyId'], 'beside regionMap');
  const known = Object.keys(regionMap);
  const preferred = options.preferredRegion ?? (known.length === 1 ? known[0] : undefined);
  if (preferred === undefined) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      'config.preferredRegion',
      'the region to ask first',
      `undefined, with ${known.length} in regionMap`,
      `Choose ${names(...known)}.`,
    );
  }
  if (!known.includes(preferred)) throw notInMap('config.preferredRegion', preferred, known);
  for (const region of typeof kmsEndpoint === 'object' ? Object.keys(kmsEndpoint) : []) {
    if (!known.includes(region)) throw notInMap('config.kmsEndpoint', region, known);
  }
  return [preferred, ...known.filter((region) => region !== preferred).sort()].map((region) => ({
    region,
    key: regionMap[region] as string,
    endpoint: (typeof kmsEndpoint === 'object' ? kmsEndpoint[region] : kmsEndpoint) ?? '',
  }));
}

function regionOfArn(key: string): string | undefined {
  return /^arn:[^:]*:kms:([^:]+):/.exec(key)?.[1];
}

function endpointPerRegion(): Error {
  return unexpected(
    'ERR_ASHERAH_INVALID_CONFIG',
    'config.kmsEndpoint',
    'one URL with kmsKeyId',
    'an object of URLs by region',
    'Pass a string, or name the regions in regionMap.',
  );
}

function notInMap(option: string, got: string, known: string[]): Error {
  const shown = got.length > 64 ? 'a longer name' : JSON.stringify(got);
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
export function masterKey(options: Options): Uint8Array | undefined {
  if (options.kms === 'aws') return undefined;
  // Not from Buffer's shared pool, so that all of it can be wiped.
  const key = Buffer.alloc(32);
  if (options.kms === 'static') {
    key.write(need(options, 'staticMasterKeyHex', 'kms static needs a key: 64 hexadecimal digits.'), 'hex');
  } else {
    key.write(publicTestKey, 'latin1');
  }
  return key;
}
