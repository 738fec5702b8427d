// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:buffer';
import { types } from 'node:util';
import { AsherahError, describe, unexpected } from './errors.js';

/** What can be encrypted: a string (its UTF-8 bytes) or the raw bytes of any buffer or view, a `Float64Array` included. */
export type Data = string | ArrayBufferView | ArrayBufferLike;

/** What can be decrypted: the JSON text that encrypt returned, as a string or as its UTF-8 bytes in any buffer or view. */
export type DataRowRecord = string | ArrayBufferView | ArrayBufferLike;

/**
 * Checks a value to encrypt.
 *
 * @param idLength the UTF-16 units of all ids that the record will name
 */
export function toData(value: unknown, idLength: number): string | Uint8Array {
  const data = typeof value === 'string' ? value : toBytes(value, 'data', dataExpected, dataRemedy);
  if (data.length > sizeCheckFrom) checkDataSize(data, idLength);
  return data;
}

/** Checks a value to decrypt; what the text says is checked by the engine. */
export function toRecord(value: unknown): string | Uint8Array {
  if (typeof value === 'string') return value;
  const record = toBytes(value, 'record', recordExpected, recordRemedy);
  if (record.length > constants.MAX_STRING_LENGTH) {
    throw tooLarge('record', constants.MAX_STRING_LENGTH, record.length, 'No record that encrypt returned is longer.');
  }
  return record;
}

const dataExpected = 'a string, Buffer, ArrayBuffer or view of one';
const dataRemedy = 'Turn other values into one first, for example with JSON.stringify().';
const recordExpected = 'the data row record as a string, Buffer, ArrayBuffer or view of one';
const recordRemedy = 'Pass the JSON text that encrypt returned, not the object it describes.';

function toBytes(value: unknown, argument: string, expected: string, remedy: string): Uint8Array {
  let bytes: Uint8Array | undefined;
  try {
    if (types.isUint8Array(value)) bytes = value;
    else if (ArrayBuffer.isView(value)) bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    else if (types.isAnyArrayBuffer(value)) bytes = new Uint8Array(value);
    // Throws where the bytes were transferred away, which otherwise would look like valid empty data.
    if (bytes?.length === 0 && types.isTypedArray(value)) Uint8Array.prototype.at.call(value, 0);
  } catch (cause) {
    const message = `${argument}: expected ${expected}, got one whose bytes were transferred away or cut off. Pass it before, or pass a copy.`;
    throw new AsherahError('ERR_ASHERAH_INVALID_ARGUMENT', message, { cause });
  }
  if (bytes === undefined) {
    throw unexpected('ERR_ASHERAH_INVALID_ARGUMENT', argument, expected, describe(value), remedy);
  }
  // Other threads may write to shared memory during the call: one copy makes it a single state. (A buffer of another
  // realm is copied too; telling it from a shared one would cost every call more.)
  return bytes.buffer instanceof ArrayBuffer ? bytes : new Uint8Array(bytes);
}

/** No data this short can exceed the limit, so only longer data pays for an exact check. */
const sizeCheckFrom = 1 << 20;

/** A record is one string, and JSON may write one unit of an id with six characters; the rest of its text is under 256. */
function checkDataSize(data: string | Uint8Array, idLength: number): void {
  const length = typeof data === 'string' ? Buffer.byteLength(data) : data.length;
  // Base64 of the ciphertext, which is as long as the data, plus tag and nonce.
  const limit = Math.floor((constants.MAX_STRING_LENGTH - 256 - 6 * idLength) / 4) * 3 - 28;
  if (length > limit) throw tooLarge('data', Math.max(limit, 0), length, 'Encrypt it in parts.');
}

function tooLarge(argument: string, limit: number, length: number, remedy: string): AsherahError {
  return unexpected('ERR_ASHERAH_TOO_LARGE', argument, `at most ${limit} bytes`, `${length} bytes`, remedy);
}
