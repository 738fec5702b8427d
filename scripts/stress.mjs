// SPDX-License-Identifier: Apache-2.0

// The tests of test/stress with their full counts (`npm test` runs them scaled down). Arguments go to mocha.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const mocha = resolve(root, 'node_modules/mocha/bin/mocha.js');
const args = ['--no-config', '--expose-gc', '--timeout', '0', 'test/stress/*.test.js', ...process.argv.slice(2)];
const env = { ...process.env, ASHERAH_STRESS: '1' };
process.exit(spawnSync(process.execPath, [mocha, ...args], { cwd: root, env, stdio: 'inherit' }).status ?? 1);
