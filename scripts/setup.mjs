// SPDX-License-Identifier: Apache-2.0

// Makes a fresh clone ready to run: npm packages, the compiled TypeScript, the native addon. Each only if its sources are
// newer than what was made of them, so that `npm test` and `npm run demo` can always start with this and pay nothing.
// `--cloud`: the cloud addon too. Needs no package itself: it runs before there are any.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingTools, nodeProblem } from './tools.mjs';

const root = resolve(fileURLToPath(import.meta.url), '../..');
const at = (path) => join(root, path);

/** @returns {number} when the file was last changed, in ms; 0 if there is none */
function changed(path) {
  return statSync(at(path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** @returns {number} the newest change of a file or of all in a folder that `wanted` accepts, in ms */
function newest(path, wanted = () => true) {
  if (!statSync(at(path), { throwIfNoEntry: false })?.isDirectory()) return changed(path);
  let time = changed(path); // a deleted file shows in its folder only
  for (const entry of readdirSync(at(path), { withFileTypes: true })) {
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory()) time = Math.max(time, newest(child, wanted));
    else if (wanted(child)) time = Math.max(time, changed(child));
  }
  return time;
}

function stop(lines) {
  for (const line of lines) console.error(`setup: ${line}`);
  process.exit(1);
}

/** Runs a command quietly; what it printed is shown only if it fails. */
function run(what, command, args) {
  console.error(`setup: ${what}`);
  // npm names itself to the scripts it runs; started by hand, this falls back on the npm of the PATH
  const npm = process.env.npm_execpath;
  const [file, list] = command === 'npm' && npm?.endsWith('.js') ? [process.execPath, [npm, ...args]] : [command, args];
  const shell = process.platform === 'win32' && file === 'npm';
  const result = spawnSync(file, list, { cwd: root, encoding: 'utf8', shell, maxBuffer: 1 << 28 });
  if (result.status === 0) return;
  if (result.stdout) process.stderr.write(result.stdout);
  if (result.stderr) process.stderr.write(result.stderr);
  stop([
    `\`${command} ${args.join(' ')}\` failed${result.error ? `: ${result.error.message}` : ', its output is above'}`,
  ]);
}

const stamp = (name) => `build/setup/${name}`;

/** Remembers when a build began, not when it ended: a source that changed meanwhile is built again next time. */
function build(name, what, script) {
  const began = new Date();
  run(what, 'npm', ['run', '--silent', script]);
  mkdirSync(at('build/setup'), { recursive: true });
  writeFileSync(at(stamp(name)), '');
  utimesSync(at(stamp(name)), began, began);
}

const version = JSON.parse(readFileSync(at('package.json'), 'utf8')).version; // compiled into the addon
const addonStamp = `addon-${version}`;
const cloudStamp = `cloud-${version}`;
const addonSources = Math.max(
  newest('go', (path) => !path.endsWith('_test.go') && !path.includes('/testdata/')),
  newest('src-cpp'),
  changed('CMakeLists.txt'),
);
const libSources = Math.max(newest('lib'), changed('tsconfig.json'), changed('package-lock.json'));

const wantsPackages = changed('node_modules/.package-lock.json') < changed('package-lock.json');
const wantsLib = !existsSync(at('dist/index.js')) || changed(stamp('lib')) < libSources;
const wants = (file, name) => !existsSync(at(file)) || changed(stamp(name)) < addonSources;
const wantsAddon = wants('build/Release/asherah-core.node', addonStamp);
const wantsCloud = process.argv.includes('--cloud') && wants('cloud/build/Release/asherah-cloud.node', cloudStamp);

// all that is missing is said first, in one go
const problems = [nodeProblem(), ...(wantsAddon || wantsCloud ? missingTools(root) : [])].filter(Boolean);
if (problems.length) stop(problems);

if (wantsPackages) run('installing npm packages', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
if (wantsLib) build('lib', 'compiling lib', 'build:lib');
if (wantsAddon) {
  build(addonStamp, 'building the native addon (two minutes the first time: SQLite is in it)', 'build:addon');
}
if (wantsCloud) {
  build(cloudStamp, 'building the cloud addon (three minutes the first time: the AWS SDK is in it)', 'build:cloud');
}
