// SPDX-License-Identifier: Apache-2.0
import { type Addon, loadAddon, otherAddon, wantsCredentials } from './addon.js';
import { isWellFormed } from './checks.js';
import type { CheckedConfig } from './config.js';
import { Credentials } from './credentials.js';
import { describe, fromNative, unexpected } from './errors.js';
import { type FactoryWatch, watchFactory } from './hooks.js';
import { NativeSession, SessionCache } from './session-cache.js';
import { type AsherahWarningCode, Warnings } from './warnings.js';

/**
 * The native side of one `SessionFactory`. Its sessions hold it too, so that they go on working when the factory object
 * itself is forgotten.
 */
export class Engine {
  readonly addon: Addon;
  isClosed = false;
  readonly #handle: number;
  readonly #idLength: number;
  readonly #warnings: Warnings;
  /** Held here alone: the user's function may refer to the factory, see {@link #open}. */
  readonly #credentials: Credentials | undefined;
  /** Held here alone: the user's hooks may refer to the factory. */
  readonly #watch: FactoryWatch;
  readonly #cache: SessionCache | undefined;

  constructor(config: CheckedConfig) {
    this.addon = servingAddon(config);
    this.#idLength = config.idLength;
    this.#warnings = new Warnings(config.onWarning);
    if (config.sessionCache !== undefined) {
      const { maxSize, maxAgeMs } = config.sessionCache;
      this.#cache = new SessionCache(maxSize, maxAgeMs, (session) => this.#closeUnused(session));
    }
    const events: { credentials?: WeakRef<Credentials> } = {};
    this.#handle = this.#open(config, events);
    if (config.awsCredentials !== undefined) {
      this.#credentials = new Credentials(config.awsCredentials, this.addon, this.#handle);
      events.credentials = new WeakRef(this.#credentials);
      // Ahead of time: a synchronous call can't wait for a function that returns a promise.
      void this.#credentials.refresh();
    }
    this.#watch = watchFactory(this.addon, this.#handle, {});
    forgottenFactories.register(this, { addon: this.addon, handle: this.#handle }, this);
    this.#warnOfChoices(config);
  }

  /** The session of a partition, with one user more. Give it back to {@link release}. */
  acquire(partition: unknown): NativeSession {
    if (typeof partition !== 'string' || partition === '') throw invalidPartition(describe(partition));
    const session = this.#cache?.get(partition) ?? this.#openSession(partition);
    session.users++;
    return session;
  }

  release(session: NativeSession): void {
    session.users--;
    this.#closeUnused(session);
  }

  /** UTF-16 units of the ids in a record of this partition. */
  idLength(session: NativeSession): number {
    return this.#idLength + session.partition.length;
  }

  /** Closes the native sessions with it. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#cache?.clear();
    forgottenFactories.unregister(this);
    this.addon.closeFactory(this.#handle);
    this.#watch.close();
  }

  async verify(): Promise<string> {
    return this.#ask(() => this.addon.verify(this.#handle));
  }

  async createSchema(): Promise<boolean> {
    return (await this.#ask(() => this.addon.createSchema(this.#handle))) === 'true';
  }

  async #ask(call: () => Promise<string>): Promise<string> {
    try {
      return await call();
    } catch (error) {
      throw fromNative(error);
    }
  }

  #open(config: CheckedConfig, events: { credentials?: WeakRef<Credentials> }): number {
    // The addon holds the function as long as the factory is open: were the user's onWarning in it, which may well refer
    // to the factory, a forgotten factory could never be collected.
    const warnings = new WeakRef(this.#warnings);
    let handle: number;
    try {
      handle = this.addon.openFactory(config.engine, config.masterKey, (code, message) => {
        if (code === wantsCredentials) void events.credentials?.deref()?.refresh();
        else warnings.deref()?.tell(code as AsherahWarningCode, message);
      });
    } catch (error) {
      throw fromNative(error);
    }
    // Only now, when the other addon can see that this one has the file: of two that open it at once none may miss it.
    if (config.sqliteFile !== undefined && otherAddon(this.addon)?.hasSqliteFile(config.sqliteFile)) {
      this.addon.closeFactory(handle);
      throw unexpected(
        'ERR_ASHERAH_METASTORE_BUSY',
        'config.connectionString',
        "a SQLite file that only one of this process's two native addons has open",
        'one that the other has open',
        'Close the factory that uses it first, or call loadCloud() before the first factory: then one addon serves all.',
      );
    }
    return handle;
  }

  #warnOfChoices(config: CheckedConfig): void {
    if (config.isTestKms) {
      this.#tellOfChoice(
        'WARN_ASHERAH_TEST_KMS',
        "kms 'test-debug-static' encrypts with a key that is public: data is not protected. Use kms 'static' with a key of your own.",
      );
    }
    if (config.isMemoryMetastore) {
      this.#tellOfChoice(
        'WARN_ASHERAH_MEMORY_METASTORE',
        "metastore 'memory' loses all keys when the factory closes: records become unreadable. Use metastore 'sqlite' to keep them.",
      );
    }
  }

  #tellOfChoice(code: AsherahWarningCode, message: string): void {
    this.#warnings.tellOfChoice(code, message);
    this.#watch.tellLog({ level: 'warn', message, target: 'asherah.factory', code });
  }

  #openSession(partition: string): NativeSession {
    // Two partitions must not become one because UTF-8 replaces what it can't hold.
    if (!isWellFormed(partition)) throw invalidPartition('a string with half a surrogate pair');
    let session: NativeSession;
    try {
      session = new NativeSession(this, this.addon.openSession(this.#handle, partition), partition);
    } catch (error) {
      throw fromNative(error);
    }
    forgottenSessions.register(session, { addon: this.addon, handle: session.handle }, session);
    this.#cache?.add(session);
    return session;
  }

  #closeUnused(session: NativeSession): void {
    if (session.users > 0 || session.cached || this.isClosed) return;
    forgottenSessions.unregister(session);
    this.addon.closeSession(session.handle);
  }
}

/** A SQLite file stays with the addon that has it open, if that one can serve the configuration at all. */
function servingAddon({ addon: needs, addonOption, sqliteFile }: CheckedConfig): Addon {
  const addon = loadAddon(needs, addonOption);
  if (needs === 'cloud' || sqliteFile === undefined) return addon;
  const other = otherAddon(addon);
  return other?.hasSqliteFile(sqliteFile) ? other : addon;
}

function invalidPartition(got: string): Error {
  return unexpected(
    'ERR_ASHERAH_INVALID_ARGUMENT',
    'partition',
    'a non-empty string of well-formed Unicode',
    got,
    'Pass the id of whom the data belongs to, such as a user id.',
  );
}

// What is forgotten without close() is closed once it is collected. The addon ignores the handles of what is closed.
interface Forgotten {
  readonly addon: Addon;
  readonly handle: number;
}
const forgottenFactories = new FinalizationRegistry<Forgotten>(({ addon, handle }) => addon.closeFactory(handle));
const forgottenSessions = new FinalizationRegistry<Forgotten>(({ addon, handle }) => addon.closeSession(handle));
