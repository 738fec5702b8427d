// SPDX-License-Identifier: Apache-2.0

// The fear: the built file takes part in more than it should. Symbols that mix with the host's or with a second addon's, a
// library that is unloaded under Go's threads, a Node-API call that an older Node or Electron lacks, a network stack.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { readFileSync, statSync } = require('node:fs');
const { homedir } = require('node:os');
const { join } = require('node:path');

const root = join(__dirname, '..');
const { resolve } = require('node-gyp-build');
const isElf = process.platform === 'linux';

for (const [name, folder, megabytes] of [
  ['core', root, 4.5],
  ['cloud', join(root, 'cloud'), 14],
]) {
  describe(`the ${name} addon file`, () => linkage(name, resolve(folder), megabytes));
}

function linkage(name, addon, megabytes) {
  /** What a tool of binutils says about the addon, line by line. */
  const lines = (tool, ...args) =>
    execFileSync(tool, [...args, addon], { encoding: 'utf8' })
      .trim()
      .split('\n');
  const imported = () =>
    lines('nm', '-D', '--undefined-only').map((line) => line.trim().split(/\s+/).at(-1).split('@')[0]);

  it(`is at most ${megabytes} MB, SQLite included`, () => {
    const { size } = statSync(addon);
    assert.ok(size <= megabytes * 1e6, `${size} bytes`);
  });

  it(`holds ${name === 'core' ? 'no Go package of' : 'the Go packages of'} the network and of TLS`, () => {
    // Go keeps the names of all linked functions, in a stripped file too: NUL-terminated, package path first
    const text = readFileSync(addon).toString('latin1');
    assert.match(text, /\0asherah-napi\/envelope\./, 'the names are there and look as expected');
    for (const path of ['crypto/tls', 'crypto/x509', 'net', 'net/http']) {
      assert.equal(new RegExp(`\0${path}\\.[\\w(]`).test(text), name === 'cloud', path);
    }
  });

  it('holds no path of the machine that built it', () => {
    const file = readFileSync(addon);
    assert.ok(file.includes('src-cpp/') || file.includes('asherah-napi/'), 'paths of the project are there');
    for (const path of [`${root}/`, `${homedir()}/`]) assert.ok(!file.includes(path), path);
  });

  describe('as ELF', () => {
    before(function () {
      if (!isElf) this.skip(); // other formats have other tools
    });

    it('exports its two entry points and nothing else', () => {
      const exported = lines('nm', '-D', '--defined-only').map((line) => line.split(' ').at(-1));
      assert.deepStrictEqual(exported.sort(), ['napi_register_module_v1', 'node_api_module_get_api_version_v1']);
    });

    it('is never unloaded, bound at load and binds to itself first', () => {
      const flags = lines('readelf', '-d')
        .filter((line) => line.includes('FLAGS'))
        .join(' ');
      for (const flag of ['NODELETE', 'NOW', 'SYMBOLIC']) assert.match(flags, new RegExp(`\\b${flag}\\b`));
    });

    it('makes no external buffer, which Electron does not have', () => {
      assert.deepStrictEqual(
        imported().filter((name) => name.startsWith('napi_create_external_')),
        [],
      );
    });

    it('asks for no Node-API function newer than the version package.json names', () => {
      const { binary } = require('../package.json');
      const { symbols } = require('node-api-headers');
      const { js_native_api_symbols, node_api_symbols } = symbols[`v${binary.napi_versions[0]}`];
      const known = new Set([...js_native_api_symbols, ...node_api_symbols]);
      const asked = imported().filter((name) => /^(napi|node_api)_/.test(name));
      assert.ok(asked.length > 20, 'the list is not empty');
      assert.deepStrictEqual(
        asked.filter((name) => !known.has(name)),
        [],
      );
    });
  });
}
