// SPDX-License-Identifier: Apache-2.0
import { hookUp } from './hooks.js';
import { requireCloud, requireCore } from './load.js';
import { isAlone, isMapped } from './mapped.js';

/**
 * The typed contract of the native module, on one screen. Everything the addons export is here: `asherah-cloud` is a superset of
 * `asherah-core` by what its factories can be configured for, not by functions.
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
   * @param onWarning called on this thread, from the event loop, for the life of the factory; does not keep the process
   *   alive. Also with {@link wantsCredentials} as the code
   * @param onRequest does the work of a KMS or metastore of type `provider`. Called on this thread, from the event loop or
   *   inside a synchronous call that needs it. Must not throw
   */
  openFactory(
    config: string,
    masterKey: Uint8Array | undefined,
    onWarning: (code: string, message: string) => void,
    onRequest?: OnRequest,
  ): number;
  closeFactory(factory: number): void;

  openSession(factory: number, partition: string): number;
  closeSession(session: number): void;

  /** Blocks while keys are cold. Returns the data row record. */
  encrypt(session: number, data: string | Uint8Array): string;
  /** The record if all keys are at hand, else `undefined` and nothing was done. */
  encryptHot(session: number, data: string | Uint8Array): string | undefined;
  /**
   * The input is copied before the call returns.
   *
   * @param call by which {@link cancelCall} may end it: then it gives `undefined`. Costs more than a call without
   */
  encryptAsync(session: number, data: string | Uint8Array, call?: number): Promise<string | undefined>;

  /**
   * A number n: the plaintext is the first n bytes of `destination`, which the caller copies and wipes. One that is
   * longer comes as a Buffer. (Up to some KB Node-API makes no Buffer as cheaply as JavaScript does.)
   */
  decrypt(session: number, record: string | Uint8Array, destination: Uint8Array): number | Buffer;
  decryptHot(session: number, record: string | Uint8Array, destination: Uint8Array): number | Buffer | undefined;
  decryptAsync(session: number, record: string | Uint8Array, call?: number): Promise<Buffer | undefined>;

  /** A string if the plaintext is ASCII; otherwise its bytes, for the caller to decode (and then wipe). */
  decryptString(session: number, record: string | Uint8Array): string | Buffer;

  /** A number for one asynchronous call, which no other call of this thread has had. */
  newCall(): number;
  /** Ends a call of this thread that waits; one that computes goes on to its end, and of others nothing is known any more. */
  cancelCall(call: number): void;

  /**
   * Answers a request; one that nobody waits for any more is ignored.
   *
   * @param outcome one of {@link Outcome}
   * @param data with `value`: the bytes of a key or the text of a key record; with `failed` and `misfit`: a message
   * @param thrown with `failed`: becomes the property `thrown` of the errors that this causes; a whole number
   */
  answer(request: number, outcome: Outcome, data?: string | Uint8Array, thrown?: number): void;

  /** Tries the KMS and the metastore out. JSON: the results of go/check. */
  verify(factory: number): Promise<string>;
  /** Makes the metastore's table if it is missing. `'true'`: it was. */
  createSchema(factory: number): Promise<string>;
  /** Answers the event `wantsCredentials`. JSON as described in go/capi/credentials.go. */
  setCredentials(factory: number, credentials: string): void;
  /** Whether a factory of this addon keeps its keys in this SQLite file. */
  hasSqliteFile(path: string): boolean;

  /**
   * Makes an open factory this addon's static instance, which every thread of the process finds by {@link getStatic}. It
   * outlives the thread that opened it; {@link closeFactory}, called by any thread, ends it. A session of it ends with the
   * thread that opened the session.
   *
   * @param settings for whoever finds it; nothing secret
   * @returns false: there is one already, nothing was done
   */
  setStatic(factory: number, settings: string): boolean;
  /**
   * The static instance, if there is one: the same object as long as it is the same instance. Costs little, and does not
   * start the engine.
   */
  getStatic(): { readonly factory: number; readonly settings: string } | undefined;

  /**
   * Somebody who hears of events; hears nothing yet. `hooks.ts` says what events are.
   *
   * @param onEvents called on this thread, from the event loop, when there is something to {@link takeEvents} again; does not
   *   keep the process alive
   */
  openListener(onEvents: () => void): number;
  closeListener(listener: number): void;
  /**
   * What a listener hears from now on.
   *
   * @param factory 0: every factory that this thread opened, and the static instance, but for what others have to
   *   themselves. Otherwise this one, opened by this thread; its measurements are then heard by nobody else
   * @param level log lines of this level and above: 1 `trace` to 5 `error`; 0: none
   * @param flags 1: measurements too; 2: nobody else hears log lines of this factory
   */
  watch(listener: number, factory: number, level: number, flags: number): void;
  /** As {@link closeFactory} does: `ended` of {@link takeEvents} then names the factory. */
  unwatch(listener: number, factory: number): void;
  /** What came about, as JSON of go/observe/queue.go, which `listening.ts` reads; an empty string: nothing. */
  takeEvents(listener: number): string;

  /** Counts for tests and diagnostics, as JSON; factory 0 is the whole process. */
  stats(factory: number): string;
}

