// SPDX-License-Identifier: Apache-2.0

/**
 * The typed contract of the native module, on one screen. Everything the addon exports is here, and only this file loads it.
 *
 * Handles are numbers that Go hands out and checks on every call: a stale or invented one is an error, never a crash.
 * Failures are thrown (asynchronous ones reject) as plain `Error`s with `code` and `message`; `errors.ts` makes
 * `AsherahError`s of them.
 */
export interface Addon {
  /** Version of the package the addon was built for. */
  readonly version: string;

  /**
   * @param config JSON as described in go/capi/config.go
   * @param masterKey the static KMS's 32 bytes; the caller wipes them afterwards
   * @param onWarning called on this thread, from the event loop, for the life of the factory; does not keep the process alive
   */
  openFactory(
    config: string,
    masterKey: Uint8Array | undefined,
    onWarning: (code: string, message: string) => void,
  ): number;
  closeFactory(factory: number): void;

  openSession(factory: number, partition: string): number;
  closeSession(session: number): void;

  /** Blocks while keys are cold. Returns the data row record. */
  encrypt(session: number, data: string | Uint8Array): string;
  /** The record if all keys are at hand, else `undefined` and nothing was done. */
  encryptHot(session: number, data: string | Uint8Array): string | undefined;
  /** The input is copied before the call returns. */
  encryptAsync(session: number, data: string | Uint8Array): Promise<string>;

  decrypt(session: number, record: string | Uint8Array): Buffer;
  decryptHot(session: number, record: string | Uint8Array): Buffer | undefined;
  decryptAsync(session: number, record: string | Uint8Array): Promise<Buffer>;

  /** A string if the plaintext is ASCII; otherwise its bytes, for the caller to decode (and then wipe). */
  decryptString(session: number, record: string | Uint8Array): string | Buffer;

  /** Counts for tests and diagnostics, as JSON; factory 0 is the whole process. */
  stats(factory: number): string;
}
