// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { UsageError } from './arguments.mjs';
import { findInputs } from './inputs.mjs';
import { chooseOutput, summaryLine } from './outputs.mjs';
import { number, Progress, seconds } from './progress.mjs';
import { blocks, isTable, lines, rows } from './records.mjs';
import { countKeys, createFactory } from './store.mjs';

// Big enough to make few writes, small enough to keep memory flat.
const WRITE_SIZE = 64 * 1024;
// git calls a file binary by the same sign.
const BINARY_PROBE = 8000;

/** Encrypts every file behind options.inputs into options.out and prints the summary. */
export async function encryptInputs(options) {
  const { files, problems } = await findInputs(options.inputs, options.out);
  if (options.partitionColumn !== undefined && !files.some(({ path }) => isTable(path))) {
    throw new UsageError('--partition-column is for .csv and .tsv files, and there is none among the inputs');
  }
  const factory = await createFactory(options.out, options.expireAfter);
  const progress = new Progress(files);
  const taken = new Set();
  let done = 0;
  try {
    for (const file of files) {
      try {
        const output = await chooseOutput(options.out, file, taken);
        await encryptFile(factory, file, output, options, progress);
        done++;
      } catch (error) {
        // Trouble with keys or their store would meet every further file as well.
        if (error.code?.startsWith('ERR_ASHERAH_')) throw error;
        problems.push({ path: file.path, reason: error.message });
      }
    }
  } finally {
    progress.stop();
    factory.close();
  }
  const keys = await countKeys(options.out);
  const { bytes, records, elapsed } = progress;
  for (const { path, reason } of problems) console.error(`demo: left out ${path}: ${reason}`);
  console.log(
    [
      `Encrypted into ${options.out}`,
      `  files      ${number(done)}${problems.length > 0 ? `, ${number(problems.length)} left out` : ''}`,
      `  records    ${number(records)}`,
      `  bytes      ${number(bytes)}`,
      `  key rows   ${number(keys.rows)} in the store`,
      `  rotations  ${number(keys.rotations)}`,
      `  time       ${seconds(elapsed)}, ${number(progress.rate)} records/s`,
    ].join('\n'),
  );
  return { failed: problems.length };
}

async function encryptFile(factory, file, output, options, progress) {
  const partial = `${output}.partial`;
  const hash = createHash('sha256');
  const total = { bytes: 0, records: 0 };
  await mkdir(dirname(output), { recursive: true, mode: 0o700 });
  const input = await open(file.path);
  try {
    const split = await chooseSplit(input, file, options);
    const { mtimeMs } = await input.stat();
    await pipeline(
      input.createReadStream({ start: 0, autoClose: false }),
      // What was read is counted before it is cut, so that verification also proves the cut.
      async function* (chunks) {
        for await (const chunk of chunks) {
          hash.update(chunk);
          total.bytes += chunk.length;
          progress.addBytes(chunk.length);
          yield chunk;
        }
      },
      split,
      async function* (batches) {
        yield* encryptBatches(factory, batches, (records) => {
          total.records += records;
          progress.addRecords(records);
        });
        yield summaryLine({ input: file.path, mtimeMs, ...total, sha256: hash.digest('hex') });
      },
      createWriteStream(partial, { mode: 0o600 }),
    );
    // A file under its final name is whole, whenever this process is interrupted.
    await rename(partial, output);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    await input.close();
  }
}

async function chooseSplit(input, file, options) {
  const partition = basename(file.path);
  const { buffer, bytesRead } = await input.read(Buffer.alloc(BINARY_PROBE), 0, BINARY_PROBE, 0);
  const isBinary = buffer.subarray(0, bytesRead).includes(0);
  if (options.partitionColumn !== undefined && isTable(file.path)) {
    if (isBinary) throw new Error('a table with NUL bytes (is it UTF-16?) has no rows that can be told apart');
    return (chunks) => rows(chunks, file.path, options.partitionColumn, partition);
  }
  if (isBinary) return (chunks) => inPartition(partition, blocks(chunks, options.blockSize));
  return (chunks) => inPartition(partition, lines(chunks));
}

async function* inPartition(partition, batches) {
  for await (const records of batches) yield { partition, records };
}

/**
 * One line of text per record. The synchronous call is the fast one, and nothing else waits for this process's event
 * loop. A server that must not block while a key is fetched uses encryptAsync, as verify.mjs does with decryptAsync.
 */
async function* encryptBatches(factory, batches, count) {
  let session, partition, prefix;
  let text = '';
  try {
    for await (const batch of batches) {
      if (batch.partition !== partition) {
        session?.close();
        ({ partition } = batch);
        session = factory.getSession(partition);
        prefix = `{"partition":${JSON.stringify(partition)},"record":`;
      }
      for (const record of batch.records) text += `${prefix}${session.encrypt(record)}}\n`;
      count(batch.records.length);
      if (text.length >= WRITE_SIZE) {
        yield text;
        text = '';
      }
    }
    yield text;
  } finally {
    session?.close();
  }
}
