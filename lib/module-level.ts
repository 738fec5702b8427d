// SPDX-License-Identifier: Apache-2.0
import { type Addon, loadAddon, presentAddons } from './addon.js';
import type { CallOptions } from './cancellation.js';
import type { AsherahConfig } from './compat-options.js';
import { checkConfig } from './config.js';
import { Engine, openEngine } from './engine.js';
import { AsherahError, unexpected } from './errors.js';
import type { Data, DataRowRecord } from './input.js';
import * as operations from './operations.js';
import type { NativeSession } from './session-cache.js';

// The functions of the older `asherah` packages. Behind them is one factory per process, the static instance, which the
// addon knows: each thread finds it there, and holds its own sessions of it.

/** This thread's hold on the static instance. Another thread may have shut that down meanwhile: then its calls say so. */
let current: Engine | undefined;

/**
 * Makes the static instance, with which the module-level functions of all threads work until {@link shutdown}. No server or
 * file is asked before the first call that needs it. New code rather makes a {@link SessionFactory}.
 *
 * The functions in the configuration (`awsCredentials`, `onWarning`, hooks) belong to the thread that calls this, and are gone with
 * it; what else there is goes on.
 *
 * @param config an object of options or its JSON text, in camelCase (`asherah` 4) or PascalCase (`asherah` 3)
 * @throws AsherahError `ERR_ASHERAH_ALREADY_SET_UP`, and as the constructor of {@link SessionFactory}
 */
export function setup(config: AsherahConfig | string): void {
  if (findStatic() !== undefined) throw alreadySetUp();
  const checked = checkConfig(config, { prepare: loadAddon, moduleLevel: true });
  let engine: Engine;
  try {
    engine = openEngine(checked);
  } finally {
    checked.masterKey?.fill(0);
  }
  const { addon, handle, settings } = engine;
  // Two threads may come here at once, each with another addon: then neither gets through.
  const isFirst = addon.setStatic(handle, JSON.stringify(settings));
  if (!isFirst || presentAddons().some((other) => other !== addon && other.getStatic() !== undefined)) {
    engine.close();
    throw alreadySetUp();
  }
  engine.outlive();
  current = engine;
}

/** As {@link setup}; it has nothing to wait for. */
export async function setupAsync(config: AsherahConfig | string): Promise<void> {
  setup(config);
}

/** Closes the static instance, for all threads. Without one it does nothing. */
export function shutdown(): void {
  const found = findStatic();
  forgetCurrent();
  found?.addon.closeFactory(found.factory);
}

/** As {@link shutdown}; it has nothing to wait for. */
export async function shutdownAsync(): Promise<void> {
  shutdown();
}

/** Whether there is a static instance, made by any thread. */
export function getSetupStatus(): boolean {
  return findStatic() !== undefined;
}

/**
 * As {@link Session.encrypt}, with the session of `partitionId` of the static instance.
 *
 * @throws AsherahError also `ERR_ASHERAH_NOT_SET_UP`
 */
export function encrypt(partitionId: string, data: Data): string {
  return call(partitionId, operations.encrypt, data);
}

/**
 * As {@link encrypt}, without blocking the thread. Rejects, and never throws.
 *
 * @param options as for {@link Session.encryptAsync}; what is no object is ignored, as in the older packages
 */
export async function encryptAsync(partitionId: string, data: Data, options?: CallOptions): Promise<string> {
  return callAsync(partitionId, operations.encryptAsync, data, options);
}

/** The same as {@link encrypt}. */
export const encryptString = encrypt;

/** The same as {@link encryptAsync}. */
export const encryptStringAsync = encryptAsync;

/**
 * As {@link Session.decrypt}, with the session of `partitionId` of the static instance.
 *
 * @throws AsherahError also `ERR_ASHERAH_NOT_SET_UP`
 */
export function decrypt(partitionId: string, dataRowRecord: DataRowRecord): Buffer {
  return call(partitionId, operations.decrypt, dataRowRecord);
}

/** As {@link decrypt}, without blocking the thread. Rejects, and never throws; `options` as for {@link encryptAsync}. */
export async function decryptAsync(
  partitionId: string,
  dataRowRecord: DataRowRecord,
  options?: CallOptions,
): Promise<Buffer> {
  return callAsync(partitionId, operations.decryptAsync, dataRowRecord, options);
}

/** As {@link decrypt}, for data that was a string: other bytes are `ERR_ASHERAH_NOT_UTF8`. */
export function decryptString(partitionId: string, dataRowRecord: DataRowRecord): string {
  return call(partitionId, operations.decryptString, dataRowRecord);
}

/** As {@link decryptString}, without blocking the thread. Rejects, and never throws; `options` as for {@link encryptAsync}. */
export async function decryptStringAsync(
  partitionId: string,
  dataRowRecord: DataRowRecord,
  options?: CallOptions,
): Promise<string> {
  return callAsync(partitionId, operations.decryptStringAsync, dataRowRecord, options);
}

function call<Input, Result>(
  partition: string,
  operation: (native: NativeSession, input: Input) => Result,
  input: Input,
): Result {
  for (;;) {
    const engine = instance();
    try {
      const native = engine.acquire(partition);
      try {
        return operation(native, input);
      } finally {
        engine.release(native);
      }
    } catch (error) {
      if (!isReplaced(engine, error)) throw error;
    }
  }
}

async function callAsync<Input, Result>(
  partition: string,
  operation: (native: NativeSession, input: Input, options: CallOptions | undefined) => Promise<Result>,
  input: Input,
  options: CallOptions | undefined,
): Promise<Result> {
  // The older packages ignore further arguments, as `array.map(…)` passes them: so only an object is taken for options.
  const checked = typeof options === 'object' && options !== null ? options : undefined;
  for (;;) {
    const engine = instance();
    try {
      const native = engine.acquire(partition);
      try {
        return await operation(native, input, checked);
      } finally {
        engine.release(native);
      }
    } catch (error) {
      if (!isReplaced(engine, error)) throw error;
    }
  }
}

function instance(): Engine {
  if (current === undefined) {
    const found = findStatic();
    if (found === undefined) throw notSetUp();
    current = new Engine(found.addon, found.factory, JSON.parse(found.settings));
  }
  return current;
}

/** Whether a call failed because another thread shut the static instance down: the next try sees what is there now. */
function isReplaced(engine: Engine, error: unknown): boolean {
  if (!(error instanceof AsherahError) || error.code !== 'ERR_ASHERAH_CLOSED') return false;
  if (engine.isClosed) return false; // by this thread, under the call
  const found = findStatic();
  if (found?.addon === engine.addon && found.factory === engine.handle) return false;
  if (engine === current) forgetCurrent();
  return true;
}

function forgetCurrent(): void {
  current?.close();
  current = undefined;
}

function findStatic(): { addon: Addon; factory: number; settings: string } | undefined {
  for (const addon of presentAddons()) {
    const found = addon.getStatic();
    if (found !== undefined) return { addon, ...found };
  }
  return undefined;
}

// The words that code for asherah 3 and 4 may look for are in these two messages.

function notSetUp(): Error {
  return unexpected(
    'ERR_ASHERAH_NOT_SET_UP',
    'asherah',
    'to be set up',
    'a call before that (asherah not configured; call setup() first; setup() not called)',
    'Call setup(config), in any thread.',
  );
}

function alreadySetUp(): Error {
  return unexpected(
    'ERR_ASHERAH_ALREADY_SET_UP',
    'setup',
    'one call until shutdown()',
    'another (asherah already configured; call shutdown() first; setup() already called)',
    'For several configurations make a SessionFactory of each.',
  );
}
