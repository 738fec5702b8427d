// SPDX-License-Identifier: Apache-2.0
import { closeSync, openSync, readSync } from 'node:fs';
import type { AddonName } from './addon.js';

/**
 * Whether an addon is loaded anywhere in this process, by another thread or another copy of this module too: those share
 * nothing that JavaScript could look at, but the loader's own list. Linux shows it as a file; elsewhere Node.js has it in its
 * diagnostic report, which takes a hundred times as long.
 *
 * Bun and Deno off Linux have neither: there only this thread is known. Then a process may hold both addons where one would do,
 * which works too, and the static instance of another thread is not seen.
 */
export function isMapped(addon: AddonName, platform: string = process.platform): boolean {
  if (platform === 'linux') return maps().includes(`/asherah-${addon}.`);
  return sharedObjects().some((path) => path.split(/[\\/]/).some((name) => name.startsWith(`asherah-${addon}.`)));
}

function sharedObjects(): string[] {
  const { report } = process as { report?: { getReport(): object; excludeNetwork?: boolean } };
  if (report === undefined) return [];
  // Looking up the names of network peers takes longer than all the rest.
  const { excludeNetwork } = report;
  report.excludeNetwork = true;
  try {
    return (report.getReport() as { sharedObjects?: string[] }).sharedObjects ?? [];
  } finally {
    report.excludeNetwork = excludeNetwork ?? false;
  }
}

/** On the global object once a copy of this package has loaded an addon, for the other copies of the same realm. */
const loadedMark = Symbol.for('asherah-napi.loaded');

/** Tells other copies of this package, which {@link isAlone} asks. */
export function markLoaded(): void {
  Object.defineProperty(globalThis, loadedMark, { value: true, configurable: true });
}

/**
 * Whether this is the only place in the process that could have loaded an addon: the main thread, in its own realm (jest's
 * test files are not), where no other copy of this package has. A guess that costs nothing, for a start that asks
 * {@link isMapped} otherwise; wrong (a worker thread was first), it costs what is said there.
 */
export function isAlone(): boolean {
  const { Bun, WorkerGlobalScope } = globalThis as { Bun?: { isMainThread: boolean }; WorkerGlobalScope?: unknown };
  // Node.js marks what a worker thread can't call. Its own isMainThread takes over 2 ms to import.
  const isWorker = (process.chdir as { disabled?: boolean }).disabled === true || WorkerGlobalScope !== undefined;
  return !isWorker && Bun?.isMainThread !== false && process.versions instanceof Object && !(loadedMark in globalThis);
}

/** Read by hand: the file has no size, and readFileSync takes twice as long for it. */
function maps(): Buffer {
  const file = openSync('/proc/self/maps', 'r');
  try {
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = Buffer.allocUnsafe(1 << 16);
      const size = readSync(file, chunk, 0, chunk.length, null);
      if (size === 0) return Buffer.concat(chunks);
      chunks.push(chunk.subarray(0, size));
    }
  } finally {
    closeSync(file);
  }
}
