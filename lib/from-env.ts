// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from 'node:util';
import { asBoolean, asGoDuration, asJson, asList, asNumber, asPairs, asText, type Parse, wrong } from './env-values.js';
import { databaseOfForm } from './metastore-config.js';
import { checks, type OptionName } from './option-checks.js';
import { origins } from './option-reader.js';
import type { SessionFactoryConfig } from './options.js';
import type { AsherahWarning } from './warnings.js';

/**
 * The variables that say one option each: those of `asherah` 4, and the `ASHERAH_*` of the Go server. Of several for an
 * option, messages about a missing value name the first.
 */
export const variables: Readonly<Record<string, readonly [OptionName, Parse]>> = {
  SERVICE_NAME: ['serviceName', asText],
  ASHERAH_SERVICE_NAME: ['serviceName', asText],
  PRODUCT_ID: ['productId', asText],
  ASHERAH_PRODUCT_NAME: ['productId', asText],
  REGION_SUFFIX: ['regionSuffix', asText],
  RECOVERY_REGION_SUFFIXES: ['recoveryRegionSuffixes', asList],
  KMS: ['kms', asText],
  ASHERAH_KMS_MODE: ['kms', asText],
  STATIC_MASTER_KEY_HEX: ['staticMasterKeyHex', asText],
  REGION_MAP: ['regionMap', asJson],
  ASHERAH_REGION_MAP: ['regionMap', asPairs],
  PREFERRED_REGION: ['preferredRegion', asText],
  ASHERAH_PREFERRED_REGION: ['preferredRegion', asText],
  KMS_KEY_ID: ['kmsKeyId', asText],
  ASHERAH_METASTORE_MODE: ['metastore', asText],
  ASHERAH_CONNECTION_STRING: ['connectionString', asText],
  ASHERAH_SQL_METASTORE_DB_TYPE: ['sqlMetastoreDbType', asText],
  REPLICA_READ_CONSISTENCY: ['replicaReadConsistency', asText],
  ASHERAH_REPLICA_READ_CONSISTENCY: ['replicaReadConsistency', asText],
  ASHERAH_POOL_MAX_OPEN: ['poolMaxOpen', asNumber],
  ASHERAH_POOL_SIZE: ['poolMaxOpen', asNumber],
  ASHERAH_POOL_MAX_IDLE: ['poolMaxIdle', asNumber],
  ASHERAH_POOL_MAX_LIFETIME: ['poolMaxLifetime', asNumber],
  ASHERAH_POOL_MAX_IDLE_TIME: ['poolMaxIdleTime', asNumber],
  ASHERAH_DYNAMODB_TABLE_NAME: ['dynamoDbTableName', asText],
  ASHERAH_DYNAMODB_REGION: ['dynamoDbRegion', asText],
  ASHERAH_DYNAMODB_ENDPOINT: ['dynamoDbEndpoint', asText],
  DDB_REGION_SUFFIX: ['enableRegionSuffix', asBoolean],
  ASHERAH_ENABLE_REGION_SUFFIX: ['enableRegionSuffix', asBoolean],
  EXPIRE_AFTER_SECS: ['expireAfter', asNumber],
  ASHERAH_EXPIRE_AFTER: ['expireAfter', asGoDuration],
  REVOKE_CHECK_INTERVAL_SECS: ['checkInterval', asNumber],
  ASHERAH_CHECK_INTERVAL: ['checkInterval', asGoDuration],
  ASHERAH_ENABLE_SESSION_CACHING: ['enableSessionCaching', asBoolean],
  SESSION_CACHE_MAX_SIZE: ['sessionCacheMaxSize', asNumber],
  ASHERAH_SESSION_CACHE_MAX_SIZE: ['sessionCacheMaxSize', asNumber],
  SESSION_CACHE_DURATION_SECS: ['sessionCacheDuration', asNumber],
  ASHERAH_SESSION_CACHE_DURATION: ['sessionCacheDuration', asGoDuration],
  INTERMEDIATE_KEY_CACHE_MAX_SIZE: ['intermediateKeyCacheMaxSize', asNumber],
  ASHERAH_VERBOSE: ['verbose', asBoolean],
  ASHERAH_NODE_DEBUG: ['verbose', asBoolean],
  ASHERAH_DISABLE_ZERO_COPY: ['disableZeroCopy', asBoolean],
  ASHERAH_NULL_DATA_CHECK: ['nullDataCheck', asBoolean],
  ASHERAH_CONFIG_DRIFT_FORCE_RUN: ['configDriftForceRun', asBoolean],
  ASHERAH_CONFIG_DRIFT_FORCE_UPDATE: ['configDriftForceUpdate', asBoolean],
};

