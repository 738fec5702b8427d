// SPDX-License-Identifier: Apache-2.0
import type { LogEvent, LogLevel, MetricsHook } from './hooks.js';
import type { KeyManagementService, Metastore } from './providers.js';
import type { AsherahWarning } from './warnings.js';

/** Credentials of an AWS account, in the shape of the AWS SDK for JavaScript. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary credentials. */
  readonly sessionToken?: string | undefined;
  /** Until when they are good; without it, for ever. */
  readonly expiration?: Date | undefined;
}

/** Such as a credential provider of the AWS SDK for JavaScript (`fromNodeProviderChain()`). */
export type AwsCredentialsFunction = () => AwsCredentials | PromiseLike<AwsCredentials>;

/**
 * The configuration of a {@link SessionFactory}. It is read once, when the factory is made: later changes to the object
 * have no effect. Only its own enumerable properties with string keys count; inherited ones and symbols do not. An
 * option that is `undefined` or `null` is not given. One that is not listed here is an error, and so is one, other than
 * `false`, that the other options leave without effect.
 *
 * All durations are in seconds. Fixed words, such as `'aws'`, may be in any letter case. The names and rules of the older
 * packages are those of {@link AsherahConfigCompat}.
 */
export interface SessionFactoryConfig {
  /** The service the keys belong to; a part of every key id. Not empty, well-formed Unicode. Required. */
  serviceName: string;

  /** The product the keys belong to; a part of every key id. Not empty, well-formed Unicode. Required. */
  productId: string;

  /**
   * What encrypts the system keys. Required.
   * - `'aws'`: AWS KMS, with {@link regionMap} or {@link kmsKeyId}. Needs the cloud addon (asherah-napi-cloud).
   * - `'static'`: one fixed master key, {@link staticMasterKeyHex}.
   * - `'test-debug-static'`: the public test key of all Asherah libraries. Data under it is not protected: for tests only.
   *   Warns once in a process (`WARN_ASHERAH_TEST_KMS`).
   * - an object: a KMS of your own, in JavaScript. See {@link KeyManagementService}.
   */
  kms: 'aws' | 'static' | 'test-debug-static' | KeyManagementService;

  /**
   * The master key: 32 bytes as 64 hexadecimal digits. Required with `kms: 'static'`, refused otherwise.
   * @defaultValue none: the variable STATIC_MASTER_KEY_HEX
   */
  staticMasterKeyHex?: string | null | undefined;

  /**
   * AWS regions and the ARN of the KMS key in each: every one of them can decrypt. An id or alias instead of an ARN works
   * too. With `kms: 'aws'`, this or {@link kmsKeyId} is required; refused otherwise.
   */
  regionMap?: Readonly<Record<string, string>> | null | undefined;

  /**
   * The region of {@link regionMap} that is asked first, as long as it answers; the others follow in alphabetical order.
   * Required where there are several.
   * @defaultValue none: the only region of regionMap
   */
  preferredRegion?: string | null | undefined;

  /**
   * A single KMS key, by ARN, id or alias (`alias/name`). Its region is that of the ARN, or else that of `AWS_REGION` or
   * the profile. Only with `kms: 'aws'` and without {@link regionMap}.
   */
  kmsKeyId?: string | null | undefined;

  /**
   * Where AWS KMS is asked instead of at its public address, such as at a VPC endpoint: a URL, or one per region of
   * {@link regionMap}. Only with `kms: 'aws'`.
   * @defaultValue none: AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL, or what the profile says
   */
  kmsEndpoint?: string | Readonly<Record<string, string>> | null | undefined;

  /**
   * Seconds after which a region that has not answered is late, and the next one is asked beside it. 0.05 to 2147483.
   * Only with `kms: 'aws'`.
   * @defaultValue 1
   */
  kmsRegionTimeout?: number | null | undefined;

  /**
   * Whether a new system key is stored only if every region encrypted it. Otherwise one that fails is left out, with a
   * warning (`WARN_ASHERAH_KMS_REGION_FAILED`), and the key is replaced after an hour if that region answers again. Only
   * with `kms: 'aws'`.
   * @defaultValue false
   */
  requireAllRegions?: boolean | null | undefined;

  /**
   * The profile of the shared AWS files to use for KMS and DynamoDB. Only with `kms: 'aws'` or `metastore: 'dynamodb'`.
   * @defaultValue none: AWS_PROFILE, or 'default'
   */
  awsProfileName?: string | null | undefined;

  /**
   * Gives the AWS credentials for KMS and DynamoDB; called when the first request needs them and again before they
   * expire. Only with `kms: 'aws'` or `metastore: 'dynamodb'`.
   * @defaultValue none: those that the AWS SDKs find, in the AWS_* variables and onwards (see docs/kms.md)
   */
  awsCredentials?: AwsCredentialsFunction | null | undefined;

