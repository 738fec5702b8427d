// SPDX-License-Identifier: Apache-2.0
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { constants } = require('node:buffer');
const fs = require('node:fs');
const path = require('node:path');
const { AsherahError, SessionFactory } = require('asherah-napi');
const { errorCodes } = require('../dist/errors.js');
const { warningCodes } = require('../dist/warnings.js');
const { packageCopy } = require('./fixtures/package-copy.js');
const { openFactory, temporaryFolder, withSession } = require('./support/store.js');

const root = path.join(__dirname, '..');
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');
const plaintext = 'hunter2';
const memory = { metastore: 'test-debug-memory', connectionString: undefined };

/** Calls `use` with a session in memory. */
const inMemory = (use) => withSession(undefined, 'p', use, memory);

// Windows has no ulimit, and Deno no -e as Node's.
const canLimitMemory = process.platform !== 'win32' && !process.versions.deno;

/** A process that can't lock memory: as root the limit would not count. */
function withoutLockedMemory(lockedMemory) {
  const script = `
    const { SessionFactory } = require('asherah-napi');
    const config = ${JSON.stringify({ serviceName: 's', productId: 'p', kms: 'static', staticMasterKeyHex: '5a'.repeat(32) })};
    try {
      const factory = new SessionFactory({ ...config, metastore: 'test-debug-memory', lockedMemory: '${lockedMemory}',
        onWarning: ({ code, message }) => console.log(JSON.stringify({ code, message })) });
      factory.getSession('p').encrypt('x');
    } catch ({ code, message, constructor }) {
      console.log(JSON.stringify({ code, message }));
    }`;
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  const command = 'ulimit -l 0 && exec "$0" -e "$1"';
  const child = spawnSync('sh', ['-c', command, process.execPath, script], { cwd: root, encoding: 'utf8', ...user });
  assert.equal(child.status, 0, child.stderr ?? String(child.error));
  const [{ code, message }, ...others] = child.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(others, []);
  return { code, message };
}

/** A package as it is when no build of the addon was installed with it. */
function packageWithoutAddon(folder) {
  const copy = path.join(folder, 'package');
  fs.cpSync(path.join(root, 'dist'), path.join(copy, 'dist'), { recursive: true });
  fs.cpSync(path.join(root, 'package.json'), path.join(copy, 'package.json'));
  const loader = path.dirname(require.resolve('node-gyp-build/package.json'));
  fs.cpSync(loader, path.join(copy, 'node_modules/node-gyp-build'), { recursive: true });
  return require(copy);
}

