// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { names } from './checks.js';
import { describe, unexpected } from './errors.js';
import type { OptionName } from './option-checks.js';
import type { Given } from './option-reader.js';

/** Which options each metastore has. */
const ofMetastore = {
  sqlite: ['connectionString', 'sqliteBusyTimeout'],
  rdbms: [
    'connectionString',
    'sqlMetastoreDbType',
    'replicaReadConsistency',
    'requireTls',
    'caFile',
    'poolMaxOpen',
    'poolMaxIdle',
    'poolMaxLifetime',
    'poolMaxIdleTime',
  ],
  dynamodb: ['dynamoDbTableName', 'dynamoDbRegion', 'dynamoDbSigningRegion', 'dynamoDbEndpoint', 'enableRegionSuffix'],
} as const satisfies Record<string, readonly OptionName[]>;

/** The metastores that go by several names become one of `ofMetastore` or a memory. */
export function chooseMetastore({ options }: Given): void {
  const { metastore, connectionString } = options;
  const isFile = metastore === 'rdbms' && connectionString !== undefined && sqliteUrl.test(connectionString);
  if (isFile || metastore === 'test-debug-sqlite') options.metastore = 'sqlite';
}

/** The engine's part about the metastore: MetastoreConfig of go/capi/config.go. */
export function metastoreConfig(given: Given): { readonly type: string; readonly path?: string } {
  const every = names('dynamodb', 'memory', 'rdbms', 'sqlite', 'test-debug-memory');
  const metastore = given.need('metastore', `Metastore is required: choose ${every}.`);
  const isOwn = typeof metastore === 'object';
  const own: readonly OptionName[] =
    !isOwn && metastore in ofMetastore ? ofMetastore[metastore as keyof typeof ofMetastore] : [];
  const others = Object.values(ofMetastore).flat();
  given.refuse(
    others.filter((name) => !own.includes(name)),
    isOwn ? 'with a metastore of your own' : `with metastore '${metastore}'`,
  );
  if (isOwn) return { type: 'provider' };
  switch (metastore) {
    case 'sqlite':
      return sqlite(given);
    case 'rdbms':
      return rdbms(given);
    case 'dynamodb':
      return dynamodb(given);
    default:
      return { type: 'memory' };
  }
}

function sqlite(given: Given) {
  const remedy = 'ConnectionString is required with metastore sqlite: the path of a file.';
  return {
    type: 'sqlite',
    path: sqlitePath(given.need('connectionString', remedy), given.label('connectionString')),
    busyTimeoutMs: Math.round((given.options.sqliteBusyTimeout ?? 5) * 1000),
  };
}

const sqliteUrl = /^sqlite:\/\//i;

/** Never in a message: a connection string meant for another store may hold a password. */
function sqlitePath(connectionString: string, label: string): string {
  const path = connectionString.replace(sqliteUrl, '');
  // A scheme has at least two letters: C:\ is a drive.
  const isOther = /^[a-z][a-z0-9+.-]+:/i.test(path) || path === ':memory:' || path === '' || path.includes('\0');
  if (isOther) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      label,
      'a file path, or sqlite:// and a file path',
      describe(connectionString),
      "Only files can be opened; for a store in memory use metastore 'memory', for a server metastore 'rdbms'.",
    );
  }
  // The engine opens further connections later, when the working directory may be another.
  return resolve(path);
}

function rdbms(given: Given) {
  const { options } = given;
  given.need('connectionString', 'ConnectionString is required with metastore rdbms: it names the server.');
  return {
    ...database(given),
    replicaReadConsistency: options.replicaReadConsistency ?? '',
    requireTls: options.requireTls ?? false,
    caFile: options.caFile === undefined ? '' : resolve(options.caFile),
    poolMaxOpen: options.poolMaxOpen ?? 10,
    poolMaxIdle: options.poolMaxIdle ?? 2,
    poolMaxLifetimeMs: (options.poolMaxLifetime ?? 0) * 1000,
    poolMaxIdleTimeMs: (options.poolMaxIdleTime ?? 0) * 1000,
  };
}

type Database = 'mysql' | 'postgres';

/** By the form of the connection string, as in asherah-ffi, or by sqlMetastoreDbType where that leaves it open. */
function database(given: Given): { type: Database; connectionString: string } {
  const connectionString = given.options.connectionString as string;
  const { sqlMetastoreDbType } = given.options;
  const byForm = databaseOfForm(connectionString);
  const byOption = sqlMetastoreDbType === 'postgresql' ? 'postgres' : sqlMetastoreDbType;
  if (byForm !== undefined && byOption !== undefined && byForm !== byOption) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      given.label('sqlMetastoreDbType'),
      `'${byForm}', as the form of connectionString says`,
      `'${sqlMetastoreDbType}'`,
      'Correct one of the two.',
    );
  }
  // The default of `asherah` 3.
  const type = byOption ?? byForm ?? (given.isPascal ? 'mysql' : undefined);
  if (type === undefined) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      given.label('connectionString'),
      'mysql://…, postgres://…, user:password@tcp(host:port)/database or host=… dbname=…',
      `${describe(connectionString)} of another form`,
      'Correct it, or say which database it is in sqlMetastoreDbType.',
    );
  }
  return { type, connectionString: withScheme(connectionString, type, byForm !== undefined) };
}

/** The forms that `asherah` 4 takes besides: a URL without its scheme, and a DSN of the Go driver with one. */
function withScheme(connectionString: string, type: Database, isKnownForm: boolean): string {
  if (/^mysql:\/\/.*@(tcp|unix)\(/i.test(connectionString)) return connectionString.slice('mysql://'.length);
  const isBareUrl = !isKnownForm && /^([^@/]*@)?[^@/()]+\/[^/]*$/.test(connectionString);
  return isBareUrl ? `${type}://${connectionString}` : connectionString;
}

export function databaseOfForm(connectionString: string): Database | undefined {
  if (/^mysql:\/\//i.test(connectionString)) return 'mysql';
  if (/^postgres(ql)?:\/\//i.test(connectionString)) return 'postgres';
  if (/@(tcp|unix)\(/.test(connectionString)) return 'mysql'; // the Go driver's form
  if (/^\s*\w+\s*=/.test(connectionString)) return 'postgres'; // libpq's
  return undefined;
}

function dynamodb(given: Given) {
  const { options } = given;
  if (options.enableRegionSuffix === true) given.refuse(['regionSuffix'], 'with enableRegionSuffix true');
  return {
    type: 'dynamodb',
    table: options.dynamoDbTableName ?? 'EncryptionKey',
    region: options.dynamoDbRegion ?? '',
    signingRegion: options.dynamoDbSigningRegion ?? '',
    endpoint: options.dynamoDbEndpoint ?? '',
    regionSuffix: options.enableRegionSuffix ?? false,
  };
}
