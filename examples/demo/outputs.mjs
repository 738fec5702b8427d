// SPDX-License-Identifier: Apache-2.0
// The output files: lines of {"partition", "record"} and, last, one line {"summary"} that tells what went in.
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const SUFFIX = '.jsonl';

export function summaryLine(summary) {
  return `${JSON.stringify({ summary })}\n`;
}

/**
 * A path for the input's records that no other input has: its own from an earlier run, or a free one.
 * @param {Set<string>} taken paths given out in this run; the chosen one is added
 */
export async function chooseOutput(folder, file, taken) {
  for (let count = 1; ; count++) {
    const output = join(folder, `${file.name}${count > 1 ? `-${count}` : ''}${SUFFIX}`);
    if (taken.has(output)) continue;
    const summary = await readSummary(output);
    if (summary !== undefined && summary?.input !== file.path) continue;
    taken.add(output);
    return output;
  }
}

/** The summary of an output file; null when the file has none; undefined when there is no such file. */
async function readSummary(path) {
  let file;
  try {
    file = await open(path);
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    // The line holds two numbers, a hash and a path; paths have at most 4096 bytes, each escaped to at most 6.
    const { size } = await file.stat();
    const length = Math.min(size, 32 * 1024);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const last = buffer.toString().trimEnd().split('\n').pop();
    return JSON.parse(last).summary ?? null;
  } catch {
    return null;
  } finally {
    await file.close();
  }
}

/** Paths of all whole output files in the folder, in order. */
export async function listOutputs(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(SUFFIX))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}
