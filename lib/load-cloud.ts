// SPDX-License-Identifier: Apache-2.0
import { loadAddon } from './addon.js';
import { describe, optionsArgument, unexpected } from './errors.js';

/** Options of {@link loadCloud}. */
export interface LoadCloudOptions {
  /**
   * Load the core addon before: a second Go runtime, for hosts where the cloud addon does not start as the first native
   * code (meant for Bun on macOS; not run there yet).
   * @defaultValue false
   */
  readonly coreFirst?: boolean | undefined;
}

/**
 * Loads the cloud addon now instead of with the first factory that needs it, so that its start-up time is paid here. From
 * then on it serves all factories of the process, since it can do all that the core can.
 *
 * @throws AsherahError `ERR_ASHERAH_LOAD_FAILED`, `ERR_ASHERAH_INVALID_ARGUMENT`
 */
export function loadCloud(options: LoadCloudOptions = {}): void {
  const { coreFirst = false } = optionsArgument(options, 'coreFirst', invalid);
  if (typeof coreFirst !== 'boolean') throw invalid('options.coreFirst', 'true or false', describe(coreFirst));
  if (coreFirst) loadAddon('core');
  loadAddon('cloud', 'loadCloud');
}

function invalid(argument: string, expected: string, got: string): Error {
  const remedy = 'Call loadCloud() or loadCloud({ coreFirst: true }).';
  return unexpected('ERR_ASHERAH_INVALID_ARGUMENT', argument, expected, got, remedy);
}
