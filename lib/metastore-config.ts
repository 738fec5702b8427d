// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { names } from './checks.js';
import { describe, unexpected } from './errors.js';
import { need, type OptionName, type Options, refuse } from './option-reader.js';

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

/** The engine's part about the metastore: MetastoreConfig of go/capi/config.go. */
export function metastoreConfig(options: Options): { readonly type: string; readonly path?: string } {
  const every = names('dynamodb', 'memory', 'rdbms', 'sqlite', 'test-debug-memory');
  const metastore = need(options, 'metastore', `Choose ${every}.`);
  const own: readonly OptionName[] = metastore in ofMetastore ? ofMetastore[metastore as keyof typeof ofMetastore] : [];
  const others = Object.values(ofMetastore).flat();
  refuse(
    options,
    others.filter((name) => !own.includes(name)),
    `with metastore '${metastore}'`,
  );
  switch (metastore) {
    case 'sqlite':
      return sqlite(options);
    case 'rdbms':
      return rdbms(options);
    case 'dynamodb':
      return dynamodb(options);
    default:
      return { type: 'memory' };
  }
}

function sqlite(options: Options) {
  return {
    type: 'sqlite',
    path: sqlitePath(need(options, 'connectionString', 'metastore sqlite needs the path of a file.')),
    busyTimeoutMs: Math.round((options.sqliteBusyTimeout ?? 5) * 1000),
  };
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
      "Only files can be opened; for a store in memory use metastore 'memory', for a server metastore 'rdbms'.",
    );
  }
  // The engine opens further connections later, when the working directory may be another.
  return resolve(path);
}

function rdbms(options: Options) {
  const connectionString = need(options, 'connectionString', 'metastore rdbms needs to know its server.');
  return {
    type: databaseType(options, connectionString),
    connectionString,
    replicaReadConsistency: options.replicaReadConsistency ?? '',
    requireTls: options.requireTls ?? false,
    caFile: options.caFile === undefined ? '' : resolve(options.caFile),
    poolMaxOpen: options.poolMaxOpen ?? 10,
    poolMaxIdle: options.poolMaxIdle ?? 2,
    poolMaxLifetimeMs: (options.poolMaxLifetime ?? 0) * 1000,
    poolMaxIdleTimeMs: (options.poolMaxIdleTime ?? 0) * 1000,
  };
}

/** By the form of the connection string, as in asherah-ffi, or by sqlMetastoreDbType where that leaves it open. */
function databaseType(options: Options, connectionString: string): 'mysql' | 'postgres' {
  const byForm = typeOfForm(connectionString);
  const { sqlMetastoreDbType } = options;
  const byOption = sqlMetastoreDbType === 'postgresql' ? 'postgres' : sqlMetastoreDbType;
  if (byForm !== undefined && byOption !== undefined && byForm !== byOption) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      'config.sqlMetastoreDbType',
      `'${byForm}', as the form of connectionString says`,
      `'${sqlMetastoreDbType}'`,
      'Correct one of the two.',
    );
  }
  const type = byOption ?? byForm;
  if (type === undefined) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      'config.connectionString',
      'mysql://…, postgres://…, user:password@tcp(host:port)/database or host=… dbname=…',
      `${describe(connectionString)} of another form`,
      'Correct it, or say which database it is in sqlMetastoreDbType.',
    );
  }
  return type;
}

function typeOfForm(connectionString: string): 'mysql' | 'postgres' | undefined {
  if (/^mysql:\/\//i.test(connectionString)) return 'mysql';
  if (/^postgres(ql)?:\/\//i.test(connectionString)) return 'postgres';
  if (/@(tcp|unix)\(/.test(connectionString)) return 'mysql'; // the Go driver's form
  if (/^\s*\w+\s*=/.test(connectionString)) return 'postgres'; // libpq's
  return undefined;
}

function dynamodb(options: Options) {
  if (options.enableRegionSuffix === true) refuse(options, ['regionSuffix'], 'with enableRegionSuffix true');
  return {
    type: 'dynamodb',
    table: options.dynamoDbTableName ?? 'EncryptionKey',
    region: options.dynamoDbRegion ?? '',
    signingRegion: options.dynamoDbSigningRegion ?? '',
    endpoint: options.dynamoDbEndpoint ?? '',
    regionSuffix: options.enableRegionSuffix ?? false,
  };
}
