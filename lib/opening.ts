// SPDX-License-Identifier: Apache-2.0
import { type Addon, loadAddon, type OnRequest, otherAddon, outcomes, wantsCredentials } from './addon.js';
import type { CheckedConfig } from './config.js';
import { Credentials } from './credentials.js';
import { fromNative, unexpected } from './errors.js';
import { type FactoryWatch, watchFactory } from './hooks.js';
import { Providers } from './providers.js';
import { type AsherahWarningCode, Warnings } from './warnings.js';

/** A factory of an addon, just opened. */
export interface Opened {
  readonly addon: Addon;
  readonly handle: number;
  /**
   * What answers the factory's events. It is held here alone, by whoever holds the factory: the addon holds its event function
   * as long as the factory is open, and were the user's functions in it, which may well refer to the factory, a forgotten
   * factory could never be collected.
   */
  readonly listeners: {
    readonly warnings: Warnings;
    readonly credentials: Credentials | undefined;
    readonly watch: FactoryWatch;
    readonly providers: Providers | undefined;
  };
}

/** Opens the native side of a factory, in the addon that the configuration needs. */
export function openFactory(config: CheckedConfig): Opened {
  const addon = servingAddon(config);
  const warnings = new Warnings(config.onWarning);
  const providers = config.providers && new Providers(config.providers, addon);
  const weakly: Weakly = { warnings: new WeakRef(warnings) };
  let handle: number;
  try {
    handle = addon.openFactory(
      config.engine,
      config.masterKey,
      eventFunction(weakly),
      providers && requestFunction(new WeakRef(providers), addon),
    );
  } catch (error) {
    throw fromNative(error);
  }
  // Only now, when the other addon can see that this one has the file: of two that open it at once none may miss it.
  if (config.sqliteFile !== undefined && otherAddon(addon)?.hasSqliteFile(config.sqliteFile)) {
    addon.closeFactory(handle);
    throw unexpected(
      'ERR_ASHERAH_METASTORE_BUSY',
      'config.connectionString',
      "a SQLite file that only one of this process's two native addons has open",
      'one that the other has open',
      'Close the factory that uses it first, or call loadCloud() before the first factory: then one addon serves all.',
    );
  }
  let credentials: Credentials | undefined;
  if (config.awsCredentials !== undefined) {
    credentials = new Credentials(config.awsCredentials, addon, handle);
    weakly.credentials = new WeakRef(credentials);
    // Ahead of time: a synchronous call can't wait for a function that returns a promise.
    void credentials.refresh();
  }
  const watch = watchFactory(addon, handle, config.hooks);
  warnOfChoices(config, (code, message, choice) => {
    warnings.tellOfChoice(code, message, choice);
    watch.tellLog({ level: 'warn', message, target: 'asherah.factory', code });
  });
  return { addon, handle, listeners: { warnings, credentials, watch, providers } };
}

interface Weakly {
  readonly warnings: WeakRef<Warnings>;
  credentials?: WeakRef<Credentials>;
}

/** Made here, where nothing else is in scope: a function keeps all variables alive that any function beside it uses. */
function eventFunction(listeners: Weakly): (code: string, message: string) => void {
  return (code, message) => {
    if (code === wantsCredentials) void listeners.credentials?.deref()?.refresh();
    else listeners.warnings.deref()?.tell(code as AsherahWarningCode, message);
  };
}

/** Of a factory that nobody holds any more, a refresh may still be under way. */
function requestFunction(providers: WeakRef<Providers>, addon: Addon): OnRequest {
  return (request, ...asked) => {
    const found = providers.deref();
    if (found !== undefined) found.serve(request, ...asked);
    else addon.answer(request, outcomes.failed, 'the factory was forgotten without close()');
  };
}

/** A SQLite file stays with the addon that has it open, if that one can serve the configuration at all. */
function servingAddon({ addon: needs, addonOption, sqliteFile }: CheckedConfig): Addon {
  const addon = loadAddon(needs, addonOption);
  if (needs === 'cloud' || sqliteFile === undefined) return addon;
  const other = otherAddon(addon);
  return other?.hasSqliteFile(sqliteFile) ? other : addon;
}

function warnOfChoices(config: CheckedConfig, tell: Warnings['tellOfChoice']): void {
  for (const { code, message } of config.warnings) tell(code, message, message);
  if (config.isTestKms) {
    tell(
      'WARN_ASHERAH_TEST_KMS',
      "kms 'test-debug-static' (or KMS 'static' without a key) encrypts with a key that is public: data is not protected. Use kms 'static' with a key of your own.",
    );
  }
  if (config.isMemoryMetastore) {
    tell(
      'WARN_ASHERAH_MEMORY_METASTORE',
      "metastore 'memory' loses all keys when the factory closes: records become unreadable. Use metastore 'sqlite' to keep them.",
    );
  }
}
