// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { relative } from 'node:path';
import { listOutputs } from './outputs.mjs';
import { count } from './progress.mjs';
import { lines } from './records.mjs';
import { openFactory } from './store.mjs';

// Calls in flight at a time, by count and by bytes of their lines.
const WINDOW = 64;
const WINDOW_BYTES = 4 * 1024 * 1024;
// A block of 16 MiB is a line of 22 MB: few pieces to put together.
const READ_SIZE = 1024 * 1024;
const MAX_LISTED = 20;

/** Decrypts every output file in the folder and compares it with what was read; prints what it found. */
export async function verifyOutputs({ out }) {
  const factory = await openFactory(out);
  const found = { files: 0, records: 0, bytes: 0, failed: 0, differs: 0 };
  try {
    const outputs = await listOutputs(out);
    for (const path of outputs) {
      const name = relative(out, path);
      try {
        const result = await verifyFile(factory, path);
        found.files++;
        found.records += result.records;
        found.bytes += result.bytes;
        for (const note of result.notes) console.log(`  note   ${name}: ${note}`);
        for (const difference of result.differences) console.error(`  DIFFERS ${name}: ${difference}`);
        if (result.differences.length > 0) found.differs++;
        else if (outputs.length <= MAX_LISTED) {
          console.log(
            `  same   ${name}: ${count(result.records, 'record')}, ${count(result.bytes, 'byte')}, SHA-256 ${result.sha256.slice(0, 16)}…`,
          );
        }
      } catch (error) {
        found.failed++;
        console.error(`  FAILED ${name}: ${error.message}`);
      }
    }
  } finally {
    factory.close();
  }
  const what = `${count(found.files, 'file')}, ${count(found.records, 'record')}, ${count(found.bytes, 'byte')}`;
  if (found.differs > 0 || found.failed > 0) {
    console.error(
      `Not every byte came back: ${count(found.differs, 'file')} with differences, ${found.failed} that could not be decrypted; read ${what}.`,
    );
  } else {
    console.log(`Every byte came back: ${what}.`);
  }
  return found;
}

async function verifyFile(factory, path) {
  const hash = createHash('sha256');
  const total = { records: 0, bytes: 0 };
  let summary;
  for await (const entries of windows(createReadStream(path, { highWaterMark: READ_SIZE }))) {
    if (entries.at(-1).summary) ({ summary } = entries.pop());
    // All calls of a window are started before the first is waited for; results come in order.
    const plaintexts = await Promise.all(entries.map((entry) => decrypt(factory, entry, total.records)));
    for (const plaintext of plaintexts) {
      hash.update(plaintext);
      total.records++;
      total.bytes += plaintext.length;
    }
  }
  if (!summary) throw new Error('not whole: the last line is no summary');
  const sha256 = hash.digest('hex');

  const differences = [];
  for (const [what, came] of Object.entries({ ...total, sha256 })) {
    if (summary[what] !== came) differences.push(`${what} ${came}, was ${summary[what]}`);
  }
  // The summary says what the first process believed to have read: ask the disk again.
  const { notes, changed } = await compareWithInput(summary);
  return { ...total, sha256, notes, differences: differences.concat(changed) };
}

/** As a service would do it: a session per call. Keys stay cached in the factory. */
async function decrypt(factory, { partition, record }, before) {
  if (!partition || !record) throw new Error(`a line after record ${before} is no {"partition", "record"}`);
  const session = factory.getSession(partition);
  try {
    return await session.decryptAsync(JSON.stringify(record));
  } finally {
    session.close();
  }
}

/** Parsed lines in arrays that may be in flight together; a summary ends one. */
async function* windows(chunks) {
  let entries = [];
  let bytes = 0;
  for await (const batch of lines(chunks, Infinity)) {
    for (const line of batch) {
      const entry = JSON.parse(line.toString());
      entries.push(entry);
      bytes += line.length;
      if (entries.length >= WINDOW || bytes >= WINDOW_BYTES || entry.summary) {
        yield entries;
        entries = [];
        bytes = 0;
      }
    }
  }
  if (entries.length > 0) yield entries;
}

async function compareWithInput(summary) {
  try {
    const before = await stat(summary.input);
    if (before.size !== summary.bytes || before.mtimeMs !== summary.mtimeMs) {
      return { notes: ['the input has changed since; compared with what it was'], changed: [] };
    }
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(summary.input)) hash.update(chunk);
    const sha256 = hash.digest('hex');
    return { notes: [], changed: sha256 === summary.sha256 ? [] : [`the input on disk has SHA-256 ${sha256}`] };
  } catch (error) {
    return { notes: [`the input cannot be read now (${error.code}); compared with what it was`], changed: [] };
  }
}
