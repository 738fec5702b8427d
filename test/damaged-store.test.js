// SPDX-License-Identifier: Apache-2.0

// The fear: a key row that was damaged, or a file that isn't ours, makes a wrong answer, a crash, or a record that nobody can
// read; or the process has to be restarted once the store is put right.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { join } = require('node:path');
const { startGo } = require('./support/peer.js');
const { fails, openFactory, recordIn, temporaryFolder, withSession, works } = require('./support/store.js');

describe('a store that is damaged', () => {
  const folder = temporaryFolder();
  let go;
  before(function () {
    this.timeout(600_000);
    go = startGo(); // here it is another program that damages rows
  });
  after(() => go?.stop());

  let files = 0;
  const newFile = () => join(folder, `keys-${++files}.db`);
  const rows = (db) =>
    go.sql(db, `SELECT id, created || '' AS created, key_record FROM encryption_key ORDER BY id, created`);

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

    for (const what of ['deleted', 'exchanged for another']) {
      it(`a file ${what} under an open factory: no record whose keys would be lost, and the right file is enough to go on`, async () => {
        const [db, other] = [newFile(), newFile()];
        await withSession(other, 'partition', (session) => session.encrypt('text'), { serviceName: 'other' });
        const record = await recordIn(db);
        const factory = openFactory(db);
        factory.getSession('third').encrypt('text'); // has the system key in memory from now on, as the one to use
        await go.sql(db, 'PRAGMA wal_checkpoint(TRUNCATE)');
        for (const suffix of ['', '-wal', '-shm']) {
          if (fs.existsSync(db + suffix)) fs.renameSync(db + suffix, `${db}.aside${suffix}`);
        }
        if (what !== 'deleted') fs.copyFileSync(other, db);
        // no other process would find the system key
        await fails(factory.getSession('another'), 'encrypt', 'text', 'ERR_ASHERAH_KEY_NOT_FOUND');
        assert.equal((await rows(db)).filter(({ id }) => id.includes('another')).length, 0);

        for (const suffix of ['', '-wal', '-shm']) {
          fs.rmSync(db + suffix, { force: true });
          if (fs.existsSync(`${db}.aside${suffix}`)) fs.renameSync(`${db}.aside${suffix}`, db + suffix);
        }
        await works(factory, record);
        const late = factory.getSession('another').encrypt('text');
        await withSession(db, 'another', (session) => assert.equal(session.decryptString(late), 'text'));
        factory.close();
      });
    }
  });
});
