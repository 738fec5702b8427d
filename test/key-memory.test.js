// SPDX-License-Identifier: Apache-2.0
// The fear: key material outside locked memory. This process knows the master key, so it can work out every true key from the
// rows and records, and looks for them in all the memory of a second process that does calls.
const assert = require('node:assert');
const { randomBytes } = require('node:crypto');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { SessionFactory } = require('asherah-napi');
const { isInSignalFrame, isLeftOutOfDumps, isLocked, scan } = require('./key-memory/memory.js');
const { expand, Needles } = require('./key-memory/needles.js');
const { start } = require('./key-memory/start.js');
const { TrueKeys } = require('./key-memory/true-keys.js');

const STRESS = process.env.ASHERAH_STRESS === '1';
const SAMPLES = STRESS ? 1000 : 100;
const CALLS = STRESS ? 40 : 20;
const DUMPS = STRESS ? 40 : 5;
const FRESH_EVERY = 5; // rounds between new partitions, whose keys are generated rather than loaded
const REMEMBERED = 10; // rounds whose data row keys are looked for in each sample; at the end all are

describe('key memory', function () {
  this.timeout(STRESS ? 3_600_000 : 180_000);

  const masterKey = randomBytes(32);
  let folder;
  let config;
  let target;
  let keys;

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
    target = start();
    keys = new TrueKeys(masterKey, config);
  });

  after(async () => {
    await target?.end('SIGTERM');
    if (folder) fs.rmSync(folder, { recursive: true, force: true });
  });

  const calls = async (round) => {
    await keys.addRound(await target.tell('calls', { round, count: CALLS, fresh: round % FRESH_EVERY === 0 }));
  };

  const look = (needles) => {
    const found = scan(target.pid, needles);
    const unread = found.unread.map(({ mapping, error }) => `${mapping.name} ${error.code}`);
    assert.deepStrictEqual(unread, [], 'memory that could not be read');
    return found;
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

  it('knows what an expanded key looks like (FIPS 197, appendix A.3)', () => {
    const key = Buffer.from('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4', 'hex');
    const schedule = expand(key).toString('hex');
    assert.ok(schedule.startsWith(`${key.toString('hex')}9ba354118e6925afa51a8b5f2067fcde`));
    assert.ok(schedule.endsWith('fe4890d1e6188d0b046df344706c631e'));
  });

  it('finds a key that was left on purpose, in each form and at any alignment', async () => {
    await target.tell('open', { config });
    await calls(0);
    const named = keys.named();
    const needles = new Needles(named);
    const keyOf = (name) => named.find((candidate) => candidate.name === name).key;
    // Offsets into a buffer of that size and more: Node's pool, small and large blocks of the C heap.
    const careless = [
      ['system key', (key) => key, 3],
      ['intermediate key', (key) => key, 64],
      ['data row key', (key) => key, 9001],
      ['static master key', (key) => key, 100_002],
      ['intermediate key', (key) => expand(key).subarray(32), 7],
      ['data row key', (key) => Buffer.from(expand(key)).swap32().subarray(100), 5],
    ];
    for (const [name, form, offset] of careless) {
      const outside = () => look(needles).hits.filter(({ mapping }) => !isLocked(mapping));
      const bytes = form(keyOf(name));
      const mask = randomBytes(bytes.length);
      const masked = Buffer.from(bytes.map((byte, i) => byte ^ mask[i]));
      assert.strictEqual(describeHits(outside()), '', 'before');
      await target.tell('hold', { masked: masked.toString('base64'), mask: mask.toString('base64'), offset });
      const hits = outside();
      assert.ok(hits.length > 0, `${name} was not found`);
      assert.ok(
        hits.every(({ what }) => what.startsWith(name)),
        describeHits(hits),
      );
      await target.tell('drop');
      assert.strictEqual(describeHits(outside()), '', 'after it was wiped');
    }
  });

  it(`finds none outside locked memory in ${SAMPLES} samples under load`, async () => {
    let bytes = 0;
    let locked = 0;
    const began = performance.now();
    for (let round = 1; round <= SAMPLES; round++) {
      await calls(round);
      const found = look(new Needles(keys.named(REMEMBERED)));
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
    const size = (bytes / SAMPLES / 2 ** 20).toFixed(0);
    console.log(`      ${SAMPLES} samples of ${size} MiB, ${keys.rowCount} key rows, ${time} s`);
  });

  it('finds none anywhere after close', async () => {
    await target.tell('close');
    assert.strictEqual(describeHits(look(new Needles(keys.named())).hits), '');
  });

  // Several, because a dump also holds what each thread has in its registers at that moment.
  it(`finds none in ${DUMPS} core dumps, but the configured string`, async function () {
    for (let count = 1; count <= DUMPS; count++) {
      const dumping = start({ cwd: folder, shell: 'ulimit -c unlimited' });
      const dumpedKeys = new TrueKeys(masterKey, config);
      await dumping.tell('open', { config });
      await dumpedKeys.addRound(await dumping.tell('calls', { round: count, count: CALLS, fresh: false }));
      assert.strictEqual(await dumping.end('SIGABRT'), 'SIGABRT');
      const core = fs.readdirSync(folder).find((name) => name.startsWith('core'));
      if (!core) {
        console.log('      skipped: core dumps are written elsewhere or not at all (/proc/sys/kernel/core_pattern)');
        this.skip();
      }
      const dump = fs.readFileSync(path.join(folder, core));
      fs.rmSync(path.join(folder, core));
      const aligned = Buffer.allocUnsafeSlow(dump.length & ~7);
      dump.copy(aligned);
      const hits = new Needles(dumpedKeys.named()).find(aligned, aligned.length);
      const found = [...new Set(hits.map(({ what }) => what))];
      assert.deepStrictEqual(found, [], `dump ${count}: key material, in memory or in the registers of a thread`);
      // The exception that docs/security.md names; and so the search would have found something.
      assert.ok(dump.includes(config.staticMasterKeyHex), 'the dump is not what it is taken for');
    }
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
    if (keyExpansion === 'plain') return 'built with the plain constructors, an exception that docs/security.md names';
    const probe = start();
    try {
      fs.closeSync(fs.openSync(`/proc/${probe.pid}/mem`, 'r'));
    } catch (error) {
      return `may not read the memory of a child process (${error.code}); needs root or the same user`;
    } finally {
      await probe.end('SIGKILL');
    }
  }
});
