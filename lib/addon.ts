// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AsherahError } from './errors.js';

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

  /**
   * A number n: the plaintext is the first n bytes of `destination`, which the caller copies and wipes. One that is
   * longer comes as a Buffer. (Up to some KB Node-API makes no Buffer as cheaply as JavaScript does.)
   */
  decrypt(session: number, record: string | Uint8Array, destination: Uint8Array): number | Buffer;
  decryptHot(session: number, record: string | Uint8Array, destination: Uint8Array): number | Buffer | undefined;
  decryptAsync(session: number, record: string | Uint8Array): Promise<Buffer>;

  /** A string if the plaintext is ASCII; otherwise its bytes, for the caller to decode (and then wipe). */
  decryptString(session: number, record: string | Uint8Array): string | Buffer;

  /** Counts for tests and diagnostics, as JSON; factory 0 is the whole process. */
  stats(factory: number): string;
}

// Has no types of its own.
const loadBuild = require('node-gyp-build') as (directory: string) => Addon;

const packageRoot = join(__dirname, '..');
let loaded: Addon | undefined;

/**
 * The native module. It is loaded by the first factory, not with the package, so that `require('asherah-napi')` costs
 * nothing and can't fail.
 *
 * @throws AsherahError `ERR_ASHERAH_LOAD_FAILED`; `cause` holds the loader's own error
 */
export function loadAddon(): Addon {
  if (loaded === undefined) {
    const addon = open();
    const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
    if (addon.version !== version) {
      throw new AsherahError(
        'ERR_ASHERAH_LOAD_FAILED',
        `addon: expected version ${version}, that of the package, got ${addon.version}. ` +
          'Install the package again, or in a checkout run `npm run build`.',
      );
    }
    loaded = addon;
  }
  return loaded;
}

function open(): Addon {
  try {
    return loadBuild(packageRoot);
  } catch (cause) {
    throw new AsherahError(
      'ERR_ASHERAH_LOAD_FAILED',
      `addon: expected a native build for ${process.platform}-${process.arch} that loads, got an error (see its cause). ${remedy()}`,
      { cause },
    );
  }
}

function remedy(): string {
  // Go's runtime can't live in a library that musl loads late, so there is no build to look for.
  if (process.platform === 'linux' && !hasGlibc()) {
    return 'This system uses musl (Alpine?), where the addon does not run: use a glibc image, such as node:24-slim.';
  }
  return (
    'Install the package again on this machine (node_modules of another platform do not fit), ' +
    'or in a checkout run `npm run build`, which needs Go, CMake and a C++17 compiler.'
  );
}

function hasGlibc(): boolean {
  const report = process.report?.getReport() as unknown as { header?: { glibcVersionRuntime?: string } } | undefined;
  return report?.header === undefined || report.header.glibcVersionRuntime !== undefined;
}
