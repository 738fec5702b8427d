// SPDX-License-Identifier: Apache-2.0

// The fear: the core addon links a network stack. crypto/tls pulls in crypto/x509, whose macOS system calls run while the
// library loads and crash Bun; and what cannot open a socket cannot leak through one.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { join } = require('node:path');

const FORBIDDEN = ['crypto/tls', 'crypto/x509', 'net', 'net/http'];
const TAGS = ['asherah_inplace sqlite_omit_load_extension', 'sqlite_omit_load_extension']; // as CMakeLists.txt gives them

/** All packages linked into a program, each with the number of its files that import "C". */
function dependencies(goos, tags, what) {
  // With CGO_ENABLED=0, the default for another system, files that import "C" are left out, and with them whatever they
  // import. Nothing is compiled here, so the C compiler need not exist.
  const env = { ...process.env, GOOS: goos, GOARCH: 'arm64', CGO_ENABLED: '1', CC: 'no-such-compiler' };
  const args = ['list', '-deps', '-tags', tags, '-f', '{{.ImportPath}} {{len .CgoFiles}}', what];
  const out = execFileSync('go', args, { cwd: join(__dirname, '../go'), env, encoding: 'utf8' });
  return new Map(
    out
      .trim()
      .split('\n')
      .map((line) => line.split(' ')),
  );
}

describe('what the Go core links', () => {
  for (const goos of ['linux', 'darwin', 'windows']) {
    for (const tags of TAGS) {
      it(`has no network and no TLS on ${goos} (${tags})`, () => {
        const linked = dependencies(goos, tags, './cmd/core');
        for (const name of ['asherah-napi/capi', 'github.com/mattn/go-sqlite3', 'runtime/cgo']) {
          assert.ok(
            Number(linked.get(name)) > 0,
            `${name} with its cgo files is in the list, so that the list is complete`,
          );
        }
        assert.deepStrictEqual(
          FORBIDDEN.filter((name) => linked.has(name)),
          [],
        );
      });
    }

    it(`would be noticed on ${goos}`, () => {
      const linked = dependencies(goos, TAGS[0], 'net/http');
      assert.deepStrictEqual(
        FORBIDDEN.filter((name) => linked.has(name)),
        FORBIDDEN,
      );
    });
  }
});
