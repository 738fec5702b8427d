// SPDX-License-Identifier: Apache-2.0
import { isUtf8 } from 'node:buffer';
import type { Addon } from './addon.js';
import { asyncDispose, dispose } from './dispose.js';
import { AsherahError, closed, fromNative, unexpected, wrongReceiver } from './errors.js';
import { type Data, type DataRowRecord, toData, toRecord } from './input.js';
import type { NativeSession } from './session-cache.js';

/**
 * Up to this size (bytes, or UTF-16 units of a string) an asynchronous call whose keys are in memory does the work at
 * once: that takes less time than a thread and the way back. Measured on 2026-11-22 (Node 20, 2 cores): 64 KB take 45 us at
 * once and 130 us over a thread, 92 us with 16 calls in flight; `npm run bench` shows both, one on each side of the limit.
 */
const inlineLimit = 64 * 1024;

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
    const native = open(this, 'encrypt');
    const input = toData(data, native.engine.idLength(native));
    try {
      return native.engine.addon.encrypt(native.handle, input);
    } catch (error) {
      throw fromNative(error);
    }
  }

  /** As {@link encrypt}, without blocking the thread. */
  async encryptAsync(data: Data): Promise<string> {
    const native = open(this, 'encryptAsync');
    const input = toData(data, native.engine.idLength(native));
    const { engine, handle } = native;
    return inBackground(
      native,
      input.length <= inlineLimit ? () => engine.addon.encryptHot(handle, input) : undefined,
      () => engine.addon.encryptAsync(handle, input),
    );
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
    const native = open(this, 'decrypt');
    const input = toRecord(record);
    try {
      return toBuffer(native.engine.addon.decrypt(native.handle, input, shortPlaintext));
    } catch (error) {
      throw fromNative(error);
    }
  }

  /** As {@link decrypt}, without blocking the thread. */
  async decryptAsync(record: DataRowRecord): Promise<Buffer> {
    return decryptInBackground(open(this, 'decryptAsync'), record);
  }

  /**
   * As {@link decrypt}, for data that was a string.
   *
   * @throws AsherahError also `ERR_ASHERAH_NOT_UTF8`: nothing is replaced in silence, use `decrypt` for other data
   */
  decryptString(record: DataRowRecord): string {
    const native = open(this, 'decryptString');
    const input = toRecord(record);
    let data: string | Buffer;
    try {
      data = native.engine.addon.decryptString(native.handle, input);
    } catch (error) {
      throw fromNative(error);
    }
    return typeof data === 'string' ? data : toUtf8(data);
  }

  /** As {@link decryptString}, without blocking the thread. */
  async decryptStringAsync(record: DataRowRecord): Promise<string> {
    return toUtf8(await decryptInBackground(open(this, 'decryptStringAsync'), record));
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

function decryptInBackground(native: NativeSession, record: DataRowRecord): Promise<Buffer> {
  const input = toRecord(record);
  const { engine, handle } = native;
  return inBackground(
    native,
    input.length <= inlineLimit ? () => decryptHot(engine.addon, handle, input) : undefined,
    () => engine.addon.decryptAsync(handle, input),
  );
}

/** `async`, so that V8 adds the waiting functions of the caller to an error's stack. */
async function inBackground<T>(
  native: NativeSession,
  hot: (() => T | undefined) | undefined,
  cold: () => Promise<T>,
): Promise<T> {
  // A user, so that neither close() nor garbage collection ends the native session under the call.
  native.users++;
  try {
    return hot?.() ?? (await cold());
  } catch (error) {
    throw fromNative(error);
  } finally {
    native.engine.release(native);
  }
}

function decryptHot(addon: Addon, handle: number, record: string | Uint8Array): Buffer | undefined {
  const result = addon.decryptHot(handle, record, shortPlaintext);
  return result === undefined ? undefined : toBuffer(result);
}

/** Where the addon puts a plaintext for `toBuffer` to copy. From about this size on a Buffer that it makes costs no more. */
const shortPlaintext = new Uint8Array(4096);

/** What the addon decrypted, in memory of its own: `.buffer` of a slice of Node's pool would show other plaintexts. */
function toBuffer(result: number | Buffer): Buffer {
  if (typeof result !== 'number') return result;
  const plaintext = shortPlaintext.subarray(0, result);
  try {
    const data = Buffer.allocUnsafeSlow(result);
    data.set(plaintext);
    return data;
  } finally {
    plaintext.fill(0);
  }
}

function toUtf8(data: Buffer): string {
  try {
    if (isUtf8(data)) return data.toString('utf8');
  } finally {
    // The string can't be wiped, but one copy of the plaintext less lies in memory.
    data.fill(0);
  }
  throw new AsherahError(
    'ERR_ASHERAH_NOT_UTF8',
    'record: expected data that is UTF-8 text, got other bytes. Use decrypt, which returns them.',
  );
}
