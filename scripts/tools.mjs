// SPDX-License-Identifier: Apache-2.0

// What has to be on a machine that builds the addon, and the one line to say when it is not.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const NODE = '20.19.0'; // the tools of the build ask for it; the built package runs on any Node 20
const CMAKE = '3.21.0';

/** How to get a package on this machine: apt where there is apt, Homebrew on macOS, the project's page elsewhere. */
function install(apt, brew, page) {
  if (process.platform === 'darwin') return `\`${brew}\``;
  if (process.platform === 'linux' && output('apt-get', ['--version']))
    return `\`sudo apt-get install ${apt}\` or ${page}`;
  return page;
}

/** @returns {string | undefined} what the command printed; undefined if there is no such command or it failed */
function output(command, args, options = {}) {
  const result = spawnSync(command, args, { encoding: 'utf8', ...options });
  return result.status === 0 ? result.stdout : undefined;
}

/** @returns {boolean} whether a dotted version is at least another */
export function atLeast(version, least) {
  const a = version.split('.').map(Number);
  const b = least.split('.').map(Number);
  for (let i = 0; i < 3; i++) {
    if ((a[i] ?? 0) !== (b[i] ?? 0)) return (a[i] ?? 0) > (b[i] ?? 0);
  }
  return true;
}

/** @returns {string | undefined} a line for the user if this Node is too old */
export function nodeProblem() {
  const version = process.versions.node;
  if (atLeast(version, NODE)) return undefined;
  return `Node.js ${NODE} or later is needed, this is ${version}: install it from https://nodejs.org`;
}

function goProblem(root) {
  const mod = readFileSync(join(root, 'go/go.mod'), 'utf8');
  const least = /^go (\S+)$/m.exec(mod)[1];
  const pinned = /^toolchain go(\S+)$/m.exec(mod)?.[1] ?? least;
  // asked outside the module, where an old Go answers for itself; with any GOTOOLCHAIN but local it fetches the pinned one
  const local = output('go', ['env', 'GOVERSION'], { cwd: '/', env: { ...process.env, GOTOOLCHAIN: 'local' } });
  const here = local && output('go', ['env', 'GOVERSION'], { cwd: join(root, 'go') });
  if (here && atLeast(here.trim().replace(/^go/, ''), least)) return undefined;
  const found = local ? `this is ${local.trim().replace(/^go/, '')}` : 'there is none on the PATH';
  return `Go ${least} or later is needed (${pinned} is what releases use), ${found}: install it from https://go.dev/dl`;
}

function cmakeProblem() {
  const version = /version (\d+\.\d+\.\d+)/.exec(output('cmake', ['--version']) ?? '')?.[1];
  if (version && atLeast(version, CMAKE)) return undefined;
  const found = version ? `this is ${version}` : 'there is none on the PATH';
  return `CMake ${CMAKE} or later is needed, ${found}: ${install('cmake', 'brew install cmake', 'https://cmake.org/download')}`;
}

function compilerProblem() {
  const cc = process.env.CC ?? 'cc';
  const cxx = process.env.CXX ?? 'c++';
  const source = '#include <string_view>\n#if __cplusplus < 201703L\n#error\n#endif\n';
  const works =
    output(cc, ['-fsyntax-only', '-xc', '-'], { input: '#include <stdint.h>\n' }) !== undefined &&
    output(cxx, ['-std=c++17', '-fsyntax-only', '-xc++', '-'], { input: source }) !== undefined;
  if (works) return undefined;
  const how = install('g++', 'xcode-select --install', 'install GCC 8 or later, or Clang 7 or later');
  return `a C compiler (${cc}) and a C++17 compiler (${cxx}) with the standard library's headers are needed: ${how}`;
}

function makeProblem() {
  if (output('ninja', ['--version']) || output('make', ['--version'])) return undefined;
  return `make or ninja is needed: ${install('make', 'xcode-select --install', 'https://ninja-build.org')}`;
}

/** @returns {string[]} one line for each tool that is missing or too old */
export function missingTools(root) {
  return [goProblem(root), cmakeProblem(), compilerProblem(), makeProblem()].filter(Boolean);
}
