// SPDX-License-Identifier: Apache-2.0

// What the user's functions threw, for the `cause` of the errors that come of it. In between is the engine, perhaps another
// thread: what passes there is a number.

/** Few: an error comes back within moments, and what nobody asks for must not pile up. */
const limit = 256;
const kept = new Map<number, unknown>();

/** @returns the number by which {@link recall} finds it; of this thread alone, thus by chance and not counted up */
export function keep(thrown: unknown): number {
  const number = 1 + Math.floor(Math.random() * (Number.MAX_SAFE_INTEGER - 1));
  kept.set(number, thrown);
  if (kept.size > limit) kept.delete(kept.keys().next().value as number);
  return number;
}

/** Several calls may fail for one reason, so it stays kept. */
export function recall(number: unknown): { cause: unknown } | undefined {
  return kept.has(number as number) ? { cause: kept.get(number as number) } : undefined;
}
