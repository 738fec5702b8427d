// SPDX-License-Identifier: Apache-2.0
import { types } from 'node:util';
import { recall } from './thrown.js';

// Registered, so that two copies of this module share it.
const brand = Symbol.for('asherah-napi.AsherahError');

/** Every code an {@link AsherahError} can have; `docs/errors.md` says when each comes and what to do. */
export const errorCodes = [
  'ERR_ASHERAH_INVALID_ARGUMENT',
  'ERR_ASHERAH_INVALID_CONFIG',
  'ERR_ASHERAH_UNKNOWN_OPTION',
  'ERR_ASHERAH_INVALID_RECORD',
  'ERR_ASHERAH_TOO_LARGE',
  'ERR_ASHERAH_PARTITION_MISMATCH',
  'ERR_ASHERAH_KEY_NOT_FOUND',
  'ERR_ASHERAH_AUTHENTICATION_FAILED',
  'ERR_ASHERAH_INVALID_KEY_RECORD',
  'ERR_ASHERAH_NOT_UTF8',
  'ERR_ASHERAH_CLOSED',
  'ERR_ASHERAH_NOT_SET_UP',
  'ERR_ASHERAH_ALREADY_SET_UP',
  'ERR_ASHERAH_WRONG_RECEIVER',
  'ERR_ASHERAH_METASTORE',
  'ERR_ASHERAH_METASTORE_BUSY',
  'ERR_ASHERAH_METASTORE_READ_ONLY',
  'ERR_ASHERAH_METASTORE_FULL',
  'ERR_ASHERAH_KMS',
  'ERR_ASHERAH_WOULD_BLOCK',
  'ERR_ASHERAH_KEY_STALE',
  'ERR_ASHERAH_LOCKED_MEMORY',
  'ERR_ASHERAH_LOAD_FAILED',
  'ERR_ASHERAH_INTERNAL',
] as const;

/** A stable name for why a call failed. Programs act on it, never on the message, which may change in any release. */
export type AsherahErrorCode = (typeof errorCodes)[number];

/**
 * The one class of errors of this package, thrown by its synchronous methods and what its asynchronous ones reject with.
 * The message names the argument, what was expected, what came and what to do. It never holds key material or
 * plaintext.
 *
 * `instanceof` also recognizes errors of another copy of this package (jest's module registries load one per test file).
 */
export class AsherahError extends Error {
  /** Why the call failed, one of the codes in `docs/errors.md`. */
  readonly code: AsherahErrorCode;

  /** Public so that an application's tests can make one. */
  constructor(code: AsherahErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    // Only for this class itself: a subclass inherits this method, and must not claim every AsherahError.
    if (!Object.hasOwn(this.prototype, brand)) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === 'object' && value !== null && brand in value;
  }

  static {
    Object.defineProperty(this.prototype, 'name', {
      value: 'AsherahError',
      configurable: true,
      writable: true,
    });
    Object.defineProperty(this.prototype, brand, { value: true });
  }
}

const known: ReadonlySet<unknown> = new Set(errorCodes);

/** What the addon threw, as the `AsherahError` its caller sees. */
export function fromNative(error: unknown): unknown {
  if (error instanceof AsherahError) return error;
  const { code, message, cause, thrown } = error as Record<'code' | 'message' | 'cause' | 'thrown', unknown>;
  if (known.has(code)) {
    const options = recall(thrown) ?? (cause === undefined ? undefined : { cause });
    return new AsherahError(code as AsherahErrorCode, String(message), options);
  }
  // The caller's stack or heap is at its end: an event of the process, which others handle by its class.
  if (error instanceof RangeError) return error;
  return new AsherahError(
    'ERR_ASHERAH_INTERNAL',
    'addon: expected a result or an error with a documented code, got another error (see its cause). This is a bug: please report it.',
    { cause: error },
  );
}

/** The grammar of every message: `<argument>: expected <what>, got <what>. <What to do>.` */
export function unexpected(
  code: AsherahErrorCode,
  argument: string,
  expected: string,
  got: string,
  remedy: string,
): AsherahError {
  return new AsherahError(code, `${argument}: expected ${expected}, got ${got}. ${remedy}`);
}

/** A value's type and size for an error message, never its content, which may be secret. */
export function describe(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value === 'string') return value === '' ? 'an empty string' : `a string of ${value.length} characters`;
  // First, because a revoked one throws whatever else it is asked.
  if (types.isProxy(value)) return 'a proxy';
  if (Array.isArray(value)) return `an array of ${value.length} elements`;
  if (typeof value === 'object') return ArrayBuffer.isView(value) ? 'a view of bytes' : 'an object';
  return `a ${typeof value}`;
}

/** The options of a function that has one, each property read once. */
export function optionsArgument(
  options: unknown,
  known: string,
  invalid: (argument: string, expected: string, got: string) => Error,
): Record<string, unknown> {
  let read: Record<string, unknown> | undefined;
  try {
    if (typeof options === 'object' && options !== null) read = { ...options };
  } catch {
    throw invalid('options', 'an object that can be read', 'one that throws');
  }
  if (read === undefined) throw invalid('options', 'an object', describe(options));
  const other = Object.keys(read).some((name) => name !== known);
  if (other) throw invalid('options', `only '${known}'`, 'another option');
  return read;
}

export function wrongReceiver(className: string, method: string, receiver: unknown): AsherahError {
  return unexpected(
    'ERR_ASHERAH_WRONG_RECEIVER',
    `${className}.${method}: this`,
    `a ${className}`,
    receiver !== null && typeof receiver === 'object' ? 'another object' : describe(receiver),
    'Call the method on its object; to hand it on alone, bind it or wrap it in a function.',
  );
}

export function closed(className: 'Session' | 'SessionFactory'): AsherahError {
  const isSession = className === 'Session';
  return unexpected(
    'ERR_ASHERAH_CLOSED',
    className,
    'an open one',
    `a closed one: the ${isSession ? 'session' : 'factory'} is closed`,
    isSession
      ? 'Get another with factory.getSession(), and close it after its last call.'
      : 'Close a factory only when the last of its sessions is done, or make another factory.',
  );
}
