// SPDX-License-Identifier: Apache-2.0
import { describe, unexpected } from './errors.js';

/**
 * Overwrites a plaintext with zeros, when it is not needed any more. Copies that were made of it are not reached.
 *
 * @param plaintext what decrypt returned; `null` and `undefined` are let pass, as in `asherah` 4
 * @throws AsherahError `ERR_ASHERAH_INVALID_ARGUMENT`
 */
export function clearPlaintext(plaintext: Uint8Array | null | undefined): void {
  if (plaintext === null || plaintext === undefined) return;
  if (!ArrayBuffer.isView(plaintext)) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_ARGUMENT',
      'clearPlaintext',
      'its argument must be a Buffer or Uint8Array',
      describe(plaintext),
      'Pass what decrypt returned; strings cannot be overwritten.',
    );
  }
  try {
    const { buffer, byteOffset, byteLength } = plaintext;
    new Uint8Array(buffer, byteOffset, byteLength).fill(0);
  } catch {
    // Transferred away: there is nothing to overwrite here.
  }
}

/**
 * Does nothing, as in `asherah` 4: there is no such buffer here. In `asherah` 3 it set which results are on the stack.
 *
 * @param _size ignored
 */
export function setMaxStackAllocItemSize(_size: number): void {}

/**
 * Does nothing, as in `asherah` 3 and 4: the size of a record is known here, not estimated.
 *
 * @param _size ignored
 */
export function setSafetyPaddingOverhead(_size: number): void {}
