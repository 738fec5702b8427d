// SPDX-License-Identifier: Apache-2.0
import type { AsherahErrorCode } from './errors.js';
import { describe, optionsArgument, unexpected } from './errors.js';
import { isLogLevel, setModuleHook } from './listening.js';
import type { AsherahWarningCode } from './warnings.js';

export { type FactoryWatch, hookUp, tellLog, type WatchOptions, watchFactory } from './listening.js';

/** How grave a log line is, the least grave first. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/**
 * One line of the log.
 *
 * - `error`: a call, or the load of a key in the background, failed for a reason of the metastore, the KMS or the package
 *   itself. What a caller did wrong is only his error.
 * - `warn`: every warning, with its `WARN_ASHERAH_` code.
 * - `info`: a factory was opened or closed, a key made and stored, a table made.
 * - `debug`: a key was loaded, refreshed, found revoked or left a full cache; a request to the KMS.
 * - `trace`: nothing so far.
 *
 * Lines may name key ids, which contain partitions, but never hold key material, plaintext, credentials or connection strings.
 */
export interface LogEvent {
  readonly level: LogLevel;
  /** A sentence for people; may change in any release. */
  readonly message: string;
  /** Which part speaks: `asherah.call`, `.factory`, `.key`, `.metastore` or `.kms`; more may come. */
  readonly target: string;
  /** A code of `docs/errors.md`, where the line has one. */
  readonly code?: AsherahErrorCode | AsherahWarningCode;
}

/** A log hook as older Asherah packages have it: syslog's numbers, 3 error, 4 warn, 6 info, 7 debug and trace. */
export type LogHookCallback = (level: number, message: string) => void;

/**
 * One measurement.
 *
 * - `encrypt`, `decrypt`: one call that reached the engine, in nanoseconds from there to its result, with `errorCode` if it
 *   failed. A call in flight when its factory is closed is not measured.
 * - `load`, `store`: one call of the metastore, named by `metastore`.
 * - `kms_encrypt`, `kms_decrypt`: one request to the KMS, for AWS to the region of `region`, with the SDK's retries.
 * - `cache_hit`, `cache_miss`, `cache_stale`: one look for a key, `cache_stale` where it was found but is due to be
 *   refreshed. The key that a session keeps at hand counts as found in the cache of intermediate keys.
 * - `rotation`: a new key was made and stored, the first one of a partition or service too.
 */
export type MetricsEvent =
  | {
      readonly type: 'encrypt' | 'decrypt' | 'store' | 'load' | 'kms_encrypt' | 'kms_decrypt';
      /** Whole nanoseconds. */
      readonly durationNs: number;
      /** Of `load` and `store`: `memory`, `sqlite`, `dynamodb`, `mysql`, `postgres` or `provider`, one of your own. */
      readonly metastore?: string;
      /** Of `kms_encrypt` and `kms_decrypt` with AWS KMS. */
      readonly region?: string;
      /** Why it failed; absent where it did not. */
      readonly errorCode?: AsherahErrorCode;
    }
  | {
      readonly type: 'cache_hit' | 'cache_miss' | 'cache_stale' | 'rotation';
      /** Of which keys. */
      readonly name: 'intermediate' | 'system';
    };

/** A log hook in either form: one with two parameters or more (its `length`) is called as a {@link LogHookCallback}. */
export type LogHook = ((event: LogEvent) => void) | LogHookCallback;

/** Hears measurements. */
export type MetricsHook = (event: MetricsEvent) => void;

/** Options of {@link setLogHook}. */
export interface LogHookOptions {
  /**
   * The least grave level to hear. A factory with `verbose: true` is heard from `debug` on by a hook of one parameter, whatever
   * this says.
   * @defaultValue `'warn'`
   */
  readonly level?: LogLevel | undefined;
}

/**
 * Has a function hear the log of this thread's factories, and of the static instance, whichever thread uses that, from when
 * this thread has loaded the native addon. A factory with a `logHook` of its own is heard by that one instead. Another call replaces the function; `null` or `undefined` removes
 * it, at once: what it has not heard by then it never will.
 *
 * Hooks are called from the event loop, never inside another call. They do not keep the process alive; what is pending at
 * its normal end is delivered on its `'exit'`. What a hook throws, or rejects with, becomes a process warning
 * `WARN_ASHERAH_HOOK_FAILED`, once for each hook. For each thread and native addon at most 4096 events wait: while a hook is
 * slower, or the program does not return to the event loop, the newest are dropped, and a warning
 * `WARN_ASHERAH_EVENTS_DROPPED` says how many (to the log hook each time, to the process once, where there is no log hook). A
 * hook that itself starts an asynchronous call for each event of such calls goes on for ever.
 *
 * @throws AsherahError `ERR_ASHERAH_INVALID_ARGUMENT`
 */
export function setLogHook(hook: (event: LogEvent) => void, options?: LogHookOptions): void;
export function setLogHook(hook: LogHookCallback, options?: LogHookOptions): void;
export function setLogHook(hook: LogHook | null | undefined, options?: LogHookOptions): void;
export function setLogHook(hook: LogHook | null | undefined, options: LogHookOptions = {}): void {
  checkHook(hook);
  const { level = 'warn' } = optionsArgument(options, 'level', invalid);
  if (!isLogLevel(level)) {
    throw invalid('options.level', "'trace', 'debug', 'info', 'warn' or 'error'", describe(level));
  }
  setModuleHook('log', hook ? { hook, level } : undefined);
}

/**
 * Has a function hear the measurements of this thread's factories, and of the static instance, whichever thread uses that. A
 * factory with a `metricsHook` of its own is heard by that one instead. All else is as for {@link setLogHook}.
 *
 * Without a hook nothing is measured. With one, a call takes some hundred nanoseconds more.
 *
 * @throws AsherahError `ERR_ASHERAH_INVALID_ARGUMENT`
 */
export function setMetricsHook(hook: MetricsHook | null | undefined): void {
  checkHook(hook);
  setModuleHook('metric', hook ? { hook } : undefined);
}

function checkHook(hook: unknown): void {
  if (hook !== null && hook !== undefined && typeof hook !== 'function') {
    throw invalid('hook', 'a function, or null or undefined to remove the one that is set', describe(hook));
  }
}

function invalid(argument: string, expected: string, got: string): Error {
  return unexpected(
    'ERR_ASHERAH_INVALID_ARGUMENT',
    argument,
    expected,
    got,
    "Call setLogHook((event) => …, { level: 'info' }) or setMetricsHook((event) => …).",
  );
}
