// SPDX-License-Identifier: Apache-2.0

import { parseArgs } from 'node:util';
import { RIVALS } from '../rivals/index.mjs';

export const TABLES = ['calls', 'flight', 'ways', 'session', 'threads', 'start', 'limit'];

export const USAGE = `npm run bench -- [options]

  --peer PATH[:LABEL]  also measure a package with the module-level or the session factory API (repeatable)
  --only NAME,…        only these rivals: ${RIVALS.map((r) => r.name).join(', ')}; peers are always measured
  --tables NAME,…      only these tables: ${TABLES.join(', ')}
  --sizes BYTES,…      payloads, default 64,1024,8192,65536,1048576
  --trials N           processes for each figure, default 5
  --time MS            time of one trial after its warm-up of half as much, default 400
  --quick              3 trials of 150 ms, sizes 64,1024,8192
  --node PATH          a Node binary to measure with, default the running one (repeatable)
  --json               print the raw results as JSON
  --write              write docs/performance.md and docs/performance.svg
  --help
`;

class UsageError extends Error {}

export function readOptions(argv) {
  let values;
  try {
    ({ values } = parseArgs({
      args: argv,
      options: {
        peer: { type: 'string', multiple: true, default: [] },
        only: { type: 'string' },
        tables: { type: 'string' },
        sizes: { type: 'string' },
        trials: { type: 'string' },
        time: { type: 'string' },
        quick: { type: 'boolean', default: false },
        node: { type: 'string', multiple: true, default: [process.execPath] },
        json: { type: 'boolean', default: false },
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(error.message);
  }
  const { quick } = values;
  return {
    ...values,
    only:
      values.only &&
      oneOf(
        'only',
        values.only,
        RIVALS.map((r) => r.name),
      ),
    tables: oneOf('tables', values.tables ?? TABLES.join(), TABLES),
    sizes: (values.sizes ?? (quick ? '64,1024,8192' : '64,1024,8192,65536,1048576'))
      .split(',')
      .map((s) => count('sizes', s)),
    trials: count('trials', values.trials ?? (quick ? '3' : '5')),
    time: count('time', values.time ?? (quick ? '150' : '400')),
    peer: values.peer.map(splitPeer),
  };
}

function count(option, text) {
  if (!/^[1-9]\d{0,8}$/.test(text))
    throw new UsageError(`--${option}: expected whole numbers above 0, got ${JSON.stringify(text)}`);
  return Number(text);
}

function oneOf(option, text, allowed) {
  const names = text.split(',');
  const unknown = names.find((name) => !allowed.includes(name));
  if (unknown !== undefined)
    throw new UsageError(`--${option}: expected some of ${allowed.join(', ')}, got ${JSON.stringify(unknown)}`);
  return names;
}

/** The label is what follows the last colon, unless that is a drive letter's or a part of the path. */
function splitPeer(text) {
  const [, path, label] = /^(.{2,}):([^/\\:]+)$/.exec(text) ?? [undefined, text];
  return { path, label };
}

export function isUsageError(error) {
  return error instanceof UsageError;
}
