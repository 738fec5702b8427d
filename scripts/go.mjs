// SPDX-License-Identifier: Apache-2.0

// Runs the go command in go/ with the tags and flags that the addon was last built with (CMake leaves them in its tree):
// `node scripts/go.mjs test ./...`. `--plain` first: with the plain cipher constructors, as another Go release builds it.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const settings = resolve(root, 'build/cmake-js/go.env');
const args = process.argv.slice(2);
const plain = args[0] === '--plain' && args.shift() !== undefined;

if (!existsSync(settings)) {
  console.error('go: the addon was not built yet, and with it how Go is to be called: run npm run build');
  process.exit(1);
}
const { TAGS, LDFLAGS, ...env } = Object.fromEntries(
  readFileSync(settings, 'utf8')
    .trim()
    .split('\n')
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
);

const [command, ...rest] = args;
const flags = ['-tags', plain ? TAGS.replace('asherah_inplace', '') : TAGS];
if (command === 'test') flags.push(`-ldflags=${LDFLAGS.replace('-s -w', '')}`);
if (command === 'staticcheck') args.splice(0, args.length, 'tool', '-modfile=tools/go.mod', command, ...flags, ...rest);
else args.splice(0, args.length, command, ...flags, ...rest);
const result = spawnSync('go', args, { cwd: resolve(root, 'go'), env: { ...process.env, ...env }, stdio: 'inherit' });
if (result.error) console.error(`go: ${result.error.message}: install Go from https://go.dev/dl`);
process.exit(result.status ?? 1);
