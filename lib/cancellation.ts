// SPDX-License-Identifier: Apache-2.0
import type { Addon } from './addon.js';
import { describe, optionsArgument, unexpected } from './errors.js';

/** Options of one asynchronous call. */
export interface CallOptions {
  /**
   * Once it is aborted the call rejects with its `reason`, whatever that is, as `fetch` does. If it is aborted already, nothing
   * is done. What is being computed, or loaded for others too, goes on unheard.
   */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The signal in the options of a call, if there is one.
 *
 * @throws its reason, if it is aborted already
 */
export function checkSignal(options: unknown): AbortSignal | undefined {
  const { signal } = optionsArgument(options, 'signal', invalid);
  if (signal === undefined) return undefined;
  if (!isSignal(signal)) throw invalid('options.signal', 'an AbortSignal', describe(signal));
  if (signal.aborted) throw signal.reason;
  return signal;
}

/** By what it can do: test environments and polyfills have classes of their own. */
function isSignal(value: unknown): value is AbortSignal {
  try {
    const { aborted, addEventListener, removeEventListener } = value as AbortSignal;
    return (
      typeof aborted === 'boolean' &&
      typeof addEventListener === 'function' &&
      typeof removeEventListener === 'function'
    );
  } catch {
    return false;
  }
}

/**
 * The result of a call of the addon, or `undefined` as soon as the signal is aborted.
 *
 * @param start starts the call under the number by which it can be cancelled
 */
export function untilAborted<T>(
  signal: AbortSignal,
  addon: Addon,
  start: (call: number) => Promise<T | undefined>,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const call = addon.newCall();
    // Before the call starts, so that nothing was done if somebody's own signal throws.
    const forget = whenAborted(signal, () => {
      forget();
      resolve(undefined);
      addon.cancelCall(call);
    });
    start(call).then(resolve, reject).finally(forget);
  });
}

/**
 * One listener for all calls that wait under a signal: adding to a signal that has many takes time in proportion to their
 * number, and Node.js takes more than ten for a leak. It is gone with the last of them.
 */
const waiting = new WeakMap<AbortSignal, { calls: Set<() => void>; listener: () => void }>();

/** @returns what has to be called when the call is over */
function whenAborted(signal: AbortSignal, call: () => void): () => void {
  let all = waiting.get(signal);
  if (all === undefined) {
    const calls = new Set<() => void>();
    all = {
      calls,
      listener() {
        for (const each of calls) each();
      },
    };
    signal.addEventListener('abort', all.listener);
    waiting.set(signal, all);
  }
  const { calls, listener } = all;
  calls.add(call);
  return () => {
    calls.delete(call);
    if (calls.size > 0) return;
    signal.removeEventListener('abort', listener);
    waiting.delete(signal);
  };
}

function invalid(argument: string, expected: string, got: string): Error {
  const remedy = 'Leave it out, or pass { signal } with the signal of an AbortController.';
  return unexpected('ERR_ASHERAH_INVALID_ARGUMENT', argument, expected, got, remedy);
}
