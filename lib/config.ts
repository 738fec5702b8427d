// SPDX-License-Identifier: Apache-2.0
import type { AddonName } from './addon.js';
import { unexpected } from './errors.js';
import { chooseKms, kmsConfig, masterKey } from './kms-config.js';
import { chooseMetastore, metastoreConfig } from './metastore-config.js';
import type { Options } from './option-checks.js';
import { Given } from './option-reader.js';
import type { AwsCredentialsFunction } from './options.js';
import type { ProviderSet } from './providers.js';
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
  /** The key of the static KMS is the public one. */
  readonly isTestKms: boolean;
  readonly isMemoryMetastore: boolean;
  /** The SQLite file, an absolute path. */
  readonly sqliteFile: string | undefined;
  /** At least the UTF-16 units of the ids in every record, the partition's not counted. */
  readonly idLength: number;
  /** `undefined`: sessions are not cached. */
  readonly sessionCache: { readonly maxSize: number; readonly maxAgeMs: number } | undefined;
  readonly awsCredentials: AwsCredentialsFunction | undefined;
  /** `undefined`: the engine has both. */
  readonly providers: ProviderSet | undefined;
  readonly onWarning: ((warning: AsherahWarning) => void) | undefined;
  readonly hooks: {
    readonly logHook: Options['logHook'];
    readonly logLevel: Options['logLevel'];
    readonly verbose: boolean;
    readonly metricsHook: Options['metricsHook'];
  };
  /** About the configuration itself; a sentence that was told need not be told again. */
  readonly warnings: readonly AsherahWarning[];
}

export interface CheckOptions {
  /** Called as soon as it is known which addon the configuration needs. */
  readonly prepare?: (addon: AddonName, addonOption: string) => void;
  /** Whether the configuration was given to `setup`. @defaultValue false */
  readonly moduleLevel?: boolean;
}

/** No AWS region has a longer name. */
const maxRegionLength = 32;

/** @throws AsherahError `ERR_ASHERAH_INVALID_CONFIG` or `ERR_ASHERAH_UNKNOWN_OPTION` */
export function checkConfig(config: unknown, { prepare, moduleLevel = false }: CheckOptions = {}): CheckedConfig {
  const given = new Given(config, moduleLevel);
  const { options } = given;
  chooseKms(given);
  chooseMetastore(given);
  const addonOption = whatNeedsCloud(given);
  const addon = addonOption === '' ? 'core' : 'cloud';
  if (options.kms !== undefined && options.metastore !== undefined) prepare?.(addon, addonOption);
  const serviceName = given.need('serviceName', 'Name the service the keys belong to.');
  const productId = given.need('productId', 'Name the product the keys belong to.');
  const kms = kmsConfig(given);
  const metastore = metastoreConfig(given);
  const checkInterval = options.checkInterval ?? 3600;
  checkStaleness(given, checkInterval);
  const providers = providerSet(given);
  const waits = addon === 'cloud' || providers !== undefined;
  if (!waits) given.refuse(['requestTimeout'], 'where no server is asked');
  const engine = {
    service: serviceName,
    product: productId,
    regionSuffix: options.regionSuffix ?? '',
    recoveryRegionSuffixes: options.recoveryRegionSuffixes ?? [],
    expireAfter: options.expireAfter ?? 90 * 24 * 3600,
    checkInterval,
    maxKeyStaleness: options.maxKeyStaleness ?? 0,
    requestTimeoutMs: !waits ? 0 : Math.round((options.requestTimeout ?? 10) * 1000),
    intermediateKeyCacheMaxSize: options.intermediateKeyCacheMaxSize ?? 1000,
    systemKeyCacheMaxSize: options.systemKeyCacheMaxSize ?? 100,
    lockedMemory: options.lockedMemory ?? 'prefer',
    kms,
    metastore,
    aws: aws(given),
  };
  return {
    engine: JSON.stringify(engine),
    addon,
    addonOption,
    isMemoryMetastore: options.metastore === 'memory',
    sqliteFile: metastore.path,
    idLength:
      serviceName.length +
      productId.length +
      (options.enableRegionSuffix ? maxRegionLength : engine.regionSuffix.length),
    sessionCache: sessionCache(given),
    awsCredentials: options.awsCredentials,
    providers,
    onWarning: options.onWarning,
    hooks: hooks(given),
    warnings: given.warnings,
    // Last: nothing after it can throw, so that the caller always gets to wipe the key.
    ...masterKey(given),
  };
}

/** The rule of when the cloud addon is needed: whatever opens a connection is in it. */
function whatNeedsCloud(given: Given): string {
  const { kms, metastore } = given.options;
  if (kms === 'aws') return `${given.label('kms')} 'aws'`;
  if (metastore === 'rdbms' || metastore === 'dynamodb') return `${given.label('metastore')} '${metastore}'`;
  return '';
}

function providerSet(given: Given): ProviderSet | undefined {
  const { kms, metastore } = given.options;
  const set = {
    kms: typeof kms === 'object' ? kms : undefined,
    metastore: typeof metastore === 'object' ? metastore : undefined,
  };
  return set.kms === undefined && set.metastore === undefined ? undefined : set;
}

/** AWSConfig of go/capi/config.go. */
function aws(given: Given): object | undefined {
  const { options } = given;
  if (options.kms !== 'aws' && options.metastore !== 'dynamodb') {
    given.refuse(['awsProfileName', 'awsCredentials'], 'where no AWS service is asked');
    return undefined;
  }
  if (options.awsCredentials !== undefined) given.refuse(['awsProfileName'], 'beside awsCredentials');
  // As JavaScript sees them now: the engine's own copy of the environment is as old as the addon, and a worker thread's
  // may be another.
  const environment = Object.entries(process.env).filter(([name]) => name.startsWith('AWS_'));
  return {
    environment: Object.fromEntries(environment),
    profile: options.awsProfileName ?? '',
    credentialsFunction: options.awsCredentials !== undefined,
  };
}

function checkStaleness(given: Given, checkInterval: number): void {
  const { maxKeyStaleness } = given.options;
  // A call waits for a refresh only after twice the interval; an earlier limit would fail calls that never asked.
  if (maxKeyStaleness !== undefined && maxKeyStaleness < 2 * checkInterval) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      given.label('maxKeyStaleness'),
      `at least twice checkInterval, ${2 * checkInterval} seconds`,
      String(maxKeyStaleness),
      'Raise it, or lower checkInterval.',
    );
  }
}

function sessionCache(given: Given): CheckedConfig['sessionCache'] {
  const { options } = given;
  if (options.enableSessionCaching === false) {
    given.refuse(['sessionCacheMaxSize', 'sessionCacheDuration'], 'with enableSessionCaching false');
    return undefined;
  }
  return {
    maxSize: options.sessionCacheMaxSize ?? 1000,
    maxAgeMs: (options.sessionCacheDuration ?? 7200) * 1000,
  };
}

function hooks(given: Given): CheckedConfig['hooks'] {
  const { options } = given;
  if (options.logHook === undefined) given.refuse(['logLevel'], 'without logHook');
  if (options.verbose === true) given.refuse(['logLevel'], 'with verbose true');
  return {
    logHook: options.logHook,
    logLevel: options.logLevel,
    verbose: options.verbose ?? false,
    metricsHook: options.metricsHook,
  };
}