/** The variables of `asherah` 4 that choose the metastore, in the order in which one goes before the next. */
export const metastoreVariables = [
  ['SQLITE_PATH', 'sqlite'],
  ['DDB_TABLE', 'dynamodb'],
  ['POSTGRES_URL', 'rdbms'],
  ['MYSQL_URL', 'rdbms'],
] as const;

/** The variables whose effect depends on others, besides those and `Metastore`. */
export const otherVariables = [
  'MYSQL_TLS_MODE',
  'CREATE_DATE_PRECISION_SECS',
  'SHARED_INTERMEDIATE_KEY_CACHE',
  'SELF_HEAL_RECOVERED_KEYS',
] as const;

/**
 * The configuration that variables describe (`docs/configuration.md` lists them), for `SessionFactory.fromEnv()`. An empty
 * one is not given. `AWS_*` is not in it: every factory reads those of `process.env`.
 *
 * Messages about it name variables, as long as the object itself, not a copy, is given to a factory.
 *
 * @throws AsherahError `ERR_ASHERAH_INVALID_CONFIG`
 */
export function optionsFromEnvironment(env: NodeJS.ProcessEnv): SessionFactoryConfig {
  const reader = new Reader(env);
  for (const [variable, [option, parse]] of Object.entries(variables)) {
    const text = reader.text(variable);
    if (text !== undefined) reader.set(option, parse(text, variable), variable);
  }
  readMetastore(reader);
  readTheOnlyWays(reader);
  const { options } = reader;
  // As in `asherah` 4, whose data is under that key then, and not under the public one.
  if (options.kms === 'test-debug-static' && options.staticMasterKeyHex !== undefined) options.kms = 'static';
  reader.defaultName('serviceName', 'service');
  reader.defaultName('productId', 'product');
  const config = { ...options };
  origins.set(config, reader);
  return config as unknown as SessionFactoryConfig;
}

class Reader {
  readonly options: Record<string, unknown> = Object.create(null);
  readonly warnings: AsherahWarning[] = [];
  /** The variable of each option: the one that was given, or the one to give. */
  readonly labels: Record<string, string> = Object.create(null);
  readonly #env: NodeJS.ProcessEnv;

  constructor(env: NodeJS.ProcessEnv) {
    this.#env = env;
    for (const [variable, [option]] of Object.entries(variables)) this.labels[option] ??= variable;
    this.labels.metastore = 'Metastore';
    this.labels.connectionString = 'SQLITE_PATH, POSTGRES_URL or MYSQL_URL';
  }

  text(variable: string): string | undefined {
    const value = this.#env[variable];
    return value === '' ? undefined : value;
  }

  set(option: OptionName, value: unknown, variable: string): void {
    const checked = checks[option](value, variable);
    if (option in this.options && !isDeepStrictEqual(this.options[option], checked)) {
      const expected = `the value of ${this.labels[option]}, which is the same option`;
      throw wrong(variable, expected, 'another one', 'Unset one of the two.');
    }
    this.options[option] = checked;
    this.labels[option] = variable;
  }

  ignored(variable: string, by: string): void {
    const message = `${variable}: expected no value beside ${by}, got one. It is ignored: unset it.`;
    this.warnings.push({ code: 'WARN_ASHERAH_OPTION_IGNORED', message });
  }

  /** `asherah` 4's: without it, the data of who relied on it could not be read. */
  defaultName(option: OptionName, name: string): void {
    if (option in this.options) return;
    this.options[option] = name;
    const message = `${this.labels[option]}: expected a name, got undefined. It is '${name}' now, as in asherah 4: set it.`;
    this.warnings.push({ code: 'WARN_ASHERAH_DEFAULT_NAME', message });
  }
}

