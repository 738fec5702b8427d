// SPDX-License-Identifier: Apache-2.0
import { loadAddon } from './addon.js';
import type { AsherahConfig } from './compat-options.js';
import { checkConfig } from './config.js';
import { asyncDispose, dispose } from './dispose.js';
import { type Engine, openEngine } from './engine.js';
import { closed, wrongReceiver } from './errors.js';
import { optionsFromEnvironment } from './from-env.js';
import { newSession, type Session } from './session.js';
import { type Verification, verification } from './verification.js';

let engineOf: (receiver: unknown, method: string) => Engine;

function openEngineOf(receiver: unknown, method: string): Engine {
  const engine = engineOf(receiver, method);
  if (engine.isClosed) throw closed('SessionFactory');
  return engine;
}

/**
 * Opens sessions on one metastore and KMS, and holds their keys. A program makes one, keeps it for as long as it runs,
 * and closes it at its end.
 */
export class SessionFactory implements Disposable, AsyncDisposable {
  readonly #engine: Engine;

  /**
   * Loads the native addon that the configuration needs, if the process has none that serves it. No server or file is asked
   * before the first call of a session that needs it, or {@link verify}.
   *
   * @throws AsherahError `ERR_ASHERAH_INVALID_CONFIG`, `ERR_ASHERAH_UNKNOWN_OPTION`, `ERR_ASHERAH_LOAD_FAILED`,
   *   `ERR_ASHERAH_LOCKED_MEMORY`
   */
  constructor(config: AsherahConfig) {
    // Early: Go's runtime starts on a thread of its own, while the rest of the configuration is checked.
    const checked = checkConfig(config, { prepare: loadAddon });
    try {
      this.#engine = openEngine(checked);
    } finally {
      checked.masterKey?.fill(0);
    }
  }

  /**
   * A factory of what the variables of `process.env` describe: those of `asherah` 4, and the `ASHERAH_*` of the Go server.
   * `docs/configuration.md` lists them.
   *
   * @throws AsherahError as the constructor
   */
  static fromEnv(): SessionFactory {
    return factoryFromEnv();
  }

  /**
   * A session of a partition, a new object at each call: close each one. It does no I/O; keys are loaded by the
   * session's first call.
   *
   * @param partition whose data it is, such as a user id: a string, not empty, well-formed Unicode. Whoever opens the
   *   same partition can decrypt its records.
   * @throws AsherahError `ERR_ASHERAH_INVALID_ARGUMENT`, `ERR_ASHERAH_CLOSED`, `ERR_ASHERAH_WRONG_RECEIVER`
   */
  getSession(partition: string): Session {
    return newSession(openEngineOf(this, 'getSession').acquire(partition));
  }

  /**
   * Tries the KMS and the metastore out, each region and the table, without changing anything. For start-up: after it the
   * connections are open, and credentials are at hand.
   *
   * @returns what was found, also when it is bad; it takes at most `requestTimeout`
   * @throws AsherahError rejects with `ERR_ASHERAH_CLOSED`, `ERR_ASHERAH_WRONG_RECEIVER`
   */
  async verify(): Promise<Verification> {
    return verification(await openEngineOf(this, 'verify').verify());
  }

  /**
   * Makes the table that the metastore needs, if it is missing; nothing else ever does that on a server. The statement is in
   * docs/metastores.md, for those who run it themselves.
   *
   * @returns whether it was made: false if there is one already, or the metastore needs none (SQLite makes its own at the
   *   first key)
   * @throws AsherahError rejects with `ERR_ASHERAH_METASTORE`, `_READ_ONLY`, `ERR_ASHERAH_CLOSED`,
   *   `ERR_ASHERAH_WRONG_RECEIVER`
   */
  async createSchema(): Promise<boolean> {
    return openEngineOf(this, 'createSchema').createSchema();
  }

  /** Closes it and every session of it, whose methods then throw `ERR_ASHERAH_CLOSED`. More calls of it do nothing. */
  close(): void {
    engineOf(this, 'close').close();
  }

  /** As {@link close}; for `using`. */
  [dispose](): void {
    engineOf(this, '[Symbol.dispose]').close();
  }

  /** As {@link close}; for `await using`. */
  async [asyncDispose](): Promise<void> {
    engineOf(this, '[Symbol.asyncDispose]').close();
  }

  static {
    // Not a static method, which would name the class inside itself: the bundler then gives it another name.
    engineOf = (receiver, method) => {
      if (typeof receiver !== 'object' || receiver === null || !(#engine in receiver)) {
        throw wrongReceiver('SessionFactory', method, receiver);
      }
      return receiver.#engine;
    };
  }
}

// Outside of the class, see above.
function factoryFromEnv(): SessionFactory {
  return new SessionFactory(optionsFromEnvironment(process.env));
}
