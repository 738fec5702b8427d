// SPDX-License-Identifier: Apache-2.0
import { isUtf8 } from 'node:buffer';
import type { Addon } from './addon.js';
import { type CallOptions, checkSignal, untilAborted } from './cancellation.js';
import { AsherahError, fromNative } from './errors.js';
import { type Data, type DataRowRecord, toData, toRecord } from './input.js';
import type { NativeSession } from './session-cache.js';

// What can be done with an open session: for the methods of Session and for the module-level functions, which both have found
// it. The asynchronous ones throw what is wrong with their argument; their callers are async functions.

/**
 * Up to this size (bytes, or UTF-16 units of a string) an asynchronous call whose keys are in memory does the work at
 * once: that takes less time than a thread and the way back. Measured on 2026-11-22 (Node 20, 2 cores): 64 KB take 45 us at
 * once and 130 us over a thread, 92 us with 16 calls in flight; `npm run bench` shows both, one on each side of the limit.
 */
const inlineLimit = 64 * 1024;

export function encrypt(native: NativeSession, data: Data): string {
  const input = toData(data, native.engine.idLength(native));
  try {
    return native.engine.addon.encrypt(native.handle, input);
  } catch (error) {
    throw fromNative(error);
  }
}

export function encryptAsync(native: NativeSession, data: Data, options?: CallOptions): Promise<string> {
  const signal = options === undefined ? undefined : checkSignal(options);
  const { engine, handle } = native;
  const input = toData(data, engine.idLength(native));
  return inBackground(
    native,
    input.length <= inlineLimit ? () => engine.addon.encryptHot(handle, input) : undefined,
    (call) => engine.addon.encryptAsync(handle, input, call),
    signal,
  );
}

export function decrypt(native: NativeSession, record: DataRowRecord): Buffer {
  const input = toRecord(record);
  try {
    return toBuffer(native.engine.addon.decrypt(native.handle, input, shortPlaintext));
  } catch (error) {
    throw fromNative(error);
  }
}

export function decryptAsync(native: NativeSession, record: DataRowRecord, options?: CallOptions): Promise<Buffer> {
  const signal = options === undefined ? undefined : checkSignal(options);
  const { engine, handle } = native;
  const input = toRecord(record);
  return inBackground(
    native,
    input.length <= inlineLimit ? () => decryptHot(engine.addon, handle, input) : undefined,
    (call) => engine.addon.decryptAsync(handle, input, call),
    signal,
  );
}

export function decryptString(native: NativeSession, record: DataRowRecord): string {
  const input = toRecord(record);
  let data: string | Buffer;
  try {
    data = native.engine.addon.decryptString(native.handle, input);
  } catch (error) {
    throw fromNative(error);
  }
  return typeof data === 'string' ? data : toUtf8(data);
}

export async function decryptStringAsync(
  native: NativeSession,
  record: DataRowRecord,
  options?: CallOptions,
): Promise<string> {
  return toUtf8(await decryptAsync(native, record, options));
}

/** `async`, so that V8 adds the waiting functions of the caller to an error's stack. */
async function inBackground<T>(
  native: NativeSession,
  hot: (() => T | undefined) | undefined,
  cold: (call?: number) => Promise<T | undefined>,
  signal: AbortSignal | undefined,
): Promise<T> {
  // A user, so that neither close() nor garbage collection ends the native session under the call.
  native.users++;
  let result: T | undefined;
  try {
    result = hot?.() ?? (await (signal === undefined ? cold() : untilAborted(signal, native.engine.addon, cold)));
  } catch (error) {
    throw fromNative(error);
  } finally {
    native.engine.release(native);
  }
  if (result === undefined) throw signal?.reason;
  return result;
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
