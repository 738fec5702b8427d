// SPDX-License-Identifier: Apache-2.0
import type { AddonName } from './addon.js';
import { unexpected } from './errors.js';
import { kmsConfig, masterKey } from './kms-config.js';
import { metastoreConfig } from './metastore-config.js';
import { need, type Options, readOptions, refuse } from './option-reader.js';
import type { AwsCredentialsFunction } from './options.js';
import type { AsherahWarning } from './warnings.js';

/** A configuration that was checked, in the form its readers want. */
export interface CheckedConfig {
  /** For the engine, as go/capi/config.go reads it. */
  readonly engine: string;
  /** The static KMS's key, for the engine; whoever hands it over wipes it. */
  readonly masterKey: Uint8Array | undefined;
  readonly addon: AddonName;
  /** What asks for that addon. */
  readonly addonOption: string;
  readonly isTestKms: boolean;
  readonly isMemoryMetastore: boolean;
  /** The SQLite file, an absolute path. */
  readonly sqliteFile: string | undefined;
  /** At least the UTF-16 units of the ids in every record, the partition's not counted. */
  readonly idLength: number;
  /** `undefined`: sessions are not cached. */
  readonly sessionCache: { readonly maxSize: number; readonly maxAgeMs: number } | undefined;
  readonly awsCredentials: AwsCredentialsFunction | undefined;
  readonly onWarning: ((warning: AsherahWarning) => void) | undefined;
}

/** No AWS region has a longer name. */
const maxRegionLength = 32;

/**
 * @param prepare called as soon as it is known which addon the configuration needs
 * @throws AsherahError `ERR_ASHERAH_INVALID_CONFIG` or `ERR_ASHERAH_UNKNOWN_OPTION`
 */
export function checkConfig(config: unknown, prepare?: (addon: AddonName, addonOption: string) => void): CheckedConfig {
  const options = readOptions(config);
  const addonOption = whatNeedsCloud(options);
  const addon = addonOption === '' ? 'core' : 'cloud';
  if (options.kms !== undefined && options.metastore !== undefined) prepare?.(addon, addonOption);
  const serviceName = need(options, 'serviceName', 'Name the service the keys belong to.');
  const productId = need(options, 'productId', 'Name the product the keys belong to.');
  const kms = kmsConfig(options);
  const metastore = metastoreConfig(options);
  const checkInterval = options.checkInterval ?? 3600;
  checkStaleness(options.maxKeyStaleness, checkInterval);
  const regionSuffix = options.regionSuffix ?? '';
  if (addon === 'core') refuse(options, ['requestTimeout'], 'where no server is asked');

  return {
    engine: JSON.stringify({
      service: serviceName,
      product: productId,
      regionSuffix,
      recoveryRegionSuffixes: options.recoveryRegionSuffixes ?? [],
      expireAfter: options.expireAfter ?? 90 * 24 * 3600,
      checkInterval,
      maxKeyStaleness: options.maxKeyStaleness ?? 0,
      requestTimeoutMs: addon === 'core' ? 0 : Math.round((options.requestTimeout ?? 10) * 1000),
      intermediateKeyCacheMaxSize: options.intermediateKeyCacheMaxSize ?? 1000,
      systemKeyCacheMaxSize: options.systemKeyCacheMaxSize ?? 100,
      lockedMemory: options.lockedMemory ?? 'prefer',
      kms,
      metastore,
      aws: aws(options),
    }),
    addon,
    addonOption,
    isTestKms: options.kms === 'test-debug-static',
    isMemoryMetastore: options.metastore === 'memory',
    sqliteFile: metastore.path,
    idLength:
      serviceName.length + productId.length + (options.enableRegionSuffix ? maxRegionLength : regionSuffix.length),
    sessionCache: sessionCache(options),
    awsCredentials: options.awsCredentials,
    onWarning: options.onWarning,
    // Last: nothing after it can throw, so that the caller always gets to wipe it.
    masterKey: masterKey(options),
  };
}

/** The rule of when the cloud addon is needed: whatever opens a connection is in it. */
function whatNeedsCloud(options: Options): string {
  if (options.kms === 'aws') return "config.kms 'aws'";
  if (options.metastore === 'rdbms' || options.metastore === 'dynamodb') {
    return `config.metastore '${options.metastore}'`;
  }
  return '';
}

/** AWSConfig of go/capi/config.go. */
function aws(options: Options): object | undefined {
  if (options.kms !== 'aws' && options.metastore !== 'dynamodb') {
    refuse(options, ['awsProfileName', 'awsCredentials'], 'where no AWS service is asked');
    return undefined;
  }
  if (options.awsCredentials !== undefined) refuse(options, ['awsProfileName'], 'beside awsCredentials');
  // As JavaScript sees them now: the engine's own copy of the environment is as old as the addon, and a worker thread's
  // may be another.
  const environment = Object.entries(process.env).filter(([name]) => name.startsWith('AWS_'));
  return {
    environment: Object.fromEntries(environment),
    profile: options.awsProfileName ?? '',
    credentialsFunction: options.awsCredentials !== undefined,
  };
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
