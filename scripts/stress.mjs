// SPDX-License-Identifier: Apache-2.0

// The tests that have more to do than `npm test` gives them, with their full counts: all that read ASHERAH_STRESS.
// Arguments go to mocha.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const mocha = resolve(root, 'node_modules/mocha/bin/mocha.js');
const files = ['test', 'test/stress']
  .flatMap((folder) => readdirSync(resolve(root, folder)).map((name) => `${folder}/${name}`))
  .filter((file) => file.endsWith('.test.js') && readFileSync(resolve(root, file), 'utf8').includes('ASHERAH_STRESS'));
const args = ['--no-config', '--expose-gc', '--timeout', '0', ...files, ...process.argv.slice(2)];
const env = { ...process.env, ASHERAH_STRESS: '1' };
process.exit(spawnSync(process.execPath, [mocha, ...args], { cwd: root, env, stdio: 'inherit' }).status ?? 1);
