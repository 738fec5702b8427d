// SPDX-License-Identifier: Apache-2.0

// The fear: programs that were written for the older packages have to be changed. Those of test/old-samples have the shape
// of what their documents show; each runs here on the packed package, installed under the name `asherah` as a user would
// who changes one line of package.json, on every runtime there is.
//
// Bun and Deno are those that ASHERAH_TEST_BUN and ASHERAH_TEST_DENO name, which then must be there, or else of the PATH.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { cpSync, mkdtempSync, readdirSync, realpathSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { install, pack } = require('./support/packed');

const samples = join(__dirname, 'old-samples');

/** What each prints, and the codes of the warnings it gets: nothing about a key or a time is in it. */
const PRINTS = {
  'v3-readme.cjs': [
    ['record holds the secret: false', 'decrypted: a secret of version 3', 'still set up: false'],
    ['WARN_ASHERAH_TEST_KMS'],
  ],
  'v3-async.mjs': [
    ['set up: true', 'decrypted: bytes', 'decrypted: text', 'another partition: true', 'still set up: false'],
    ['WARN_ASHERAH_MEMORY_METASTORE', 'WARN_ASHERAH_TEST_KMS'],
  ],
  'v3-setenv.cjs': [['once: first second', 'twice: first', 'decrypted: text'], ['WARN_ASHERAH_TEST_KMS']],
  'v4-sample.mjs': [
    [
      '[module] decrypted: a greeting',
      '[module] bytes: cafe',
      '[session] decrypted: of tenant 1',
      '[session] tenant 2 is refused: true',
      '[async] decrypted: not at once',
      '[log] heard something: true',
      '[metrics] encrypt, decrypt: 5 5',
      '[metrics] keys missed and found: true true',
    ],
    ['WARN_ASHERAH_MEMORY_METASTORE'],
  ],
  'v4-quick-start.cjs': [
    [
      'module: secret',
      'session: secret true',
      'wiped: 000000000000',
      'from the environment: _IK_user-1_my-service_my-product',
    ],
    ['WARN_ASHERAH_MEMORY_METASTORE'],
  ],
  'v4-server.mjs': [
    ['_IK_/one_server_sample of a request', '_IK_/two_server_sample of a request', 'a class: function set up: false'],
    ['WARN_ASHERAH_MEMORY_METASTORE', 'WARN_ASHERAH_TEST_KMS'],
  ],
};

const RUNTIMES = {
  'Node.js': { named: process.execPath, args: [] },
  Bun: { named: process.env.ASHERAH_TEST_BUN, usual: 'bun', args: ['run'] },
  Deno: { named: process.env.ASHERAH_TEST_DENO, usual: 'deno', args: ['run', '-A'] },
};

describe('programs of the older packages', function () {
  this.timeout(300_000);

  let work;
  before(() => {
    work = realpathSync(mkdtempSync(join(tmpdir(), 'asherah-samples-')));
    install(join(work, 'user'), { asherah: `file:${pack('core', work)}` });
    cpSync(samples, join(work, 'user'), { recursive: true });
  });
  after(() => rmSync(work, { recursive: true, force: true }));

  it('are all here', () => assert.deepEqual(readdirSync(samples).sort(), Object.keys(PRINTS).sort()));

  for (const [runtime, { named, usual, args }] of Object.entries(RUNTIMES)) {
    const command = named ?? usual;
    const isThere = spawnSync(command, ['--version']).status === 0;
    describe(`on ${runtime}`, () => {
      before(function () {
        if (isThere) return;
        assert.equal(named, undefined, `${named} does not run`);
        this.skip();
      });

      for (const [name, [lines, warnings]] of Object.entries(PRINTS)) {
        it(name, () => {
          const env = {
            ...process.env,
            NODE_OPTIONS: '',
            NODE_NO_WARNINGS: '',
            DENO_NO_UPDATE_CHECK: '1',
            NO_COLOR: '1',
          };
          const child = spawnSync(command, [...args, name], {
            cwd: join(work, 'user'),
            env,
            encoding: 'utf8',
            timeout: 60_000,
          });
          assert.equal(child.status, 0, `${child.error ?? ''}${child.stdout}${child.stderr}`);
          assert.deepEqual(child.stdout.trim().split('\n'), lines, child.stderr);
          const codes = new Set(child.stderr.match(/WARN_ASHERAH_\w+/g) ?? []);
          // The other runtimes print warnings in ways of their own, if at all.
          if (runtime === 'Node.js') assert.deepEqual([...codes].sort(), warnings, child.stderr);
        });
      }
    });
  }
});