describe('errors', () => {
  const folder = temporaryFolder();
  let files = 0;
  const newFile = () => path.join(folder, `${++files}.db`);

  /** What reaches each code, on the built addon. */
  const cases = {
    ERR_ASHERAH_INVALID_ARGUMENT: () => inMemory((session) => session.encrypt(5)),
    ERR_ASHERAH_INVALID_CONFIG: () => new SessionFactory({}),
    ERR_ASHERAH_UNKNOWN_OPTION: () => new SessionFactory({ service: 'x' }),
    ERR_ASHERAH_INVALID_RECORD: () => inMemory((session) => session.decrypt('{}')),
    ERR_ASHERAH_TOO_LARGE: () => inMemory((session) => session.encrypt(Buffer.alloc(constants.MAX_STRING_LENGTH))),
    ERR_ASHERAH_PARTITION_MISMATCH: () =>
      inMemory((session, factory) => factory.getSession('other').decrypt(session.encrypt(plaintext))),
    ERR_ASHERAH_KEY_NOT_FOUND: async () => {
      const record = await inMemory((session) => session.encrypt(plaintext));
      return inMemory((session) => session.decrypt(record));
    },
    ERR_ASHERAH_AUTHENTICATION_FAILED: () =>
      inMemory((session) => {
        const record = JSON.parse(session.encrypt(plaintext));
        record.Data = record.Data.replace(/^./, (digit) => (digit === 'A' ? 'B' : 'A'));
        return session.decrypt(JSON.stringify(record));
      }),
    ERR_ASHERAH_INVALID_KEY_RECORD: async () => {
      const file = newFile();
      const record = await withSession(file, 'p', (session) => session.encrypt(plaintext));
      // No page has a checksum, so text of the same length leaves the file whole.
      const rows = fs.readFileSync(file, 'latin1');
      assert.ok(rows.includes('{"Created":'));
      fs.writeFileSync(file, rows.replaceAll('{"Created":', 'x"Created":'), 'latin1');
      return withSession(file, 'p', (session) => session.decrypt(record));
    },
    ERR_ASHERAH_NOT_UTF8: () => inMemory((session) => session.decryptString(session.encrypt(Buffer.of(0xff)))),
    ERR_ASHERAH_CLOSED: () =>
      inMemory((session) => {
        session.close();
        return session.encrypt(plaintext);
      }),
    ERR_ASHERAH_WRONG_RECEIVER: () => inMemory(({ encrypt }) => encrypt(plaintext)),
    ERR_ASHERAH_METASTORE: () => withSession(folder, 'p', (session) => session.encrypt(plaintext)),
    ERR_ASHERAH_KMS: async () => {
      const file = newFile();
      await withSession(file, 'p', (session) => session.encrypt(plaintext));
      const anotherKey = { staticMasterKeyHex: 'a5'.repeat(32) };
      return withSession(file, 'p', (session) => session.encrypt(plaintext), anotherKey);
    },
    ERR_ASHERAH_KEY_STALE: async () => {
      const file = newFile();
      const warnings = [];
      const onWarning = ({ code }) => warnings.push(code);
      const factory = openFactory(file, { checkInterval: 1, maxKeyStaleness: 4, onWarning });
      try {
        const session = factory.getSession('p');
        const record = session.encrypt(plaintext);
        fs.rmSync(file);
        fs.mkdirSync(file);
        await new Promise((resolve) => setTimeout(resolve, 1200));
        assert.equal(session.decryptString(record), plaintext, 'a stale key goes on being used');
        assert.equal(typeof session.encrypt(plaintext), 'string');
        await new Promise((resolve) => setTimeout(resolve, 3200));
        assert.ok(warnings.includes('WARN_ASHERAH_REFRESH_FAILED'), `a warning, got ${warnings}`);
        return session.encrypt(plaintext);
      } finally {
        factory.close();
      }
    },
    ERR_ASHERAH_LOCKED_MEMORY() {
      if (!canLimitMemory) this.skip();
      const { code, message } = withoutLockedMemory('require');
      throw new AsherahError(code, message);
    },
    ERR_ASHERAH_LOAD_FAILED: () => {
      const { SessionFactory: Unloadable } = packageWithoutAddon(folder);
      const { serviceName, productId, kms } = { serviceName: 's', productId: 'p', kms: 'test-debug-static' };
      new Unloadable({ serviceName, productId, kms, metastore: 'test-debug-memory' });
    },
    ERR_ASHERAH_INTERNAL: () => {
      const broken = packageCopy((addon) => ({ ...addon, openFactory: () => assert.fail('unforeseen') }));
      new broken.SessionFactory({ serviceName: 's', productId: 'p', kms: 'test-debug-static', metastore: 'memory' });
    },
  };

  /** What needs a damaged or locked disk, and is reached where that is made. */
  const elsewhere = {
    ERR_ASHERAH_WOULD_BLOCK: 'test/providers.test.js',
    ERR_ASHERAH_NOT_SET_UP: 'test/fixtures/module-level.js',
    ERR_ASHERAH_ALREADY_SET_UP: 'test/fixtures/module-level.js',
    ERR_ASHERAH_METASTORE_BUSY: 'test/faults.test.js',
    ERR_ASHERAH_METASTORE_READ_ONLY: 'test/faults.test.js',
    ERR_ASHERAH_METASTORE_FULL: 'test/faults.test.js',
    WARN_ASHERAH_TEST_KMS: 'test/one-class.test.js',
    WARN_ASHERAH_MEMORY_METASTORE: 'test/one-class.test.js',
    WARN_ASHERAH_REFRESH_FAILED: 'test/errors.test.js',
    WARN_ASHERAH_MEMORY_NOT_LOCKED: 'test/errors.test.js',
    WARN_ASHERAH_KMS_REGION_FAILED: 'test/cloud-kms-faults.test.js',
    WARN_ASHERAH_PLAIN_CONNECTION: 'test/cloud-sql-tls.test.js',
    WARN_ASHERAH_OPTION_IGNORED: 'test/config-compat.test.js',
    WARN_ASHERAH_UNKNOWN_OPTION: 'test/config-compat.test.js',
    WARN_ASHERAH_PREFERRED_REGION: 'test/config-compat.test.js',
    WARN_ASHERAH_DEFAULT_NAME: 'test/from-env.test.js',
    WARN_ASHERAH_HOOK_FAILED: 'test/hooks.test.js',
    WARN_ASHERAH_EVENTS_DROPPED: 'test/hooks.test.js',
  };

  for (const [code, reach] of Object.entries(cases)) {
    it(`can be told apart by ${code}`, async function () {
      let error;
      try {
        await reach.call(this);
      } catch (e) {
        if (e?.constructor?.name === 'Pending') throw e;
        error = e;
      }
      assert.ok(error instanceof AsherahError && error instanceof Error, `an AsherahError, got ${error}`);
      assert.equal(error.code, code, error.message);
      assert.equal(error.name, 'AsherahError');
      assert.match(error.stack, /^AsherahError: .+/);
      assert.ok(error.message.length > 20 && error.message.length < 1000, error.message);
      const everything = `${error.stack} ${JSON.stringify(error)}`;
      assert.doesNotMatch(everything, /hunter2|5a5a5a|a5a5a5|Wlpa/, 'no plaintext, no key');
    });
  }

  it('of memory that can not be locked come as one warning unless they were asked for', function () {
    if (!canLimitMemory) this.skip();
    assert.equal(withoutLockedMemory('prefer').code, 'WARN_ASHERAH_MEMORY_NOT_LOCKED');
  });

  it('of loading keep the cause and say what to do', () => {
    const { SessionFactory: Unloadable, AsherahError: Copy } = packageWithoutAddon(folder);
    const config = { serviceName: 's', productId: 'p', kms: 'test-debug-static', metastore: 'test-debug-memory' };
    assert.throws(
      () => new Unloadable(config),
      (error) => {
        assert.ok(error instanceof Copy && error.cause instanceof Error);
        assert.match(error.cause.message, /No native build was found/);
        return /Install the package again .+npm run build/.test(error.message);
      },
    );
    const old = packageCopy((addon) => ({ ...addon, version: '0.0.0' }));
    assert.throws(() => new old.SessionFactory(config), {
      code: 'ERR_ASHERAH_LOAD_FAILED',
      message: /^addon: expected version .+, got 0\.0\.0 from asherah-napi\. /,
    });
  });

  it('of loading on musl name the remedy there', function () {
    if (process.platform !== 'linux') this.skip();
    const { SessionFactory: Unloadable } = packageWithoutAddon(folder);
    const { getReport } = process.report;
    try {
      process.report.getReport = () => ({ header: {} });
      const config = { serviceName: 's', productId: 'p', kms: 'test-debug-static', metastore: 'test-debug-memory' };
      assert.throws(() => new Unloadable(config), {
        code: 'ERR_ASHERAH_LOAD_FAILED',
        message: /musl .+ use a glibc image/,
      });
    } finally {
      process.report.getReport = getReport;
    }
  });

  it('that the addon should never throw keep them as their cause', () => {
    const thrown = new TypeError('unforeseen');
    const throws = () => {
      throw thrown;
    };
    const copy = packageCopy((addon) => ({ ...addon, openSession: throws, encryptAsync: throws, encryptHot: throws }));
    const config = { serviceName: 's', productId: 'p', kms: 'test-debug-static', metastore: 'test-debug-memory' };
    const factory = new copy.SessionFactory({ ...config, onWarning: () => {} });
    assert.throws(() => factory.getSession('p'), { code: 'ERR_ASHERAH_INTERNAL', cause: thrown });
    factory.close();
  });

  it('of an exhausted stack harm nothing', () => {
    const factory = openFactory(undefined, memory);
    const session = factory.getSession('p');
    const record = session.encrypt(plaintext);
    function deeper() {
      session.decrypt(record);
      deeper();
    }
    for (let i = 0; i < 20; i++) {
      assert.throws(deeper, (error) => error instanceof RangeError || error instanceof AsherahError);
      assert.equal(session.decryptString(record), plaintext);
    }
    factory.close();
  });

  describe('and warnings in docs/errors.md', () => {
    const documented = [...read('docs/errors.md').matchAll(/^\| `(\w+)` +\| ([^|]+) \| ([^|]+) \|$/gm)].map(
      ([, code]) => code,
    );

    it('are those of the code, in the same order', () => {
      assert.deepEqual(documented, [...errorCodes, ...warningCodes]);
    });

    it('are all that the engine and the C++ layer use', () => {
      const used = new Set();
      for (const room of ['go', 'src-cpp', 'lib']) {
        for (const file of fs.readdirSync(path.join(root, room), { recursive: true })) {
          if (!/\.(go|cc|h|ts)$/.test(file)) continue;
          for (const [code] of read(path.join(room, file)).matchAll(/(ERR|WARN)_ASHERAH_\w+/g)) used.add(code);
        }
      }
      assert.deepEqual(
        [...used].filter((code) => !documented.includes(code)),
        [],
      );
    });

    it('are each reached by a test', () => {
      assert.deepEqual([...Object.keys(cases), ...Object.keys(elsewhere)].sort(), [...documented].sort());
      for (const [code, file] of Object.entries(elsewhere)) {
        assert.ok(fs.existsSync(path.join(root, file)) && read(file).includes(`'${code}'`), `${file} names ${code}`);
      }
    });
  });
});
