// SPDX-License-Identifier: Apache-2.0
import type { CallOptions } from './cancellation.js';
import { asyncDispose, dispose } from './dispose.js';
import { closed, unexpected, wrongReceiver } from './errors.js';
import type { Data, DataRowRecord } from './input.js';
import * as operations from './operations.js';
import type { NativeSession } from './session-cache.js';

const constructorKey = Symbol('Session');

/** For the factory alone: what users construct themselves has no native session. @internal */
export let newSession: (native: NativeSession) => Session;

// Ways to the private field for the functions below; the class sets them.
let isSession: (value: unknown) => value is Session;
let nativeOf: (session: Session) => NativeSession | undefined;
let forget: (session: Session) => void;

/**
 * Encrypts and decrypts the data of one partition. Made by {@link SessionFactory.getSession}; {@link Session.close} it,
 * or declare it with `using`.
 *
 * Every method throws an {@link AsherahError}, the asynchronous ones reject with it and never throw. All of them can
 * fail with `ERR_ASHERAH_CLOSED`, `ERR_ASHERAH_WRONG_RECEIVER`, `ERR_ASHERAH_INVALID_ARGUMENT`, `ERR_ASHERAH_TOO_LARGE`,
 * and, when keys have to be loaded, with `ERR_ASHERAH_KEY_NOT_FOUND`, `ERR_ASHERAH_INVALID_KEY_RECORD`,
 * `ERR_ASHERAH_KMS`, `ERR_ASHERAH_KEY_STALE` and `ERR_ASHERAH_METASTORE`, `_BUSY`, `_READ_ONLY` or `_FULL`.
 * Synchronous ones also with `ERR_ASHERAH_WOULD_BLOCK`, where a KMS or metastore of your own returns promises.
 *
 * The synchronous methods block the thread while keys are loaded; the asynchronous ones never do. An asynchronous call
 * takes a copy of its input: the buffer may be changed as soon as the method returns.
 */
export class Session implements Disposable, AsyncDisposable {
  #native: NativeSession | undefined;

  private constructor(key: typeof constructorKey, native: NativeSession) {
    if (key !== constructorKey) {
      throw unexpected(
        'ERR_ASHERAH_INVALID_ARGUMENT',
        'new Session',
        'to be called by a factory',
        'another caller',
        'Call factory.getSession(partition).',
      );
    }
    this.#native = native;
  }

  /**
   * Encrypts data under a new data row key.
   *
   * @param data a string (its UTF-8 bytes; half a surrogate pair becomes U+FFFD) or any buffer or view (its raw bytes).
   *   Empty data is valid. Memory shared with other threads is copied first.
   * @returns the data row record, JSON text of about 4/3 of the data's size plus 230 bytes; at most 536870888 characters
   */
  encrypt(data: Data): string {
    return operations.encrypt(open(this, 'encrypt'), data);
  }

  /** As {@link encrypt}, without blocking the thread. Rejects with `options.signal.reason` once that signal is aborted. */
  async encryptAsync(data: Data, options?: CallOptions): Promise<string> {
    return operations.encryptAsync(open(this, 'encryptAsync'), data, options);
  }

  /** The same as {@link encrypt}, under the name it has in `asherah` 4. */
  encryptString(data: Data): string {
    return operations.encrypt(open(this, 'encryptString'), data);
  }

  /** The same as {@link encryptAsync}. */
  async encryptStringAsync(data: Data, options?: CallOptions): Promise<string> {
    return operations.encryptAsync(open(this, 'encryptStringAsync'), data, options);
  }

  /**
   * Decrypts a data row record, whatever the age of its keys, revoked or not. Never writes to the metastore.
   *
   * @param record the JSON text that encrypt returned, here or in another Asherah library, for this partition
   * @returns the data, in a buffer whose memory is shared with nothing
   * @throws AsherahError also `ERR_ASHERAH_INVALID_RECORD`, `ERR_ASHERAH_PARTITION_MISMATCH` and
   *   `ERR_ASHERAH_AUTHENTICATION_FAILED`
   */
  decrypt(record: DataRowRecord): Buffer {
    return operations.decrypt(open(this, 'decrypt'), record);
  }

  /** As {@link decrypt}, without blocking the thread; `options` as for {@link encryptAsync}. */
  async decryptAsync(record: DataRowRecord, options?: CallOptions): Promise<Buffer> {
    return operations.decryptAsync(open(this, 'decryptAsync'), record, options);
  }

  /**
   * As {@link decrypt}, for data that was a string.
   *
   * @throws AsherahError also `ERR_ASHERAH_NOT_UTF8`: nothing is replaced in silence, use `decrypt` for other data
   */
  decryptString(record: DataRowRecord): string {
    return operations.decryptString(open(this, 'decryptString'), record);
  }

  /** As {@link decryptString}, without blocking the thread; `options` as for {@link encryptAsync}. */
  async decryptStringAsync(record: DataRowRecord, options?: CallOptions): Promise<string> {
    return operations.decryptStringAsync(open(this, 'decryptStringAsync'), record, options);
  }

  /** Ends the use of this object; asynchronous calls in flight still finish. More calls of it do nothing. */
  close(): void {
    close(this, 'close');
  }

  /** As {@link close}; for `using`. */
  [dispose](): void {
    close(this, '[Symbol.dispose]');
  }

  /** As {@link close}; for `await using`. */
  async [asyncDispose](): Promise<void> {
    close(this, '[Symbol.asyncDispose]');
  }

  static {
    // Not static methods, which would name the class inside itself: the bundler then gives it another name.
    newSession = (native) => new this(constructorKey, native);
    isSession = (value): value is Session => typeof value === 'object' && value !== null && #native in value;
    nativeOf = (session) => session.#native;
    forget = (session) => {
      session.#native = undefined;
    };
  }
}

function open(receiver: unknown, method: string): NativeSession {
  if (!isSession(receiver)) throw wrongReceiver('Session', method, receiver);
  const native = nativeOf(receiver);
  if (native === undefined) throw closed('Session');
  if (native.engine.isClosed) throw closed('SessionFactory');
  return native;
}

function close(receiver: unknown, method: string): void {
  if (!isSession(receiver)) throw wrongReceiver('Session', method, receiver);
  const native = nativeOf(receiver);
  if (native === undefined) return;
  forget(receiver);
  native.engine.release(native);
}
