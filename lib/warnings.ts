// SPDX-License-Identifier: Apache-2.0

/** Every code an {@link AsherahWarning} can have; `docs/errors.md` says what each means. */
export const warningCodes = [
  'WARN_ASHERAH_TEST_KMS',
  'WARN_ASHERAH_MEMORY_METASTORE',
  'WARN_ASHERAH_REFRESH_FAILED',
  'WARN_ASHERAH_MEMORY_NOT_LOCKED',
  'WARN_ASHERAH_KMS_REGION_FAILED',
  'WARN_ASHERAH_PLAIN_CONNECTION',
  'WARN_ASHERAH_OPTION_IGNORED',
  'WARN_ASHERAH_UNKNOWN_OPTION',
  'WARN_ASHERAH_PREFERRED_REGION',
  'WARN_ASHERAH_DEFAULT_NAME',
  'WARN_ASHERAH_HOOK_FAILED',
  'WARN_ASHERAH_EVENTS_DROPPED',
] as const;

/** A stable name for what is wrong. */
export type AsherahWarningCode = (typeof warningCodes)[number];

/** Something an operator should know, while work goes on. It never holds key material or plaintext. */
export interface AsherahWarning {
  /** What is wrong, one of the codes in `docs/errors.md`. */
  readonly code: AsherahWarningCode;
  /** A sentence for people; may change in any release. */
  readonly message: string;
}

/** Tells one factory's warnings to its `onWarning`, or else to the process. */
export class Warnings {
  readonly #onWarning: ((warning: AsherahWarning) => void) | undefined;
  readonly #emitted = new Set<string>();

  constructor(onWarning: ((warning: AsherahWarning) => void) | undefined) {
    this.#onWarning = onWarning;
  }

  /** A warning of the running factory: each goes to `onWarning`, but to the process only the first of its code. */
  tell(code: AsherahWarningCode, message: string): void {
    this.#tell(code, message, this.#emitted, code);
  }

  /**
   * A warning about a choice in the configuration: the process hears it once, however many factories made it.
   * @param choice what makes it another one; by default its code
   */
  tellOfChoice(code: AsherahWarningCode, message: string, choice: string = code): void {
    this.#tell(code, message, emittedByAll(), choice);
  }

  #tell(code: AsherahWarningCode, message: string, emitted: Set<string>, what: string): void {
    const onWarning = this.#onWarning;
    if (onWarning !== undefined) {
      // Never inside the constructor or the addon's queue: `factory` is assigned by then, and what the function throws
      // is an uncaught exception, as from a listener of an EventEmitter, instead of the failure of another call.
      queueMicrotask(() => onWarning({ code, message }));
    } else {
      emitOnce(code, message, emitted, what);
    }
  }
}

/** Tells the process a warning, the first of its kind. */
export function emitOnce(
  code: AsherahWarningCode,
  message: string,
  emitted = emittedByAll(),
  what: string = code,
): void {
  if (emitted.has(what)) return;
  emitted.add(what);
  process.emitWarning(message, { type: 'AsherahWarning', code });
}

/** Kept on globalThis, where several copies of this module in one thread (jest's registries) share it. */
function emittedByAll(): Set<string> {
  const key = Symbol.for('asherah-napi.emittedWarnings');
  const store = globalThis as { [key]?: Set<string> };
  if (store[key] === undefined) Object.defineProperty(store, key, { value: new Set() });
  return store[key] as Set<string>;
}