  /**
   * Where the encrypted system and intermediate keys are kept. Required.
   * - `'memory'`: in this factory only; records become unreadable when it closes. Warns once in a process
   *   (`WARN_ASHERAH_MEMORY_METASTORE`).
   * - `'test-debug-memory'`: the same without the warning, for tests.
   * - `'sqlite'`, `'test-debug-sqlite'`: in the table `encryption_key` of a SQLite file, {@link connectionString}, made when
   *   it is missing.
   * - `'rdbms'`: in the table `encryption_key` of MySQL, MariaDB or PostgreSQL, {@link connectionString}. Needs the cloud
   *   addon (asherah-napi-cloud). With a connectionString of `sqlite://` it is `'sqlite'`.
   * - `'dynamodb'`: in a table of Amazon DynamoDB, {@link dynamoDbTableName}. Needs the cloud addon.
   * - an object: a metastore of your own, in JavaScript. See {@link Metastore}.
   */
  metastore: 'memory' | 'test-debug-memory' | 'sqlite' | 'test-debug-sqlite' | 'rdbms' | 'dynamodb' | Metastore;

  /**
   * With `metastore: 'sqlite'` the file: a path, or `sqlite://` and a path. A relative path starts at the working directory
   * of the moment the factory is made. With `metastore: 'rdbms'` the server: `mysql://user:password@host:port/database`,
   * `user:password@tcp(host:port)/database` (the Go driver's form), `postgres://user:password@host:port/database` or
   * `host=… user=… dbname=…`, with the parameters that docs/metastores.md lists. Required with both, refused otherwise.
   */
  connectionString?: string | null | undefined;

  /**
   * Seconds to wait for another process's lock on the SQLite file before `ERR_ASHERAH_METASTORE_BUSY`; 0 to 2147483,
   * fractions count to the millisecond. Only with `metastore: 'sqlite'`.
   * @defaultValue 5
   */
  sqliteBusyTimeout?: number | null | undefined;

  /**
   * The database of {@link connectionString}, where its form does not say it. Only with `metastore: 'rdbms'`.
   * @defaultValue none: by the form of connectionString
   */
  sqlMetastoreDbType?: 'mysql' | 'postgres' | 'postgresql' | (string & {}) | null | undefined;

  /**
   * How fresh an Amazon Aurora replica with write forwarding must be, on every connection. Other servers refuse it. Only
   * with `metastore: 'rdbms'`.
   * @defaultValue none: the server's own
   */
  replicaReadConsistency?: 'eventual' | 'global' | 'session' | (string & {}) | null | undefined;

  /**
   * Whether the server must speak TLS. Otherwise TLS is used where the server has it, unless {@link connectionString} says
   * more, and a connection without it warns (`WARN_ASHERAH_PLAIN_CONNECTION`). Only with `metastore: 'rdbms'`.
   * @defaultValue false
   */
  requireTls?: boolean | null | undefined;

  /**
   * A PEM file of certificates. The server's must come from one of them and be for its host. Only with
   * `metastore: 'rdbms'`.
   * @defaultValue none: what connectionString says
   */
  caFile?: string | null | undefined;

  /**
   * The most connections to the server at once, 0 to 65535; 0 is no limit. Only with `metastore: 'rdbms'`.
   * @defaultValue 10
   */
  poolMaxOpen?: number | null | undefined;

  /**
   * The most connections that are kept while nobody uses them, 0 to 65535. Only with `metastore: 'rdbms'`.
   * @defaultValue 2 (as in the Go library)
   */
  poolMaxIdle?: number | null | undefined;

  /**
   * Seconds after which a connection is not used again, an integer up to 1000000000; 0 is no limit. Only with
   * `metastore: 'rdbms'`.
   * @defaultValue 0
   */
  poolMaxLifetime?: number | null | undefined;

  /**
   * Seconds after which a connection that nobody used is closed, an integer up to 1000000000; 0 is no limit. Only with
   * `metastore: 'rdbms'`.
   * @defaultValue 0
   */
  poolMaxIdleTime?: number | null | undefined;

  /**
   * The DynamoDB table. Only with `metastore: 'dynamodb'`.
   * @defaultValue 'EncryptionKey'
   */
  dynamoDbTableName?: string | null | undefined;

  /**
   * The region of the table. Only with `metastore: 'dynamodb'`.
   * @defaultValue none: AWS_REGION, AWS_DEFAULT_REGION, or the profile's
   */
  dynamoDbRegion?: string | null | undefined;

  /**
   * The region that requests are signed for, where that is another than {@link dynamoDbRegion}. Only with
   * `metastore: 'dynamodb'`.
   * @defaultValue none: dynamoDbRegion
   */
  dynamoDbSigningRegion?: string | null | undefined;

  /**
   * The URL where DynamoDB is asked instead of at its public address. Only with `metastore: 'dynamodb'`.
   * @defaultValue none: AWS_ENDPOINT_URL_DYNAMODB, AWS_ENDPOINT_URL, or what the profile says
   */
  dynamoDbEndpoint?: string | null | undefined;

