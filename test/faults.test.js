// SPDX-License-Identifier: Apache-2.0

// The fear: a store that is locked, full or read-only makes a call hang, answer wrongly, or write half of something, or the
// process has to be restarted once the fault is gone.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { startGo } = require('./support/peer.js');
const { RemoteSession } = require('./support/remote-session.js');
const {
  fails,
  has,
  masterKey,
  openFactory,
  recordIn,
  temporaryFolder,
  withSession,
  works,
} = require('./support/store.js');

describe('a store that fails', () => {
  const folder = temporaryFolder();
  let go;
  before(function () {
    this.timeout(600_000);
    go = startGo(); // here it is another program that holds locks
  });
  after(() => go?.stop());

  const children = [];
  function newChild() {
    const child = new RemoteSession();
    children.push(child);
    return child;
  }
  afterEach(() => Promise.all(children.splice(0).map((child) => child.stop())));

  let files = 0;
  const newFile = () => join(folder, `keys-${++files}.db`);
  const rows = (db) =>
    go.sql(db, `SELECT id, created || '' AS created, key_record FROM encryption_key ORDER BY id, created`);

  describe('a SQLite file that another process holds locked', function () {
    this.timeout(60_000);

    it('fails calls after sqliteBusyTimeout, not before and not much later, and writes nothing', async () => {
      const db = newFile();
      const record = await recordIn(db);
      const before = await rows(db);
      const factory = openFactory(db, { sqliteBusyTimeout: 0.4 });
      const hot = factory.getSession('partition');
      hot.encrypt('makes the key hot');
      await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE');

      const cold = factory.getSession('cold');
      let began = performance.now();
      assert.throws(() => cold.encrypt('text'), has('ERR_ASHERAH_METASTORE_BUSY'));
      const sync = performance.now() - began;

      let turns = 0;
      const loop = setInterval(() => turns++, 10);
      began = performance.now();
      await assert.rejects(cold.encryptAsync('text'), has('ERR_ASHERAH_METASTORE_BUSY'));
      const async = performance.now() - began;
      clearInterval(loop);

      for (const took of [sync, async]) assert.ok(took >= 400 && took < 5000, `failed after ${took} ms`);
      assert.ok(turns >= 5, `the event loop turned ${turns} times in ${async} ms`);

      assert.equal(hot.decryptString(hot.encrypt('hot')), 'hot', 'keys at hand need no store');
      await withSession(db, 'partition', (s) => assert.equal(s.decryptString(record), 'before')); // readers don't wait
      await go.sqlAndKeep(db, 'ROLLBACK');
      assert.deepEqual(await rows(db), before);
      await works(factory, record);
      factory.close();
    });

    it('fails a hundred waiting calls together, not one after the other', async () => {
      const db = newFile();
      const record = await recordIn(db);
      const factory = openFactory(db, { sqliteBusyTimeout: 0.4 });
      await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE');
      const began = performance.now();
      const calls = Array.from({ length: 100 }, (_, i) => factory.getSession(`cold ${i}`).encryptAsync('text'));
      for (const { reason } of await Promise.allSettled(calls))
        assert.equal(reason?.code, 'ERR_ASHERAH_METASTORE_BUSY');
      assert.ok(performance.now() - began < 10_000);
      await go.sqlAndKeep(db, 'ROLLBACK');
      await works(factory, record);
      factory.close();
    });

    it('is waited for when the lock goes in time', async () => {
      const db = newFile();
      const record = await recordIn(db);
      const factory = openFactory(db, { sqliteBusyTimeout: 20 });
      await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE');
      const call = factory.getSession('cold').encryptAsync('text');
      await sleep(300);
      await go.sqlAndKeep(db, 'ROLLBACK');
      assert.equal(factory.getSession('cold').decryptString(await call), 'text');
      await works(factory, record);
      factory.close();
    });

    it('fails reads too where it is in the mode in which locks keep readers out', async () => {
      const db = newFile();
      const record = await go.encrypt(
        { db, masterKey, service: 'service', product: 'product', partition: 'partition' },
        'before',
      );
      await go.sqlAndKeep(db, 'BEGIN EXCLUSIVE'); // the Go peer left it in SQLite's default mode
      const factory = openFactory(db, { sqliteBusyTimeout: 0.2 });
      await fails(factory.getSession('partition'), 'decrypt', record, 'ERR_ASHERAH_METASTORE_BUSY');
      await fails(factory.getSession('partition'), 'encrypt', 'text', 'ERR_ASHERAH_METASTORE_BUSY');
      await go.sqlAndKeep(db, 'ROLLBACK');
      await go.sql(db, 'SELECT 1');
      await works(factory, record);
      factory.close();
    });
  });

  describe('a SQLite file that may not be written', function () {
    this.timeout(60_000);
    before(function () {
      if (process.platform === 'win32') this.skip(); // there are no modes
    });

    const nobody = 65534;
    const root = process.getuid?.() === 0; // may write whatever the mode says, so the child gives that up

    for (const [what, fileMode, folderMode, readable] of [
      ['itself', 0o444, 0o755, true],
      ['in a folder that may', 0o444, 0o555, false], // WAL mode needs an index file beside the database
    ]) {
      it(`${what === 'itself' ? 'itself' : 'nor its folder'}: no new key, and what is said is true`, async () => {
        const home = fs.mkdtempSync(join(folder, 'ro-'));
        fs.chmodSync(folder, 0o755);
        if (root) fs.chownSync(home, nobody, nobody);
        const db = join(home, 'keys.db');
        const config = {
          ...{ serviceName: 'service', productId: 'product', kms: 'static', staticMasterKeyHex: masterKey },
          ...{ metastore: 'sqlite', connectionString: db },
        };
        const child = newChild();
        await child.call('open', { ...config, metastore: 'test-debug-memory', connectionString: undefined });
        await child.call('encrypt', 'loads everything', 'x');
        if (root) await child.call('become', nobody);
        await child.call('open', config);
        const record = await child.call('encrypt', 'partition', 'before');
        await child.call('open', config); // closes the first one
        const bytes = fs.readFileSync(db);

        fs.chmodSync(db, fileMode);
        fs.chmodSync(home, folderMode);
        const refused = has('ERR_ASHERAH_METASTORE_READ_ONLY');
        await assert.rejects(child.call('encrypt', 'sync', 'text'), refused);
        await assert.rejects(child.call('encryptAsync', 'async', 'text'), refused);
        if (readable) assert.equal(await child.call('decrypt', 'partition', record), 'before');
        else await assert.rejects(child.call('decryptAsync', 'partition', record), refused);
        assert.deepEqual(fs.readFileSync(db), bytes);

        fs.chmodSync(home, 0o755);
        // SQLite gives the -wal and -shm files that it makes the mode of the database
        for (const file of fs.readdirSync(home)) fs.chmodSync(join(home, file), 0o644);
        assert.equal(await child.call('decrypt', 'partition', record), 'before');
        await child.call('decrypt', 'sync', await child.call('encrypt', 'sync', 'text'));
        await child.call('decryptAsync', 'async', await child.call('encryptAsync', 'async', 'text'));
      });
    }
  });

  describe('a full disk', function () {
    this.timeout(60_000);
    before(function () {
      if (process.platform !== 'linux') this.skip();
    });

    it('(a small one, filled up): no new key, nothing half written, and room is enough to go on', async function () {
      const disk = fs.mkdtempSync(join(folder, 'disk-'));
      const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'none', disk], { encoding: 'utf8' });
      if (mounted.status !== 0) {
        console.log(
          `    skipped: can't mount: ${mounted.stderr?.trim() || mounted.error?.message}; the next test stays`,
        );
        this.skip();
      }
      try {
        const filler = join(disk, 'filler');
        const fill = () => {
          const file = fs.openSync(filler, 'w');
          assert.throws(() => {
            for (;;) fs.writeSync(file, Buffer.alloc(4096));
          }, /ENOSPC/);
          fs.closeSync(file);
        };
        const db = join(disk, 'keys.db');
        const factory = openFactory(db);
        fill();
        await fails(factory.getSession('partition'), 'encrypt', 'text', 'ERR_ASHERAH_METASTORE_FULL');
        fs.rmSync(filler);
        const record = factory.getSession('partition').encrypt('before');
        const before = await rows(db);

        fill();
        await fails(factory.getSession('x'.repeat(200_000)), 'encrypt', 'text', 'ERR_ASHERAH_METASTORE_FULL');
        assert.equal(factory.getSession('partition').decryptString(record), 'before');
        fs.rmSync(filler);
        assert.deepEqual(await rows(db), before);
        await works(factory, record);
        factory.close();
        await withSession(db, 'partition', (session) => assert.equal(session.decryptString(record), 'before'));
      } finally {
        execFileSync('umount', ['--lazy', disk]);
      }
    });

    it('(a limit on file sizes): no new key, nothing half written, and a higher limit is enough to go on', async () => {
      const db = newFile();
      const child = newChild();
      const limit = (bytes) => execFileSync('prlimit', ['--pid', String(child.pid), `--fsize=${bytes}:unlimited`]);
      await child.call('open', {
        ...{ serviceName: 'service', productId: 'product', kms: 'static', staticMasterKeyHex: masterKey },
        ...{ metastore: 'sqlite', connectionString: db },
      });
      const record = await child.call('encrypt', 'partition', 'before');
      const before = await rows(db);
      limit(1024);
      await assert.rejects(child.call('encrypt', 'sync', 'text'), has('ERR_ASHERAH_METASTORE_FULL'));
      await assert.rejects(child.call('encryptAsync', 'async', 'text'), has('ERR_ASHERAH_METASTORE_FULL'));
      assert.equal(await child.call('decrypt', 'partition', record), 'before');
      assert.deepEqual(await rows(db), before);
      limit('unlimited');
      for (const partition of ['sync', 'async']) {
        await child.call('decrypt', partition, await child.call('encrypt', partition, 'text'));
      }
    });
  });
});
