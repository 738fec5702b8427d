// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export const HELP = `Encrypts files record by record with asherah-napi and proves that every byte comes back.

  npm run demo                          the sample that ships with the demo
  npm run demo -- FILE…                 any number of files or folders
  npm run demo -- --verify              only decrypt and compare what an earlier run wrote

A record is one line of a text file, one row of a CSV file, or one block of a binary file (a file with a NUL byte near
its start). Each input becomes one file of JSON lines, {"partition": …, "record": <data row record>}.

  --out FOLDER               where the records, keys.sqlite and master.key go (./asherah-demo)
  --partition-column NAME    of .csv and .tsv files: the partition of a row is its value in this column
                             (otherwise, and for all other files, the partition is the file's name)
  --block-size BYTES         of binary files, 1 to 16777216 (65536)
  --expire-after SECONDS     lifetime of keys before they rotate, an integer of at least 1 (7776000, 90 days)
  --verify                   decrypt everything in --out, compare count and SHA-256 with what was read
  --help

Exit codes: 0 every byte came back; 1 something could not be read, written, encrypted or decrypted (the rest was done);
2 wrong arguments, nothing was done; 3 bytes differ.`;

export const SAMPLE = fileURLToPath(new URL('sample', import.meta.url));

/** Arguments nobody can act on: the message is for the person at the keyboard. */
export class UsageError extends Error {}

export function parseArguments(argv, env = process.env) {
  let values, positionals;
  try {
    ({ values, positionals } = parseArgs({
      args: argv,
      allowPositionals: true,
      options: {
        out: { type: 'string' },
        'partition-column': { type: 'string' },
        'block-size': { type: 'string' },
        'expire-after': { type: 'string' },
        verify: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    // The first sentence says what is wrong; Node's further advice is about its own syntax.
    throw new UsageError(error.message.split('. ')[0]);
  }
  if (values.verify) {
    const unused = ['partition-column', 'block-size', 'expire-after'].filter((name) => values[name] !== undefined);
    if (positionals.length > 0)
      throw new UsageError(`--verify reads the folder of --out and takes no files, got ${positionals[0]}`);
    if (unused.length > 0) throw new UsageError(`--${unused[0]} has no meaning with --verify`);
  }
  for (const name of ['out', 'partition-column']) {
    if (values[name] === '') throw new UsageError(`--${name} must not be empty`);
  }

  // npm runs scripts in the package's folder; paths are meant from where the user stands.
  const here = env.npm_lifecycle_event === 'demo' && env.INIT_CWD ? env.INIT_CWD : process.cwd();
  const isSample = positionals.length === 0;
  return {
    help: values.help ?? false,
    verify: values.verify ?? false,
    inputs: isSample ? [SAMPLE] : positionals.map((path) => resolve(here, path)),
    out: resolve(here, values.out ?? 'asherah-demo'),
    partitionColumn: values['partition-column'] ?? (isSample ? 'tenant' : undefined),
    blockSize: integer('block-size', values['block-size'] ?? '65536', 1, 16 * 1024 * 1024),
    expireAfter: integer('expire-after', values['expire-after'] ?? '7776000', 1, 2 ** 31),
  };
}

function integer(name, text, min, max) {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`--${name} must be an integer from ${min} to ${max}, got '${text}'`);
  }
  return value;
}
