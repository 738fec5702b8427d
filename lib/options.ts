// SPDX-License-Identifier: Apache-2.0
import type { AsherahWarning } from './warnings.js';

/**
 * The configuration of a {@link SessionFactory}. It is read once, when the factory is made: later changes to the object
 * have no effect. Only its own enumerable properties with string keys count; inherited ones and symbols do not. An
 * option that is `undefined` is not given; `null` is an error, as is an option that is not listed here or that the
 * other options leave without effect.
 *
 * All durations are in seconds.
 */
export interface SessionFactoryConfig {
  /** The service the keys belong to; a part of every key id. Not empty, well-formed Unicode. Required. */
  serviceName: string;

  /** The product the keys belong to; a part of every key id. Not empty, well-formed Unicode. Required. */
  productId: string;

  /**
   * What encrypts the system keys. Required.
   * - `'static'`: one fixed master key, {@link staticMasterKeyHex}.
   * - `'test-debug-static'`: the public test key of all Asherah libraries. Data under it is not protected: for tests only.
   *   Warns once in a process (`WARN_ASHERAH_TEST_KMS`).
   */
  kms: 'static' | 'test-debug-static';

  /** The master key: 32 bytes as 64 hexadecimal digits. Required with `kms: 'static'`, refused otherwise. */
  staticMasterKeyHex?: string | undefined;

  /**
   * Where the encrypted system and intermediate keys are kept. Required.
   * - `'memory'`: in this factory only; records become unreadable when it closes. Warns once in a process
   *   (`WARN_ASHERAH_MEMORY_METASTORE`).
   * - `'test-debug-memory'`: the same without the warning, for tests.
   * - `'sqlite'`: in the table `encryption_key` of a SQLite file, {@link connectionString}, made when it is missing.
   */
  metastore: 'memory' | 'test-debug-memory' | 'sqlite';

  /**
   * The SQLite file: a path, or `sqlite://` and a path. A relative path starts at the working directory of the moment
   * the factory is made. Required with `metastore: 'sqlite'`, refused otherwise.
   */
  connectionString?: string | undefined;

  /**
   * Seconds to wait for another process's lock on the SQLite file before `ERR_ASHERAH_METASTORE_BUSY`; 0 to 2147483,
   * fractions count to the millisecond. Only with `metastore: 'sqlite'`.
   * @defaultValue 5
   */
  sqliteBusyTimeout?: number | undefined;

  /**
   * Seconds from its creation for which a key encrypts; afterwards it only decrypts. Integer, 1 to 1000000000.
   * @defaultValue 7776000 (90 days, as in the Go library)
   */
  expireAfter?: number | undefined;

  /**
   * Seconds after which a cached key is read again from the metastore, to see a revocation. A call that finds the key
   * older than twice this time waits for that. Integer, 1 to 1000000000.
   * @defaultValue 3600 (1 hour, as in the Go library)
   */
  checkInterval?: number | undefined;

  /**
   * Seconds for which a cached key that can't be read again goes on being used; afterwards calls fail with
   * `ERR_ASHERAH_KEY_STALE`. Integer, at least twice {@link checkInterval}, at most 1000000000.
   * @defaultValue none: the key is used until it expires
   */
  maxKeyStaleness?: number | undefined;

  /**
   * Whether the sessions of a partition share one native session, which stays open for the next `getSession`. Changes
   * cost, never results.
   * @defaultValue true
   */
  enableSessionCaching?: boolean | undefined;

  /**
   * The most native sessions that stay open without being used; the one whose last `getSession` is longest ago goes
   * first. Integer, 1 to 10000000. Only while {@link enableSessionCaching} is true.
   * @defaultValue 1000
   */
  sessionCacheMaxSize?: number | undefined;

  /**
   * Seconds from its last `getSession` for which a native session stays cached; it is checked at the factory's next
   * `getSession`. Integer, 1 to 1000000000. Only while {@link enableSessionCaching} is true.
   * @defaultValue 7200 (2 hours, as in the Go library)
   */
  sessionCacheDuration?: number | undefined;

  /**
   * The most intermediate keys in memory, over all partitions of the factory. Integer, 1 to 10000000.
   * @defaultValue 1000
   */
  intermediateKeyCacheMaxSize?: number | undefined;

  /**
   * The most system keys in memory. Integer, 1 to 10000000.
   * @defaultValue 100
   */
  systemKeyCacheMaxSize?: number | undefined;

  /**
   * Ends the id of every key this factory makes, after an underscore: the region, where a metastore replicates between
   * several. Not empty, well-formed Unicode.
   * @defaultValue none
   */
  regionSuffix?: string | undefined;

  /**
   * Further suffixes with which a key id of the same partition is accepted when decrypting, besides
   * {@link regionSuffix} and the names of AWS regions. Each not empty, well-formed Unicode.
   * @defaultValue none
   */
  recoveryRegionSuffixes?: readonly string[] | undefined;

  /**
   * What to do when the system refuses to lock key memory against swapping.
   * - `'prefer'`: go on, with one warning (`WARN_ASHERAH_MEMORY_NOT_LOCKED`).
   * - `'require'`: fail with `ERR_ASHERAH_LOCKED_MEMORY`.
   * @defaultValue 'prefer'
   */
  lockedMemory?: 'prefer' | 'require' | undefined;

  /**
   * Called with every warning of this factory, from the event loop and never inside another call. What it throws is an
   * uncaught exception of the process, as from an event listener.
   * @defaultValue the first warning of each code goes to `process.emitWarning`, with `name: 'AsherahWarning'`
   */
  onWarning?: ((warning: AsherahWarning) => void) | undefined;
}