/** By the precedence of `asherah` 4; what loses is warned of. */
function readMetastore(reader: Reader): void {
  const text = reader.text('Metastore');
  const choice =
    text === undefined ? undefined : String(checks.metastore(text, 'Metastore')).replace('test-debug-sqlite', 'sqlite');
  const given = metastoreVariables.filter(([variable]) => reader.text(variable) !== undefined);
  const said = new Set<string | undefined>([...given.map(([, metastore]) => metastore), choice]);
  const metastore = ['sqlite', 'dynamodb', 'rdbms'].find((each) => said.has(each)) ?? choice;
  const winner = given.find(([, of]) => of === metastore)?.[0];
  const decisive = winner ?? 'Metastore';
  for (const [variable] of given) if (variable !== winner) reader.ignored(variable, decisive);
  if (choice !== undefined && choice !== metastore) reader.ignored('Metastore', decisive);
  if (metastore !== undefined) reader.set('metastore', metastore, decisive);
  if (winner === 'DDB_TABLE') reader.set('dynamoDbTableName', reader.text(winner), winner);
  else if (winner !== undefined) reader.set('connectionString', connection(reader, winner), winner);
  if (winner !== 'MYSQL_URL' && reader.text('MYSQL_TLS_MODE') !== undefined) {
    reader.ignored('MYSQL_TLS_MODE', winner ?? 'no MYSQL_URL');
  }
  const { options, labels } = reader;
  options.metastore ??= 'memory';
  if (options.connectionString !== undefined && options.metastore !== 'rdbms' && options.metastore !== 'sqlite') {
    // Not ignored: keys that should be kept there would be lost with the process.
    const expected = 'a metastore beside it that has one';
    throw wrong(String(labels.connectionString), expected, `'${options.metastore}'`, `Set ${labels.metastore}.`);
  }
}

function connection(reader: Reader, variable: 'SQLITE_PATH' | 'POSTGRES_URL' | 'MYSQL_URL'): string {
  const url = reader.text(variable) as string;
  if (variable === 'SQLITE_PATH') return url;
  const database = variable === 'MYSQL_URL' ? 'mysql' : 'postgres';
  const ofForm = databaseOfForm(url);
  if (ofForm === undefined) reader.set('sqlMetastoreDbType', database, variable);
  else if (ofForm !== database) throw wrong(variable, `the URL of a ${database} server`, `one of ${ofForm}`);
  const mode = database === 'mysql' ? reader.text('MYSQL_TLS_MODE') : undefined;
  if (mode === undefined) return url;
  if (!['true', 'false', 'skip-verify'].includes(mode)) {
    throw wrong('MYSQL_TLS_MODE', "'true', 'false' or 'skip-verify'", 'another value', 'asherah 4 took it for true.');
  }
  if (/[?&](tls|ssl[a-z-]*)=/i.test(url)) {
    throw wrong('MYSQL_TLS_MODE', 'no value beside a MYSQL_URL that says it', 'one', 'Leave one of the two out.');
  }
  return `${url}${url.includes('?') ? '&' : '?'}tls=${mode}`;
}

/** Variables for what this package does in one way only, which they may confirm. */
function readTheOnlyWays(reader: Reader): void {
  const precision = Math.min(60, (reader.options.expireAfter as number | undefined) ?? 60);
  const ways: [(typeof otherVariables)[number], Parse, unknown, string][] = [
    ['CREATE_DATE_PRECISION_SECS', asNumber, precision, 'Dates of keys are cut to 60 seconds, or to expireAfter.'],
    ['SHARED_INTERMEDIATE_KEY_CACHE', asBoolean, true, 'The sessions of a factory always share their keys.'],
    ['SELF_HEAL_RECOVERED_KEYS', asBoolean, false, 'Decrypting never writes here.'],
  ];
  for (const [variable, parse, only, reason] of ways) {
    const text = reader.text(variable);
    if (text === undefined || parse(text, variable) === only) continue;
    throw wrong(variable, `${only} or no value`, 'another value', `${reason} Unset it.`);
  }
}
