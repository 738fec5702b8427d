// SPDX-License-Identifier: Apache-2.0

// The smoke part for runtimes beside Node: `bun test/runtimes.mjs`, `deno run -A --v8-flags=--expose-gc test/runtimes.mjs`.
// It is the tests of what a program does with the package; those of processes, packaging and memory know Node's own ways,
// apart from stress/two-addons, which starts processes of the runtime it runs on, with the core, the cloud addon and both.

import { fileURLToPath } from 'node:url';
import Mocha from 'mocha';

const FILES = [
  ...['async', 'config', 'errors', 'inputs', 'one-class', 'session', 'session-cache', 'stress/two-addons'],
  ...['input-contract', 'old-3', 'old-4', 'old-4-hooks', 'old-errors', 'old-workers'],
];

const mocha = new Mocha({ timeout: 60_000 });
for (const name of FILES) mocha.addFile(fileURLToPath(new URL(`${name}.test.js`, import.meta.url)));
mocha.run((failures) => process.exit(failures ? 1 : 0));
