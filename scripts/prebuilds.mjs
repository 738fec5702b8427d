// SPDX-License-Identifier: Apache-2.0

// Writes prebuilds/<platform>-<arch>/ and cloud/prebuilds/<platform>-<arch>/ for this machine: prebuildify -> binding.gyp ->
// CMakeLists.txt. `--zig` compiles with zig, whose Linux files run on glibc 2.28, as releases must; the system's own compiler
// asks for the glibc it was made for. `--only core` or `--only cloud` makes one. prebuildify starts with `node-gyp rebuild`,
// which empties build/ or cloud/build/.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { missingTools } from './tools.mjs';

const GLIBC_MINOR = 28; // what Node.js 20 itself asks for

const root = resolve(fileURLToPath(import.meta.url), '../..');
const { values } = parseArgs({ options: { zig: { type: 'boolean', default: false }, only: { type: 'string' } } });
const ADDONS = { core: '.', cloud: 'cloud' }; // each in the package of its own
const env = { ...process.env };

function stop(line) {
  console.error(`prebuilds: ${line}`);
  process.exit(1);
}

if (values.only !== undefined && !(values.only in ADDONS)) stop(`--only: expected core or cloud, got ${values.only}`);
const missing = missingTools(root);
if (missing.length) stop(missing.join('\nprebuilds: '));

// Without its headers at hand, node-gyp would download them; most installations of Node bring them along.
const prefix = resolve(dirname(process.execPath), '..');
if (!env.npm_config_nodedir && existsSync(join(prefix, 'include/node/common.gypi'))) env.npm_config_nodedir = prefix;

if (values.zig) {
  if (process.platform !== 'linux') stop('--zig is for Linux, where it lowers the glibc that is needed');
  const cpu = { x64: 'x86_64', arm64: 'aarch64' }[process.arch];
  const find = 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))';
  env.ZIG ??= spawnSync('python3', ['-c', find], { encoding: 'utf8' }).stdout?.trim();
  if (!env.ZIG) stop('zig is missing: pip install ziglang, or set ZIG to the path of a zig binary');
  env.ZIG_TARGET = `${cpu}-linux-gnu.2.${GLIBC_MINOR}`;
  env.CMAKE_TOOLCHAIN_FILE = join(root, 'cmake/zig.cmake');
}

/** The newest glibc that an ELF file asks for; undefined where there is no readelf. */
function glibcFloor(file) {
  const versions = spawnSync('readelf', ['-V', file], { encoding: 'utf8' }).stdout?.match(/GLIBC_2\.\d+/g);
  return versions?.map((version) => Number(version.slice('GLIBC_2.'.length))).reduce((a, b) => Math.max(a, b));
}

for (const [addon, folder] of Object.entries(ADDONS)) {
  if (values.only !== undefined && values.only !== addon) continue;
  const args = ['--napi', '--name', `asherah-${addon}`];
  if (process.platform === 'linux') args.push('--tag-libc'); // elsewhere the tag would be there too, and be wrong
  const prebuildify = join(root, 'node_modules/prebuildify/bin.js');
  const cwd = join(root, folder);
  const result = spawnSync(process.execPath, [prebuildify, ...args], { cwd, env, stdio: 'inherit' });
  if (result.status !== 0) stop('prebuildify failed, its output is above');

  const made = join(folder, `prebuilds/${process.platform}-${process.arch}`);
  for (const name of readdirSync(join(root, made))) {
    const file = join(root, made, name);
    const minor = process.platform === 'linux' ? glibcFloor(file) : undefined;
    const needs = minor === undefined ? '' : `, needs glibc 2.${minor}`;
    console.log(`${join(made, name)}: ${(statSync(file).size / 1e6).toFixed(2)} MB${needs}`);
    if (values.zig && !(minor <= GLIBC_MINOR)) stop(`expected a file for glibc 2.${GLIBC_MINOR}`);
  }
}
