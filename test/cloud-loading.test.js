// SPDX-License-Identifier: Apache-2.0

// The fear: a program that needs no server loads what talks to servers, one that needs one gets two engines, the two damage
// what they share, or it is not told what is missing.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } = require('node:fs');
const { join, resolve } = require('node:path');
const { passes } = require('./support/child.js');
const { temporaryFolder } = require('./support/store.js');

const root = resolve(__dirname, '..');
const { version } = require('../package.json');
const fixture = 'two-addons.js';

describe('the cloud addon', function () {
  this.timeout(120_000);
  const folder = temporaryFolder();
  let folders = 0;

  function freshFolder() {
    const fresh = join(folder, String(++folders));
    mkdirSync(fresh);
    return fresh;
  }

  describe('is loaded when it is needed', () => {
    const runs = (scenario, options) =>
      function () {
        if (process.platform !== 'linux') this.skip(); // read from /proc
        return passes(fixture, scenario, { db: join(freshFolder(), 'keys.db'), ...options });
      };

    it('not with the package', runs('required only'));
    it('not by a program that needs the core only', runs('core only'));
    for (const option of ["kms 'aws'", "metastore 'dynamodb'", "metastore 'rdbms'"]) {
      it(`beside the core by ${option}, and serves from then on`, runs('core, then cloud', { option }));
      it(
        `alone by ${option} as the first, in other threads and copies of the package too`,
        runs('cloud first', { option }),
      );
    }
    it('by a worker thread, before the core', runs('cloud first in a worker'));
    it('by loadCloud()', runs('loadCloud'));
    it('by loadCloud({ coreFirst: true }), after the core', runs('loadCloud, core first'));
    it('not by a loadCloud() with wrong arguments', runs('loadCloud, wrongly'));
    it('and opens no SQLite file that the core has open', runs('one SQLite file'));
    it('and keeps its SQLite files from the core', runs('one SQLite file, cloud first'));
  });

  describe('that is not there or not right', () => {
    /** An installed copy of the package. @param {(folder: string) => void} [installCloud] fills asherah-napi-cloud */
    function install(installCloud) {
      const top = freshFolder();
      const installed = join(top, 'node_modules/asherah-napi');
      cpSync(join(root, 'dist'), join(installed, 'dist'), { recursive: true });
      cpSync(join(root, 'package.json'), join(installed, 'package.json'));
      for (const built of ['build', 'prebuilds']) {
        // where a prebuild is tested there is no build
        const from = join(root, built);
        if (readdirSync(root).includes(built)) symlinkSync(from, join(installed, built), 'dir');
      }
      cpSync(join(root, 'node_modules/node-gyp-build'), join(top, 'node_modules/node-gyp-build'), { recursive: true });
      if (installCloud !== undefined) {
        mkdirSync(join(top, 'node_modules/asherah-napi-cloud'));
        installCloud(join(top, 'node_modules/asherah-napi-cloud'));
      }
      return top;
    }

    /** @returns {object[]} the errors of each configuration in turn; null: it works */
    function attempts(top, configs) {
      const script = `
        const { AsherahError, SessionFactory, loadCloud } = require('asherah-napi');
        const result = ${JSON.stringify(configs)}.map((config) => {
          try {
            if (config === 'loadCloud') return loadCloud() ?? null;
            const factory = new SessionFactory(config);
            const session = factory.getSession('p');
            if (session.decryptString(session.encrypt('text')) !== 'text') throw new Error('not the text');
            factory.close();
            return null;
          } catch (error) {
            const { code, message, cause } = error;
            return { typed: error instanceof AsherahError, code, message, cause: cause && String(cause) };
          }
        });
        console.log(JSON.stringify(result));`;
      const { stdout, stderr } = spawnSync(process.execPath, ['-e', script], { cwd: top, encoding: 'utf8' });
      assert.ok(stdout, stderr);
      return JSON.parse(stdout);
    }

    const names = { serviceName: 'service', productId: 'product' };
    const local = { ...names, kms: 'static', staticMasterKeyHex: '42'.repeat(32), metastore: 'test-debug-memory' };
    const aws = { ...names, kms: 'aws', kmsKeyId: 'alias/none', metastore: 'test-debug-memory' };
    const rdbms = { ...local, metastore: 'rdbms', connectionString: 'postgres://nobody:nothing@127.0.0.1:1/none' };
    const dynamodb = { ...local, metastore: 'dynamodb', dynamoDbRegion: 'us-west-2' };

    it('because optional dependencies were left out: names the option and the ways out; the core works', () => {
      const configs = [local, aws, rdbms, dynamodb, 'loadCloud', local];
      const [before, ...errors] = attempts(install(), configs);
      assert.deepEqual([before, errors.pop()], [null, null]);
      for (const [i, option] of ["kms 'aws'", "metastore 'rdbms'", "metastore 'dynamodb'", 'loadCloud'].entries()) {
        const { typed, code, message, cause } = errors[i];
        assert.equal(code, 'ERR_ASHERAH_LOAD_FAILED');
        assert.ok(typed);
        assert.match(message, /^addon: /);
        assert.ok(message.includes(option), message);
        for (const way of ['--omit=optional', `npm install asherah-napi-cloud@${version}`, "kms 'static'"]) {
          assert.ok(message.includes(way), message);
        }
        assert.ok(!message.includes('nobody'), 'nothing of the connection string');
        assert.match(cause, /Cannot find module/);
      }
    });

    it('in this version: says which it is and which it should be', () => {
      const other = install((cloud) => writeFileSync(join(cloud, 'index.js'), "exports.version = '9.8.7';"));
      const [error, works] = attempts(other, [rdbms, local]);
      assert.equal(error.code, 'ERR_ASHERAH_LOAD_FAILED');
      for (const part of [version, '9.8.7', 'asherah-napi-cloud'])
        assert.ok(error.message.includes(part), error.message);
      assert.equal(works, null);
    });

    it('for this platform: says which one', () => {
      const other = install((cloud) => {
        for (const file of ['index.js', 'package.json']) cpSync(join(root, 'cloud', file), join(cloud, file));
        mkdirSync(join(cloud, 'prebuilds/plan9-mips'), { recursive: true });
      });
      const [error, works] = attempts(other, [aws, local]);
      assert.equal(error.code, 'ERR_ASHERAH_LOAD_FAILED');
      assert.ok(error.message.includes(`kms 'aws' needs the package asherah-napi-cloud`), error.message);
      assert.ok(error.message.includes(`${process.platform}-${process.arch}`), error.message);
      assert.match(error.cause, /No native build was found/);
      assert.equal(works, null);
    });

    it('because it is damaged: carries what the loader said', () => {
      const other = install((cloud) => {
        for (const file of ['index.js', 'package.json']) cpSync(join(root, 'cloud', file), join(cloud, file));
        mkdirSync(join(cloud, 'build/Release'), { recursive: true });
        writeFileSync(join(cloud, 'build/Release/asherah-cloud.node'), 'no library');
      });
      const [error, works] = attempts(other, [dynamodb, local]);
      assert.equal(error.code, 'ERR_ASHERAH_LOAD_FAILED');
      assert.ok(error.cause.includes('asherah-cloud.node'), error.cause);
      assert.equal(works, null);
    });
  });
});
