// SPDX-License-Identifier: Apache-2.0
import type { Engine } from './engine.js';

/** One open session of the addon, shared by every `Session` object that was asked for while it was cached. */
export class NativeSession {
  /** `Session` objects that are open, and asynchronous calls in flight. The native session outlives them all. */
  users = 0;
  /** Whether the cache holds it, so that it stays open without users. */
  cached = false;

  // Of the cache: its place in the order of use. Links in the entries cost a quarter of deleting and setting Map keys.
  lastUsed = 0;
  newer: NativeSession | undefined;
  older: NativeSession | undefined;

  constructor(
    readonly engine: Engine,
    readonly handle: number,
    readonly partition: string,
  ) {}
}

/** The sessions used last, up to a number and an age. Whoever leaves is told to `evicted`. */
export class SessionCache {
  readonly #sessions = new Map<string, NativeSession>();
  readonly #maxSize: number;
  readonly #maxAgeMs: number;
  readonly #evicted: (session: NativeSession) => void;
  #newest: NativeSession | undefined;
  #oldest: NativeSession | undefined;

  constructor(maxSize: number, maxAgeMs: number, evicted: (session: NativeSession) => void) {
    this.#maxSize = maxSize;
    this.#maxAgeMs = maxAgeMs;
    this.#evicted = evicted;
  }

  get(partition: string): NativeSession | undefined {
    const now = Date.now();
    while (this.#oldest !== undefined && this.#oldest.lastUsed + this.#maxAgeMs < now) this.#evict(this.#oldest);
    const session = this.#sessions.get(partition);
    if (session !== undefined) {
      session.lastUsed = now;
      if (session !== this.#newest) {
        this.#unlink(session);
        this.#link(session);
      }
    }
    return session;
  }

  add(session: NativeSession): void {
    if (this.#sessions.size >= this.#maxSize && this.#oldest !== undefined) this.#evict(this.#oldest);
    this.#sessions.set(session.partition, session);
    session.cached = true;
    session.lastUsed = Date.now();
    this.#link(session);
  }

  clear(): void {
    while (this.#oldest !== undefined) this.#evict(this.#oldest);
  }

  #evict(session: NativeSession): void {
    this.#sessions.delete(session.partition);
    this.#unlink(session);
    session.cached = false;
    this.#evicted(session);
  }

  #link(session: NativeSession): void {
    session.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = session;
    else this.#newest.newer = session;
    this.#newest = session;
  }

  #unlink(session: NativeSession): void {
    if (session.newer === undefined) this.#newest = session.older;
    else session.newer.older = session.older;
    if (session.older === undefined) this.#oldest = session.newer;
    else session.older.newer = session.newer;
    session.newer = undefined;
    session.older = undefined;
  }
}
