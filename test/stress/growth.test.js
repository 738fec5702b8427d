// SPDX-License-Identifier: Apache-2.0

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join, resolve } = require('node:path');

const full = process.env.ASHERAH_STRESS === '1';
const MB = 1_000_000;

// In full these are the caches' defaults. Every call meets a partition that has left them: the worst case there is.
const scale = full
  ? { calls: 1_000_000, partitions: 100_000, parts: 100, intermediateKeys: 1000, sessions: 1000 }
  : { calls: 50_000, partitions: 5_000, parts: 5, intermediateKeys: 100, sessions: 100 };

describe('many more partitions than the caches hold', function () {
  this.timeout(full ? 0 : 120_000);
  const dir = mkdtempSync(join(tmpdir(), 'asherah-growth-'));
  after(() => rmSync(dir, { recursive: true, force: true }));

  it('neither fill the memory nor overfill a cache', () => {
    const options = {
      serviceName: 'service',
      productId: 'product',
      kms: 'static',
      staticMasterKeyHex: '42'.repeat(32),
      metastore: 'sqlite',
      connectionString: join(dir, 'keys.db'),
      intermediateKeyCacheMaxSize: scale.intermediateKeys,
      sessionCacheMaxSize: scale.sessions,
    };
    const request = JSON.stringify({ ...scale, options });
    // V8 lets the young part of its heap grow to some 40 MB in any program that keeps making objects, garbage or not. Held
    // small, it does not drown what is looked for.
    const flags = ['--expose-gc', '--max-semi-space-size=1'];
    const child = spawnSync(process.execPath, [...flags, resolve(__dirname, '../fixtures/growth.js'), request], {
      encoding: 'utf8',
    });
    assert.equal(child.status, 0, child.stderr);
    const { samples, decrypted, after } = JSON.parse(child.stdout);
    const [first] = samples;
    const last = samples.at(-1);
    if (full) {
      for (const { calls, microsecondsPerCall, rss, intermediateKeys, sessions } of samples.filter(
        (_, i) => i % 10 === 9 || i === 0,
      )) {
        console.log(
          `      ${calls} calls: ${microsecondsPerCall} us a call, ${(rss / MB).toFixed(1)} MB resident, ${intermediateKeys} intermediate keys, ${sessions} sessions`,
        );
      }
    }

    assert.equal(samples.length, scale.parts);
    assert.equal(last.calls, scale.calls);
    assert.equal(last.keysStored, scale.partitions + 1, 'one intermediate key for each partition and one system key');
    assert.equal(decrypted, scale.parts);
    for (const { calls, intermediateKeys, systemKeys, sessions, process: counts } of samples) {
      const when = `after ${calls} calls`;
      assert.equal(intermediateKeys, scale.intermediateKeys, `${when}: the cache is full, and no fuller`);
      assert.equal(systemKeys, 1, when);
      assert.ok(sessions > 0 && sessions <= scale.sessions, `${when}: ${sessions} sessions`);
      // The cached keys, the KMS's, and a few that calls work with. A key that a session alone still held would show here.
      const slots = intermediateKeys + systemKeys + 1;
      assert.ok(counts.keySlots >= slots && counts.keySlots <= slots + 16, `${when}: ${counts.keySlots} key slots`);
    }
    assert.ok(last.evicted >= scale.calls - 2 * scale.partitions, `${last.evicted} keys left the cache`);
    const grown = (last.rss - first.rss) / MB;
    assert.ok(grown < 10, `${grown.toFixed(1)} MB more than after ${first.calls} calls`);
    assert.deepEqual([after.factories, after.sessions], [0, 0], 'closed with the factory');
  });
});
