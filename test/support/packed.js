// SPDX-License-Identifier: Apache-2.0

// The package as a user gets it, made of what is built here: packed by npm, installed by npm, under another name too.
// (packaging.test.js compiles everything once more, as a release does; what is about the use of the package needs not.)

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { cpSync, existsSync, mkdirSync, realpathSync, writeFileSync } = require('node:fs');
const { delimiter, join } = require('node:path');

const root = join(__dirname, '../..');

/** npm's own script, to be started with the node under test: on the PATH a link to it. */
const npm = realpathSync(
  process.env.PATH.split(delimiter)
    .map((folder) => join(folder, 'npm'))
    .find(existsSync),
);

/** Runs a program that must end well. @returns {string} what it printed */
function run(cwd, command, args, env = process.env) {
  const result = spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 1 << 26 });
  const told = `${command} ${args.join(' ')}\n${result.error ?? ''}${result.stdout}${result.stderr}`;
  assert.equal(result.status, 0, told);
  return result.stdout;
}

/** @param {'core' | 'cloud'} addon @returns {string} the path of the tarball, in `work` */
function pack(addon, work) {
  const source = addon === 'core' ? root : join(root, 'cloud');
  const tree = join(work, `tree-${addon}`);
  const { files } = require(join(source, 'package.json'));
  mkdirSync(tree, { recursive: true });
  for (const name of ['package.json', 'dist', 'index.js', 'docs', 'README.md', 'CHANGELOG.md', 'LICENSE']) {
    if (existsSync(join(source, name))) cpSync(join(source, name), join(tree, name), { recursive: true });
  }
  assert.ok(files.includes('prebuilds'));
  const libc = process.platform === 'linux' ? '.glibc' : '';
  const prebuild = join(tree, `prebuilds/${process.platform}-${process.arch}/asherah-${addon}${libc}.node`);
  cpSync(join(source, `build/Release/asherah-${addon}.node`), prebuild);
  const [{ filename }] = JSON.parse(run(tree, process.execPath, [npm, 'pack', '--json', '--pack-destination', work]));
  return join(work, filename);
}

/** Installs tarballs and other dependencies in an empty folder: `{ asherah: 'file:…' }` is the package under that name. */
function install(folder, dependencies) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  // --omit=optional: the cloud half, where it is wanted, comes by its own tarball
  const flags = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--omit=optional'];
  run(folder, process.execPath, [npm, 'install', ...flags]);
}

module.exports = { install, npm, pack, run };
