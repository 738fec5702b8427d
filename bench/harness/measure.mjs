// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto';

/**
 * A batch is long enough to hold its share of garbage collections (a young one comes about every 16 MB), so the fastest
 * batch of a trial is the work with its memory and without most of the neighbours' noise.
 */
const BATCH_MS = 50;

const now = () => performance.now();

/** Distinct inputs, so that nothing is measured that remembers the last one. A power of two, 4 MB or so at the most. */
export function inputs(size) {
  const count = Math.max(2, Math.min(64, 2 ** Math.floor(Math.log2((4 * 1024 * 1024) / size))));
  return Array.from({ length: count }, () => randomBytes(size));
}

/** The function of one call, round-tripped first: what is timed is known to work. */
export async function prepare(calls, op, size) {
  const data = inputs(size);
  const records = [];
  for (const plaintext of data) {
    const record = await calls.encrypt(plaintext);
    const back = await calls.decrypt(record);
    if (!Buffer.isBuffer(back) || !back.equals(plaintext))
      throw new Error(`${size} bytes did not come back as they were`);
    records.push(record);
  }
  return op === 'encrypt' ? { call: calls.encrypt, args: data } : { call: calls.decrypt, args: records };
}

function runSync({ call, args }, count) {
  const mask = args.length - 1;
  for (let i = 0; i < count; i++) call(args[i & mask]);
}

async function runAsync({ call, args }, count) {
  const mask = args.length - 1;
  for (let i = 0; i < count; i++) await call(args[i & mask]);
}

async function runInFlight({ call, args }, count, width) {
  const mask = args.length - 1;
  for (let i = 0; i < count; i += width) {
    const calls = new Array(width);
    for (let j = 0; j < width; j++) calls[j] = call(args[(i + j) & mask]);
    await Promise.all(calls);
  }
}

/** @returns {(count: number) => void | Promise<void>} */
export function runner(task, mode, width) {
  if (mode === 'sync') return (count) => runSync(task, count);
  if (mode === 'async') return (count) => runAsync(task, count);
  return (count) => runInFlight(task, count, width);
}

/** Milliseconds of `count` calls. */
export async function timed(run, count) {
  const start = now();
  await run(count);
  return now() - start;
}

/** Warms up for `warmMs` and returns how many calls make one batch, a multiple of `step`. */
export async function warmUp(run, warmMs, step = 1, batchMs = BATCH_MS) {
  let count = step;
  let last = 0;
  for (const end = now() + warmMs; now() < end; ) {
    last = await timed(run, count);
    if (last < batchMs / 4) count *= 2;
  }
  last = await timed(run, count);
  return Math.max(step, Math.round((count * batchMs) / last / step) * step);
}

/** Fastest and median batch in ns per call. */
export async function batches(run, timeMs, step = 1) {
  const count = await warmUp(run, timeMs / 2, step);
  const results = [];
  for (const end = now() + timeMs; results.length < 3 || now() < end; ) {
    results.push(((await timed(run, count)) * 1e6) / count);
  }
  return { min: Math.min(...results), median: median(results), batches: results.length, count };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
