// SPDX-License-Identifier: Apache-2.0

/** What a fresh clone lacks: the rivals' packages, and the addon with the official Go library. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const BENCH = fileURLToPath(new URL('..', import.meta.url));
const ROOT = join(BENCH, '..');

function run(command, args, cwd) {
  const { status, error } = spawnSync(command, args, {
    cwd,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32' && command === 'npm',
  });
  if (error) throw new Error(`${command} is needed to prepare the benchmark: ${error.message}`);
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed (exit code ${status})`);
}

function time(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

function newest(dir, pattern) {
  return Math.max(
    ...readdirSync(dir)
      .filter((name) => pattern.test(name))
      .map((name) => time(join(dir, name))),
  );
}

export function installRivals() {
  const installed = join(BENCH, 'node_modules', '.package-lock.json');
  if (time(installed) < time(join(BENCH, 'package-lock.json'))) {
    console.error('bench: installing the rivals');
    run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], BENCH);
  }
}

/** By the root's CMakeLists.txt, with another Go main package: same C++ sources, same flags. */
export function buildOfficialGo() {
  const addon = join(BENCH, 'build', 'official-go.node');
  const sources = Math.max(
    newest(join(ROOT, 'src-cpp'), /\.(cc|h)$/),
    newest(join(BENCH, 'official-go'), /\.go$|^go\./),
    time(join(ROOT, 'CMakeLists.txt')),
  );
  if (time(addon) >= sources) return;
  console.error('bench: building the official Go library behind our C++ layer');
  const tree = join(BENCH, 'build', 'cmake');
  mkdirSync(tree, { recursive: true });
  run(
    'cmake',
    [
      '-S',
      ROOT,
      '-B',
      tree,
      '-DCMAKE_BUILD_TYPE=Release',
      '-DASHERAH_ADDON_NAME=official-go',
      '-DASHERAH_GO_MAIN=bench/official-go',
      '-DASHERAH_GO_TAGS=nodeprecated', // leaves out the library's AWS parts, which ours does not have either
      `-DADDON_OUT=${join(tree, 'out')}`,
    ],
    ROOT,
  );
  run('cmake', ['--build', tree], ROOT);
  renameSync(join(tree, 'out', 'official-go.node'), addon);
}
