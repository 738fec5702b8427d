// SPDX-License-Identifier: Apache-2.0

// The fear: a store that is locked, full, read-only or damaged makes a call hang, answer wrongly, or write half of
// something, or the process has to be restarted once the fault is gone.

const assert = require('node:assert/strict');
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { AsherahError } = require('asherah-napi');
const { startGo } = require('./support/peer.js');
const { RemoteSession } = require('./support/remote-session.js');
const { masterKey, openFactory, temporaryFolder, withSession } = require('./support/store.js');

const folder = temporaryFolder();
let go;
before(function () {
  this.timeout(600_000);
  go = startGo(); // here it is another program that holds locks and damages rows
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
const has = (code) => (error) => error instanceof AsherahError && error.code === code;

/** Sync and async calls must fail alike. */
async function fails(session, method, argument, code) {
  assert.throws(() => session[method](argument), has(code));
  await assert.rejects(session[`${method}Async`](argument), has(code));
}

/** What a healthy store does: two new partitions, and the record of before. */
async function works(factory, record, text = 'before') {
  const name = `fresh ${Math.random()}`;
  const sessions = [factory.getSession(`${name} sync`), factory.getSession(`${name} async`)];
  assert.equal(sessions[0].decryptString(sessions[0].encrypt('sync')), 'sync');
  assert.equal(await sessions[1].decryptStringAsync(await sessions[1].encryptAsync('async')), 'async');
  assert.equal(factory.getSession('partition').decryptString(record), text);
}

const recordIn = (db) => withSession(db, 'partition', (session) => session.encrypt('before'));

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
    for (const { reason } of await Promise.allSettled(calls)) assert.equal(reason?.code, 'ERR_ASHERAH_METASTORE_BUSY');
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
      console.log(`    skipped: can't mount: ${mounted.stderr?.trim() || mounted.error?.message}; the next test stays`);
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

describe('key rows that were damaged', function () {
  this.timeout(60_000);

  const edit = (change) => (text) => JSON.stringify(change(JSON.parse(text)));
  const key = (change) => edit((row) => ({ ...row, Key: change(Buffer.from(row.Key, 'base64')).toString('base64') }));
  const flipped = (bytes) => bytes.map((byte, i) => (i === 7 ? byte ^ 1 : byte));
  const invalid = 'ERR_ASHERAH_INVALID_KEY_RECORD';
  const kms = 'ERR_ASHERAH_KMS';

  for (const [kind, what, damage, code] of [
    ['IK', 'is not JSON', () => '{"Created":', invalid],
    ['IK', 'is empty', () => '', invalid],
    ['IK', 'is null', () => 'null', invalid],
    ['IK', 'is an array', (text) => `[${text}]`, invalid],
    ['IK', 'has bad base64', (text) => text.replace('"Key":"', '"Key":"*'), invalid],
    ['IK', 'has no key', edit(({ Key, ...rest }) => rest), invalid],
    ['IK', 'has a key that is too short', key((bytes) => bytes.subarray(1)), invalid],
    ['IK', 'has a key that is too long', key((bytes) => Buffer.concat([bytes, bytes])), invalid],
    ['IK', 'has a flipped bit', key(flipped), invalid],
    ['IK', 'has no ParentKeyMeta', edit(({ ParentKeyMeta, ...rest }) => rest), invalid],
    ['IK', 'has ParentKeyMeta null', edit((row) => ({ ...row, ParentKeyMeta: null })), invalid],
    [
      'IK',
      'names the system key of another service',
      edit((row) => ({ ...row, ParentKeyMeta: { ...row.ParentKeyMeta, KeyId: '_SK_other_product' } })),
      invalid,
    ],
    [
      'IK',
      'names a system key that is not there',
      edit((row) => ({ ...row, ParentKeyMeta: { ...row.ParentKeyMeta, Created: 60 } })),
      'ERR_ASHERAH_KEY_NOT_FOUND',
    ],
    ['SK', 'is not JSON', () => 'no', invalid],
    ['SK', 'has no key', edit(({ Key, ...rest }) => rest), kms],
    ['SK', 'has a key that is too short', key((bytes) => bytes.subarray(1)), kms],
    ['SK', 'has a flipped bit', key(flipped), kms],
  ]) {
    it(`${kind} ${what}: ${code}, and the row put right is enough to go on`, async () => {
      const db = newFile();
      const record = await recordIn(db);
      const before = await rows(db);
      const { id, key_record } = before.find((row) => row.id.startsWith(`_${kind}_`));
      const write = (text) => go.sql(db, 'UPDATE encryption_key SET key_record = ? WHERE id = ?', text, id);
      await write(damage(key_record));
      const damaged = await rows(db);
      const factory = openFactory(db);
      const session = factory.getSession('partition');
      await fails(session, 'decrypt', record, code);
      await fails(session, 'encrypt', 'text', code);
      assert.deepEqual(await rows(db), damaged, 'nothing is written');
      await write(key_record);
      await works(factory, record);
      factory.close();
    });
  }

  for (const kind of ['IK', 'SK']) {
    it(`${kind} that is gone: ERR_ASHERAH_KEY_NOT_FOUND, and nothing takes its place`, async () => {
      const db = newFile();
      const record = await recordIn(db);
      const { id, created, key_record } = (await rows(db)).find((row) => row.id.startsWith(`_${kind}_`));
      await go.sql(db, 'DELETE FROM encryption_key WHERE id = ?', id);
      const left = await rows(db);
      const factory = openFactory(db);
      await fails(factory.getSession('partition'), 'decrypt', record, 'ERR_ASHERAH_KEY_NOT_FOUND');
      assert.deepEqual(await rows(db), left);
      await go.sql(db, 'INSERT INTO encryption_key VALUES (?, ?, ?)', id, created, key_record);
      await works(factory, record);
      factory.close();
    });
  }

  it('a created column that its record contradicts: nothing is encrypted that could not be found again', async () => {
    const db = newFile();
    const record = await recordIn(db);
    const [{ created }] = await rows(db);
    await go.sql(db, `UPDATE encryption_key SET created = created || ' +0000 UTC'`);
    const factory = openFactory(db);
    await fails(factory.getSession('partition'), 'encrypt', 'text', invalid);
    await fails(factory.getSession('partition'), 'decrypt', record, 'ERR_ASHERAH_KEY_NOT_FOUND');
    await go.sql(db, `UPDATE encryption_key SET created = ?`, created);
    await works(factory, record);
    factory.close();
  });

  it('an intermediate key from the future is used, and found again', async () => {
    const db = newFile();
    const record = JSON.parse(await recordIn(db));
    const meta = record.Key.ParentKeyMeta;
    meta.Created += 10 * 24 * 3600;
    await go.sql(
      db,
      `UPDATE encryption_key SET created = datetime(?, 'unixepoch'), key_record = json_set(key_record, '$.Created', CAST(? AS INTEGER))
       WHERE id LIKE '\\_IK%' ESCAPE '\\'`,
      meta.Created,
      meta.Created,
    );
    await withSession(db, 'partition', async (session) => {
      assert.equal(session.decryptString(JSON.stringify(record)), 'before');
      assert.deepEqual(JSON.parse(session.encrypt('text')).Key.ParentKeyMeta, meta);
      assert.equal((await rows(db)).length, 2);
    });
  });
});

describe('a file that is not ours', function () {
  this.timeout(60_000);
  const code = 'ERR_ASHERAH_METASTORE';

  it('a table of this name made by something else is left alone', async () => {
    const db = newFile();
    await go.sql(db, 'CREATE TABLE encryption_key (id TEXT, created TEXT)');
    const factory = openFactory(db);
    await fails(factory.getSession('partition'), 'encrypt', 'text', code);
    assert.deepEqual(await go.sql(db, 'SELECT * FROM encryption_key'), []);
    await go.sql(db, 'DROP TABLE encryption_key');
    await works(factory, factory.getSession('partition').encrypt('before'));
    factory.close();
  });

  it('a file that is no database is left alone', async () => {
    const db = newFile();
    const text = 'somebody’s letters\n'.repeat(500);
    fs.writeFileSync(db, text);
    const factory = openFactory(db);
    await fails(factory.getSession('partition'), 'encrypt', 'text', code);
    assert.equal(fs.readFileSync(db, 'utf8'), text);
    fs.rmSync(db);
    await works(factory, factory.getSession('partition').encrypt('before'));
    factory.close();
  });

  it('a folder that is missing is not made', async () => {
    const home = join(folder, 'missing');
    const factory = openFactory(join(home, 'keys.db'));
    await fails(factory.getSession('partition'), 'encrypt', 'text', code);
    assert.ok(!fs.existsSync(home));
    fs.mkdirSync(home);
    await works(factory, factory.getSession('partition').encrypt('before'));
    factory.close();
  });

  it('a mistyped path does not become a file by decrypting', async () => {
    const record = await recordIn(newFile());
    const db = newFile();
    await withSession(db, 'partition', (s) => fails(s, 'decrypt', record, 'ERR_ASHERAH_KEY_NOT_FOUND'));
    assert.ok(!fs.existsSync(db));
  });

  it('a file deleted under an open factory: new keys go to the file that others see', async () => {
    const db = newFile();
    const factory = openFactory(db);
    factory.getSession('partition').encrypt('lost with the file');
    for (const suffix of ['', '-wal', '-shm']) fs.rmSync(db + suffix, { force: true });
    const record = factory.getSession('another').encrypt('text');
    await withSession(db, 'another', async (session, other) => {
      // its system key went with the file: better said now than when the process ends
      const answer = await session.decryptStringAsync(record).catch((error) => error);
      if (answer !== 'text') assert.equal(answer.code, 'ERR_ASHERAH_KEY_NOT_FOUND');
      other.close();
    });
    factory.close();
  });
});