/**
 * A request to the KMS or metastore of a factory.
 *
 * @param kind one of {@link RequestKind}
 * @param id of the key; an empty string with the two of the KMS
 * @param created of the key, in Unix seconds; 0 where there is none
 * @param body the raw or the encrypted key, for the KMS, in memory of its own; with `store` the text of the key record
 */
export type OnRequest = (
  request: number,
  kind: RequestKind,
  id: string,
  created: number,
  body: Buffer | string | undefined,
) => void;

/** ASHERAH_ENCRYPT_KEY and so on of src-cpp/asherah.h. */
export const requestKinds = { encryptKey: 1, decryptKey: 2, load: 3, loadLatest: 4, store: 5 } as const;
export type RequestKind = (typeof requestKinds)[keyof typeof requestKinds];

/** ASHERAH_ANSWER_VALUE and so on of src-cpp/asherah.h. */
export const outcomes = { value: 1, nothing: 2, done: 3, failed: 4, misfit: 5, promise: 6 } as const;
export type Outcome = (typeof outcomes)[keyof typeof outcomes];

/** ASHERAH_WANTS_CREDENTIALS of src-cpp/asherah.h. */
export const wantsCredentials = 'WANTS_CREDENTIALS';

/** Which addon a configuration needs. */
export type AddonName = 'core' | 'cloud';

const loaded: { core: Addon | undefined; cloud: Addon | undefined } = { core: undefined, cloud: undefined };

/**
 * The native module that serves a new factory. It is loaded by the first factory, not with the package, so that
 * `require('asherah-napi')` costs next to nothing and can't fail.
 *
 * The rule: one Go runtime is better than two. Once the cloud addon is in the process it serves every later factory, of
 * other threads too, since it can do all that the core can. Two are loaded only where a factory that needs the cloud addon
 * comes after one that did not.
 *
 * @param option what in the configuration asks for the cloud addon, for the message where there is none
 * @throws AsherahError `ERR_ASHERAH_LOAD_FAILED`; `cause` holds the loader's own error
 */
export function loadAddon(needs: AddonName, option = ''): Addon {
  if (loaded.cloud !== undefined) return loaded.cloud;
  if (needs === 'cloud') {
    loaded.cloud = hookedUp(requireCloud(option));
    return loaded.cloud;
  }
  if (loaded.core !== undefined) return loaded.core;
  if (!isAlone()) loaded.cloud = mappedCloud();
  if (loaded.cloud !== undefined) return loaded.cloud;
  loaded.core = hookedUp(requireCore());
  return loaded.core;
}

function hookedUp(addon: Addon): Addon {
  hookUp(addon);
  return addon;
}

/** The cloud addon, if it is in the process already and this copy of the package has it too. */
function mappedCloud(): Addon | undefined {
  if (!isMapped('cloud')) return undefined;
  try {
    return hookedUp(requireCloud(''));
  } catch {
    return undefined; // another copy's; a configuration that does not need it must not fail for it
  }
}

/** The other addon than `addon`, if this process has both: they must not have the same SQLite file open. */
export function otherAddon(addon: Addon): Addon | undefined {
  if (addon === loaded.core) {
    loaded.cloud ??= mappedCloud();
    return loaded.cloud;
  }
  if (loaded.core === undefined && isMapped('core')) loaded.core = hookedUp(requireCore());
  return loaded.core;
}

/** Those addons that any thread of this process has loaded, as far as can be known. Loads none that nobody has. */
export function presentAddons(): Addon[] {
  if (loaded.core === undefined && isMapped('core')) loaded.core = hookedUp(requireCore());
  loaded.cloud ??= mappedCloud();
  return [loaded.core, loaded.cloud].filter((addon) => addon !== undefined);
}