  /**
   * Whether the table's region ends the id of every key, as {@link regionSuffix} would: for global tables. Only with
   * `metastore: 'dynamodb'`.
   * @defaultValue false
   */
  enableRegionSuffix?: boolean | null | undefined;

  /**
   * Seconds that one call may wait for metastore and KMS, all attempts included; afterwards it fails with
   * `ERR_ASHERAH_METASTORE` or `ERR_ASHERAH_KMS`. Synchronous calls block that long at most. 0.05 to 2147483. Only where a
   * server is asked (`kms: 'aws'`, `metastore: 'rdbms'` or `'dynamodb'`), or a KMS or metastore of your own.
   * @defaultValue 10
   */
  requestTimeout?: number | null | undefined;

  /**
   * Seconds from its creation for which a key encrypts; afterwards it only decrypts. Integer, 1 to 1000000000.
   * @defaultValue 7776000 (90 days, as in the Go library)
   */
  expireAfter?: number | null | undefined;

  /**
   * Seconds after which a cached key is read again from the metastore, to see a revocation. A call that finds the key
   * older than twice this time waits for that. Integer, 1 to 1000000000.
   * @defaultValue 3600 (1 hour, as in the Go library)
   */
  checkInterval?: number | null | undefined;

  /**
   * Seconds for which a cached key that can't be read again goes on being used; afterwards calls fail with
   * `ERR_ASHERAH_KEY_STALE`. Integer, at least twice {@link checkInterval}, at most 1000000000.
   * @defaultValue none: the key is used until it expires
   */
  maxKeyStaleness?: number | null | undefined;

  /**
   * Whether the sessions of a partition share one native session, which stays open for the next `getSession`. Changes
   * cost, never results.
   * @defaultValue true
   */
  enableSessionCaching?: boolean | null | undefined;

  /**
   * The most native sessions that stay open without being used; the one whose last `getSession` is longest ago goes
   * first. Integer, 1 to 10000000. Only while {@link enableSessionCaching} is true.
   * @defaultValue 1000
   */
  sessionCacheMaxSize?: number | null | undefined;

  /**
   * Seconds from its last `getSession` for which a native session stays cached; it is checked at the factory's next
   * `getSession`. Integer, 1 to 1000000000. Only while {@link enableSessionCaching} is true.
   * @defaultValue 7200 (2 hours, as in the Go library)
   */
  sessionCacheDuration?: number | null | undefined;

  /**
   * The most intermediate keys in memory, over all partitions of the factory. Integer, 1 to 10000000.
   * @defaultValue 1000
   */
  intermediateKeyCacheMaxSize?: number | null | undefined;

  /**
   * The most system keys in memory. Integer, 1 to 10000000.
   * @defaultValue 100
   */
  systemKeyCacheMaxSize?: number | null | undefined;

  /**
   * Ends the id of every key this factory makes, after an underscore: the region, where a metastore replicates between
   * several. Not empty, well-formed Unicode.
   * @defaultValue none
   */
  regionSuffix?: string | null | undefined;

  /**
   * Further suffixes with which a key id of the same partition is accepted when decrypting, besides
   * {@link regionSuffix} and the names of AWS regions. Each not empty, well-formed Unicode.
   * @defaultValue none
   */
  recoveryRegionSuffixes?: readonly string[] | null | undefined;

  /**
   * What to do when the system refuses to lock key memory against swapping.
   * - `'prefer'`: go on, with one warning (`WARN_ASHERAH_MEMORY_NOT_LOCKED`).
   * - `'require'`: fail with `ERR_ASHERAH_LOCKED_MEMORY`.
   * @defaultValue 'prefer'
   */
  lockedMemory?: 'prefer' | 'require' | null | undefined;

  /**
   * Called with every warning of this factory, from the event loop and never inside another call. What it throws is an
   * uncaught exception of the process, as from an event listener.
   * @defaultValue the first warning of each code goes to `process.emitWarning`, with `name: 'AsherahWarning'`
   */
  onWarning?: ((warning: AsherahWarning) => void) | null | undefined;

  /**
   * Called with every log event of this factory, as `setLogHook` would be, which then does not hear this factory.
   * @defaultValue none: the hook of `setLogHook`
   */
  logHook?: ((event: LogEvent) => void) | null | undefined;

  /**
   * The least grave level that {@link logHook} hears. Only with logHook, and not with {@link verbose} true.
   * @defaultValue 'warn'
   */
  logLevel?: LogLevel | null | undefined;

  /**
   * Whether this factory logs from `'debug'` on: to {@link logHook}, else to a hook of `setLogHook` of one parameter, else,
   * if there is no hook at all, to stderr. It holds ids of keys, and so partitions.
   * @defaultValue false
   */
  verbose?: boolean | null | undefined;

  /**
   * Called with every measurement of this factory, as `setMetricsHook` would be, which then does not hear this factory.
   * @defaultValue none: the hook of `setMetricsHook`
   */
  metricsHook?: MetricsHook | null | undefined;
}
