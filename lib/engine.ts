// SPDX-License-Identifier: Apache-2.0
import type { Addon } from './addon.js';
import { isWellFormed } from './checks.js';
import type { CheckedConfig } from './config.js';
import { describe, fromNative, unexpected } from './errors.js';
import { type Opened, openFactory } from './opening.js';
import { NativeSession, SessionCache } from './session-cache.js';

/** What sessions are made by, in every thread that uses the factory: so it can be written as JSON. */
export interface SessionSettings {
  /** At least the UTF-16 units of the ids in every record, the partition's not counted. */
  readonly idLength: number;
  /** Absent: sessions are not cached. */
  readonly sessionCache?: { readonly maxSize: number; readonly maxAgeMs: number } | undefined;
}

/** Opens a factory. What is forgotten without close() is closed once it is collected. */
export function openEngine(config: CheckedConfig): Engine {
  const { addon, handle, listeners } = openFactory(config);
  const { idLength, sessionCache } = config;
  const engine = new Engine(addon, handle, { idLength, sessionCache }, listeners);
  forgottenFactories.register(engine, { addon, handle }, engine);
  return engine;
}

/**
 * One thread's hold on a factory of an addon. Its sessions hold it too, so that they go on working when the factory object
 * itself is forgotten.
 */
export class Engine {
  isClosed = false;
  readonly #cache: SessionCache | undefined;

  constructor(
    readonly addon: Addon,
    readonly handle: number,
    readonly settings: SessionSettings,
    /** Held, so that they hear as long as somebody can use the factory. */
    readonly listeners?: Opened['listeners'],
  ) {
    if (settings.sessionCache !== undefined) {
      const { maxSize, maxAgeMs } = settings.sessionCache;
      this.#cache = new SessionCache(maxSize, maxAgeMs, (session) => this.#closeUnused(session));
    }
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
    return this.settings.idLength + session.partition.length;
  }

  /** Closes the factory, and with it the native sessions of all threads. */
  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#cache?.clear();
    this.outlive();
    this.addon.closeFactory(this.handle);
    this.listeners?.watch.close();
  }

  /** From now on the factory stays open when this object is forgotten. */
  outlive(): void {
    forgottenFactories.unregister(this);
  }

  async verify(): Promise<string> {
    return this.#ask(() => this.addon.verify(this.handle));
  }

  async createSchema(): Promise<boolean> {
    return (await this.#ask(() => this.addon.createSchema(this.handle))) === 'true';
  }

  async #ask(call: () => Promise<string>): Promise<string> {
    try {
      return await call();
    } catch (error) {
      throw fromNative(error);
    }
  }

  #openSession(partition: string): NativeSession {
    // Two partitions must not become one because UTF-8 replaces what it can't hold.
    if (!isWellFormed(partition)) throw invalidPartition('a string with half a surrogate pair');
    let session: NativeSession;
    try {
      session = new NativeSession(this, this.addon.openSession(this.handle, partition), partition);
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

function invalidPartition(got: string): Error {
  return unexpected(
    'ERR_ASHERAH_INVALID_ARGUMENT',
    'partition',
    'a non-empty string of well-formed Unicode',
    got,
    got === 'an empty string'
      ? 'A partition id cannot be empty: pass the id of whom the data belongs to, such as a user id.'
      : 'Pass the id of whom the data belongs to, such as a user id.',
  );
}

// The addon ignores the handles of what is closed.
interface Forgotten {
  readonly addon: Addon;
  readonly handle: number;
}
const forgottenFactories = new FinalizationRegistry<Forgotten>(({ addon, handle }) => addon.closeFactory(handle));
const forgottenSessions = new FinalizationRegistry<Forgotten>(({ addon, handle }) => addon.closeSession(handle));
