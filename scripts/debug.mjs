// SPDX-License-Identifier: Apache-2.0

// The addon with assertions, AddressSanitizer and UndefinedBehaviorSanitizer in its C++ part, apart from the ordinary
// build: `debug.mjs build` makes build/debug/build/Debug/, `debug.mjs test` runs the tests of the C++ layer on it. Linux only: elsewhere the
// sanitizer's runtime gets into an unsanitized node by other ways. Go's own memory is not covered: neither sanitizer knows
// Go code, and LeakSanitizer takes what Go's heap refers to for lost.

import { execFileSync, spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingTools } from './tools.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const tree = 'build/debug'; // node-gyp-build looks for build/Debug/ below it
// Not those that load the addon from elsewhere: of packaging, of failing to load.
const FILES = [
  'abuse',
  'async',
  'at-exit',
  'gc',
  'inputs',
  'native-contract',
  'providers',
  'providers-interleaving',
  'providers-threads',
  'session',
  'worker-threads',
];
const [command, ...rest] = process.argv.slice(2);

function stop(line) {
  console.error(`debug: ${line}`);
  process.exit(1);
}

function run(file, args, env = process.env) {
  const result = spawnSync(file, args, { cwd: root, env, stdio: 'inherit' });
  if (result.status !== 0) process.exit(result.status ?? 1);
}

function build() {
  const missing = missingTools(root);
  if (missing.length) stop(missing.join('\ndebug: '));
  const options = [
    'CMAKE_BUILD_TYPE=Debug',
    'ASHERAH_SANITIZE=address,undefined',
    `ADDON_OUT=${root}/${tree}/build/Debug`,
  ];
  run('cmake', ['-S', '.', '-B', `${tree}/cmake`, ...options.map((option) => `-D${option}`)]);
  run('cmake', ['--build', `${tree}/cmake`]);
}

function test() {
  const runtime = execFileSync(process.env.CXX ?? 'c++', ['-print-file-name=libasan.so'], { encoding: 'utf8' }).trim();
  const files = rest.length ? rest : FILES.map((name) => `test/${name}.test.js`);
  const options = ['--no-config', '--expose-gc', '--timeout', '600000'];
  run(process.execPath, ['node_modules/mocha/bin/mocha.js', ...options, ...files], {
    ...process.env,
    ASHERAH_NAPI_PREBUILD: resolve(root, tree), // where node-gyp-build looks instead of the package
    LD_PRELOAD: runtime, // must be there before node's first malloc
    ASAN_OPTIONS: 'detect_leaks=0',
  });
}

if (process.platform !== 'linux') stop('the sanitized build is for Linux');
if (command === 'build') build();
else if (command === 'test') test();
else stop(`expected "build" or "test", got "${command ?? ''}"`);
