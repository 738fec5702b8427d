// SPDX-License-Identifier: Apache-2.0
// The fear: key material outside locked memory. This process knows the master key, so it can work out every true key from the
// rows and records, and looks for them in all the memory of a second process that does calls.
const assert = require('node:assert');
const { fork } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const initSqlJs = require('sql.js');
const { SessionFactory } = require('asherah-napi');
const { isInSignalFrame, isLeftOutOfDumps, isLocked, scan } = require('./key-memory/memory.js');
const { expand, Needles, open } = require('./key-memory/needles.js');

const STRESS = process.env.ASHERAH_STRESS === '1';
const SAMPLES = STRESS ? 1000 : 100;
const CALLS = STRESS ? 100 : 20;
const FRESH_EVERY = 5; // rounds between new partitions, whose keys are generated rather than loaded
const REMEMBERED = 10; // rounds whose data row keys are looked for in each sample; at the end all are

describe('key memory', function () {
  this.timeout(STRESS ? 3_600_000 : 180_000);

  const masterKey = randomBytes(32);
  let folder;
  let target;
  let rows; // key id and created date -> true key
  const dataRowKeys = []; // one array per round
  let config;

  before(async function () {
    const reason = await whyNot();
    if (reason) {
      assert.ok(!process.env.CI, `must not be skipped in CI: ${reason}`);
      console.log(`      skipped: ${reason}`);
      this.skip();
    }
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'asherah-memory-'));
    config = {
      serviceName: 'memory',
      productId: 'test',
      kms: 'static',
      staticMasterKeyHex: masterKey.toString('hex'),
      metastore: 'sqlite',
      connectionString: path.join(folder, 'keys.sqlite'),
      // Smaller than the number of partitions, so that keys come and go.
      intermediateKeyCacheMaxSize: 20,
      sessionCacheMaxSize: 10,
      lockedMemory: 'require',
    };
    target = fork(path.join(__dirname, 'key-memory', 'target.js'), { execArgv: [] });
  });

  after(async () => {
    if (target?.exitCode === null) {
      target.kill();
      await new Promise((resolve) => target.once('exit', resolve));
    }
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
  });

  const tell = (action, argument = {}) =>
    new Promise((resolve, reject) => {
      const died = (code, signal) => reject(new Error(`the target ended with ${signal ?? code}`));
      target.once('exit', died);
      target.once('message', ({ result, error }) => {
        target.off('exit', died);
        if (error) reject(new Error(`in the target: ${error}`));
        else resolve(result);
      });
      target.send({ action, ...argument });
    });

  /** Works out the true system and intermediate keys from the SQLite file, of which a copy is read. */
  async function loadRows(record) {
    const copy = path.join(folder, 'copy.sqlite');
    for (const suffix of ['', '-wal']) {
      const from = config.connectionString + suffix;
      if (fs.existsSync(from)) fs.copyFileSync(from, copy + suffix);
    }
    // Whoever closes a SQLite file last folds its write-ahead log into it, which sql.js cannot read.
    const factory = new SessionFactory({ ...config, connectionString: copy });
    const partition = /"KeyId":"_IK_(.*)_memory_test"/.exec(record)[1];
    factory.getSession(partition).decrypt(record);
    factory.close();

    const { Database } = await initSqlJs();
    const database = new Database(fs.readFileSync(copy));
    const [{ values }] = database.exec('SELECT id, key_record FROM encryption_key');
    database.close();
    for (const suffix of ['', '-wal', '-shm']) fs.rmSync(copy + suffix, { force: true });

    const parsed = values.map(([id, text]) => ({ id, ...JSON.parse(text) }));
    rows = new Map();
    for (const row of parsed.filter((row) => row.ParentKeyMeta === undefined)) {
      rows.set(`${row.id} ${row.Created}`, open(masterKey, Buffer.from(row.Key, 'base64')));
    }
    for (const row of parsed.filter((row) => row.ParentKeyMeta !== undefined)) {
      rows.set(`${row.id} ${row.Created}`, open(parentOf(row), Buffer.from(row.Key, 'base64')));
    }
  }

  const parentOf = ({ ParentKeyMeta: { KeyId, Created } }) => {
    const key = rows.get(`${KeyId} ${Created}`);
    assert.ok(key, `no row of ${KeyId}, ${Created}`);
    return key;
  };

  const dataRowKeyOf = (record) => {
    const { Key } = JSON.parse(record);
    return open(parentOf(Key), Buffer.from(Key.Key, 'base64'));
  };

  async function calls(round) {
    const fresh = round % FRESH_EVERY === 0;
    const records = await tell('calls', { round, count: CALLS, fresh });
    if (fresh || rows === undefined || records.some((record) => !hasRow(record))) await loadRows(records[0]);
    dataRowKeys.push(records.map(dataRowKeyOf));
  }

  const hasRow = (record) => {
    const { KeyId, Created } = JSON.parse(record).Key.ParentKeyMeta;
    return rows.has(`${KeyId} ${Created}`);
  };

  const needles = (rounds) => {
    const named = [{ name: 'static master key', key: masterKey }];
    for (const [id, key] of rows) named.push({ name: id.startsWith('_SK_') ? 'system key' : 'intermediate key', key });
    for (const key of dataRowKeys.slice(-rounds).flat()) named.push({ name: 'data row key', key });
    return new Needles(named);
  };

  /** Never the bytes: what was found, how often, and in which mapping. */
  const describeHits = (hits) => {
    const counts = new Map();
    for (const { what, mapping, address } of hits) {
      const where = isInSignalFrame(target.pid, address) ? 'the registers saved for a signal, in ' : '';
      const line = `${what} in ${where}${mapping.mode} ${mapping.name} (${mapping.flags.join(' ')})`;
      counts.set(line, (counts.get(line) ?? 0) + 1);
    }
    return [...counts].map(([line, count]) => `${count} x ${line}`).join('\n');
  };

  const look = (searched) => {
    const found = scan(target.pid, searched);
    // A few kB that cannot be read would be a place to hide in.
    assert.deepStrictEqual(
      found.unread.map(({ mapping, error }) => `${mapping.name} ${error.code}`),
      [],
    );
    return found;
  };

  it('knows what an expanded key looks like (FIPS 197, appendix A.3)', () => {
    const key = Buffer.from('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4', 'hex');
    const schedule = expand(key).toString('hex');
    assert.ok(schedule.startsWith(`${key.toString('hex')}9ba354118e6925afa51a8b5f2067fcde`));
    assert.ok(schedule.endsWith('fe4890d1e6188d0b046df344706c631e'));
  });

  it('finds a key that was left on purpose, in each form and at any alignment', async () => {
    await tell('open', { config });
    await calls(0);
    const searched = needles(REMEMBERED);
    const system = [...rows].find(([id]) => id.startsWith('_SK_'))[1];
    const intermediate = [...rows].find(([id]) => id.startsWith('_IK_'))[1];
    const careless = [
      ['system key', system],
      ['intermediate key', intermediate],
      ['data row key', dataRowKeys[0][3]],
      ['static master key', masterKey],
      ['intermediate key', expand(intermediate).subarray(32)],
      ['data row key', Buffer.from(expand(dataRowKeys[0][5])).swap32().subarray(100)],
    ];
    for (const [index, [name, bytes]] of careless.entries()) {
      const mask = randomBytes(bytes.length);
      const masked = Buffer.from(bytes.map((byte, i) => byte ^ mask[i]));
      // Lengths from 64 to 9000 lie in Node's buffer pool, in small and in large blocks of the C heap.
      const offset = [3, 64, 9001, 100_002, 7, 5][index];
      const outside = () => look(searched).hits.filter(({ mapping }) => !isLocked(mapping));
      assert.strictEqual(describeHits(outside()), '', 'before');
      await tell('hold', { masked: masked.toString('base64'), mask: mask.toString('base64'), offset });
      const hits = outside();
      assert.ok(hits.length > 0, `${name} was not found`);
      assert.ok(
        hits.every(({ what }) => what.startsWith(name)),
        describeHits(hits),
      );
      await tell('drop');
      assert.strictEqual(describeHits(outside()), '', 'after it was wiped');
    }
  });

  it(`finds none outside locked memory in ${SAMPLES} samples under load`, async () => {
    let bytes = 0;
    let locked = 0;
    const began = performance.now();
    for (let round = 1; round <= SAMPLES; round++) {
      await calls(round);
      const found = look(needles(REMEMBERED));
      bytes += found.bytes;
      const outside = found.hits.filter(({ mapping }) => !isLocked(mapping));
      assert.strictEqual(describeHits(outside), '', `sample ${round}: key material outside locked memory`);
      const dumped = found.hits.filter(({ mapping }) => !isLeftOutOfDumps(mapping));
      assert.strictEqual(describeHits(dumped), '', `sample ${round}: key material that a core dump would show`);
      locked += found.hits.length;
    }
    // The keys in use are there, in the form that is searched for: otherwise all of this would prove nothing.
    assert.ok(locked > 0, 'no key was found in locked memory either');
    const time = ((performance.now() - began) / 1000).toFixed(1);
    console.log(
      `      ${SAMPLES} samples, ${(bytes / SAMPLES / 2 ** 20).toFixed(0)} MiB each, ${rows.size} key rows, ${time} s`,
    );
  });

  it('finds none anywhere after close', async () => {
    await tell('close');
    const all = needles(Infinity);
    assert.strictEqual(describeHits(look(all).hits), '');
  });

  /** Why this machine cannot show it, or undefined. */
  async function whyNot() {
    if (process.platform !== 'linux') return `needs /proc of Linux, this is ${process.platform}`;
    try {
      const probe = { serviceName: 's', productId: 'p', kms: 'static', metastore: 'test-debug-memory' };
      new SessionFactory({ ...probe, staticMasterKeyHex: masterKey.toString('hex'), lockedMemory: 'require' }).close();
    } catch (error) {
      if (error.code !== 'ERR_ASHERAH_LOCKED_MEMORY') throw error;
      return `memory cannot be locked here (ulimit -l): ${error.message}`;
    }
    const { keyExpansion } = JSON.parse(require('node-gyp-build')(path.join(__dirname, '..')).stats(0));
    if (keyExpansion === 'plain')
      return 'built with the plain constructors, which docs/security.md lists as an exception';
    const child = fork(path.join(__dirname, 'key-memory', 'target.js'), { execArgv: [] });
    try {
      await new Promise((resolve) => child.once('spawn', resolve));
      fs.closeSync(fs.openSync(`/proc/${child.pid}/mem`, 'r'));
    } catch (error) {
      return `may not read the memory of a child process (${error.code}); needs root or the same user`;
    } finally {
      child.kill();
    }
  }
});
