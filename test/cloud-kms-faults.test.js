// SPDX-License-Identifier: Apache-2.0

// The fear: a region of AWS KMS that is down, slow or silent takes the service with it, or leaves keys behind that are lost
// while the other one is away.

const assert = require('node:assert/strict');
const { setTimeout: sleep } = require('node:timers/promises');
const { fullMinute, kmsEnvelope, makeRecord } = require('./support/hand-made.js');
const { KmsStore, names } = require('./support/kms-store.js');
const services = require('./support/services.js');
const { has } = require('./support/store.js');

const SLACK = 3000; // ms, for a busy machine

describe('AWS KMS that fails', function () {
  this.timeout(60_000);
  services.need('kms', 'postgres', 'toxiproxy');

  let store;
  let first;
  let second;
  const proxies = {};
  before(async () => {
    store = await KmsStore.create();
    [first, second] = store.regions;
    for (const region of store.regions) proxies[region] = await services.Toxiproxy.create(store.endpoints[region]);
  });
  afterEach(async () => {
    for (const proxy of Object.values(proxies)) {
      await proxy.heal();
      await proxy.up();
    }
    await store?.reset();
  });

  const FAULTS = {
    refuses: (proxy) => proxy.down(),
    // Requests vanish: moto closes a connection after its answer, which would end the wait if that vanished
    hangs: (proxy) => proxy.toxic('timeout', { timeout: 0 }, 'upstream'),
    'resets connections': (proxy) => proxy.toxic('reset_peer', { timeout: 0 }),
    'is cut off in the middle of its answers': (proxy) => proxy.toxic('limit_data', { bytes: 200 }),
    'accepts and closes after a while': (proxy) => proxy.toxic('timeout', { timeout: 300 }, 'upstream'),
  };
  const mend = async (region) => {
    await proxies[region].heal();
    await proxies[region].up();
  };

  /** A factory through the proxies, and its warnings. */
  function faulty(options) {
    const warnings = [];
    const factory = store.factory({
      kmsEndpoint: Object.fromEntries(store.regions.map((region) => [region, proxies[region].endpoint])),
      onWarning: (warning) => warnings.push(warning),
      ...options,
    });
    return { factory, warnings, session: factory.getSession('partition') };
  }

  async function timed(call) {
    const began = performance.now();
    const value = await call();
    return { value, ms: performance.now() - began };
  }

  /** Records under as many system keys, so that each costs a request to AWS KMS. */
  async function manyKeys(count, regionMap = store.regionMap) {
    const of = { service: names.serviceName, product: names.productId, partition: 'partition', regionMap };
    const made = [];
    const now = fullMinute();
    for (let i = 0; i < count; i++) made.push(await makeRecord(`text ${i}`, { ...of, created: now - 60 * i }));
    for (const { rows } of made) await store.insert(rows);
    return made.map(({ record }) => record);
  }

  describe('in the preferred region', () => {
    for (const [fault, begin] of Object.entries(FAULTS)) {
      it(`that ${fault}: the first call is late by one region timeout at most, later ones not at all`, async () => {
        const records = await manyKeys(21);
        await begin(proxies[first]);
        const { session, warnings } = faulty();
        const cold = await timed(() => session.decryptStringAsync(records[0]));
        assert.equal(cold.value, 'text 0');
        assert.ok(cold.ms < 1000 + SLACK, `the first call took ${cold.ms} ms`);
        const later = await timed(async () => {
          for (let i = 1; i <= 20; i++) {
            const text = i % 2 ? session.decryptString(records[i]) : await session.decryptStringAsync(records[i]);
            assert.equal(text, `text ${i}`);
          }
        });
        assert.ok(later.ms < SLACK, `20 later calls took ${later.ms} ms: each waited for the region`);
        assert.deepEqual(
          warnings.map(({ code }) => code),
          ['WARN_ASHERAH_KMS_REGION_FAILED'],
        );
        assert.ok(warnings[0].message.includes(first), warnings[0].message);
      });

      it(`that ${fault}: a new system key takes a synchronous call no longer than two region timeouts`, async () => {
        await begin(proxies[first]);
        const { session } = faulty();
        const { ms, value } = await timed(() => session.encrypt('text'));
        assert.ok(ms < 2000 + SLACK, `it took ${ms} ms`);
        assert.equal(session.decryptString(value), 'text');
      });
    }

    it('that is slow, but within the region timeout: no other is asked and nothing is warned of', async () => {
      const [record] = await manyKeys(1);
      await proxies[first].toxic('latency', { latency: 300 });
      await proxies[second].down();
      const { session, warnings } = faulty({ kmsRegionTimeout: 5 });
      assert.equal(await session.decryptStringAsync(record), 'text 0');
      assert.deepEqual(warnings, []);
    });

    it('that is late while the other is away: the late answer counts', async () => {
      const [record] = await manyKeys(1);
      await proxies[first].toxic('latency', { latency: 1200 });
      await proxies[second].down();
      const { session } = faulty({ kmsRegionTimeout: 0.5 });
      assert.equal(session.decryptString(record), 'text 0');
    });
  });

  describe('in all regions', () => {
    const TIMEOUT = 800; // ms
    const fails = (error) => {
      assert.ok(has('ERR_ASHERAH_KMS')(error), String(error));
      for (const region of store.regions) assert.ok(error.message.includes(`kms ${region}: `), error.message);
      assert.ok(error.cause instanceof Error, 'it carries its cause');
      return true;
    };

    for (const [fault, begin] of Object.entries(FAULTS)) {
      it(`each of which ${fault}: cold calls fail in time, and work again without a restart`, async () => {
        const [record] = await manyKeys(1);
        for (const proxy of Object.values(proxies)) await begin(proxy);
        const { session } = faulty({ requestTimeout: TIMEOUT / 1000 });
        for (const call of [
          () => session.decrypt(record),
          () => session.encrypt('text'),
          () => session.decryptAsync(record),
          () => session.encryptAsync('text'),
        ]) {
          const { ms } = await timed(() => assert.rejects(async () => call(), fails));
          assert.ok(ms < TIMEOUT + SLACK, `it took ${ms} ms`);
        }
        const fifty = await timed(() =>
          Promise.allSettled(Array.from({ length: 50 }, () => session.decryptAsync(record))),
        );
        for (const { reason } of fifty.value) fails(reason);
        assert.ok(fifty.ms < TIMEOUT + SLACK, `50 calls at once took ${fifty.ms} ms`);

        for (const region of store.regions) await mend(region);
        assert.equal(session.decryptString(record), 'text 0');
        assert.equal(await session.decryptStringAsync(await session.encryptAsync('again')), 'again');
      });
    }

    for (const fault of ['refuses', 'hangs']) {
      it(`each of which ${fault}: warm sessions, and new ones under a warm system key, don't notice`, async () => {
        const { factory, session, warnings } = faulty({ checkInterval: 1 });
        const record = await session.encryptAsync('warm');
        for (const proxy of Object.values(proxies)) await FAULTS[fault](proxy);
        // each time later than twice the check interval, when keys have to be read again
        for (let i = 0; i < 2; i++) {
          await sleep(2100);
          assert.equal(session.decryptString(record), 'warm');
          assert.equal(await session.decryptStringAsync(await session.encryptAsync('still')), 'still');
          const other = factory.getSession(`a new partition ${i}`);
          assert.equal(other.decryptString(await other.encryptAsync('other')), 'other');
        }
        assert.deepEqual(warnings, []);
      });
    }

    it('that hang: asynchronous calls leave the event loop and the pool of libuv alone, and close() ends them', async () => {
      const { promisify } = require('node:util');
      const pbkdf2 = promisify(require('node:crypto').pbkdf2);
      for (const proxy of Object.values(proxies)) await FAULTS.hangs(proxy);
      const { factory } = faulty({ requestTimeout: 30, kmsRegionTimeout: 10 });
      const calls = Array.from({ length: 50 }, (_, i) => factory.getSession(`cold ${i}`).encryptAsync('text'));
      const settled = Promise.allSettled(calls);
      let turns = 0;
      const loop = setInterval(() => turns++, 10);
      const pool = await timed(() =>
        Promise.all(Array.from({ length: 8 }, () => pbkdf2('a', 'b', 1000, 32, 'sha256'))),
      );
      await sleep(500);
      clearInterval(loop);
      assert.ok(turns >= 10, `the event loop turned ${turns} times`);
      assert.ok(pool.ms < SLACK, `work in the pool took ${pool.ms} ms`);
      const closing = await timed(() => {
        factory.close();
        return settled;
      });
      assert.ok(closing.ms < SLACK, `calls ended ${closing.ms} ms after close()`);
      for (const { reason } of closing.value) assert.equal(reason?.code, 'ERR_ASHERAH_CLOSED');
    });
  });

  describe('while a system key is made', () => {
    const keksOf = ({ record }) => kmsEnvelope(record.Key).kmsKeks.map(({ region }) => region);

    for (const down of [0, 1]) {
      it(`in region ${down + 1} of 2: the key is stored without it and a warning names it`, async () => {
        const [left, kept] = [store.regions[down], store.regions[1 - down]];
        await proxies[left].down();
        const { session, warnings } = faulty();
        const record = await session.encryptAsync('text');
        const [key] = await store.systemKeys();
        assert.deepEqual(keksOf(key), [kept]);
        const incomplete = warnings.filter(({ message }) => message.includes('is left out of a new system key'));
        assert.equal(incomplete.length, 1, JSON.stringify(warnings));
        assert.equal(incomplete[0].code, 'WARN_ASHERAH_KMS_REGION_FAILED');
        assert.ok(incomplete[0].message.includes(left), incomplete[0].message);

        // what the warning is about
        await mend(left);
        await proxies[kept].down();
        await assert.rejects(faulty().session.decryptAsync(record), has('ERR_ASHERAH_KMS'));
      });
    }

    it('with requireAllRegions: an error, nothing stored, and it works once the region answers', async () => {
      await proxies[second].down();
      const { session } = faulty({ requireAllRegions: true });
      const named = (error) =>
        has('ERR_ASHERAH_KMS')(error) && error.message.includes(second) && error.cause instanceof Error;
      assert.throws(() => session.encrypt('text'), named);
      await assert.rejects(session.encryptAsync('text'), named);
      assert.deepEqual(await store.rows(), []);
      await mend(second);
      assert.equal(session.decryptString(await session.encryptAsync('text')), 'text');
      assert.deepEqual(keksOf((await store.systemKeys())[0]), [first, second]);
    });

    it('and is then an hour old: replaced once, by one key of all regions, as soon as the missing one answers', async () => {
      // What a process left behind an hour and a half ago that could not reach the second region
      const created = fullMinute() - 5400;
      const of = { service: names.serviceName, product: names.productId, partition: 'partition', created };
      const { record, rows } = await makeRecord('old', { ...of, regionMap: { [first]: store.regionMap[first] } });
      await store.insert(rows);

      await proxies[second].down();
      const processes = [1, 2, 3].map(() => faulty({ checkInterval: 1 }));
      const encryptAll = () => Promise.all(processes.map(({ session }) => session.encryptAsync('text')));
      const usedKey = (text) => JSON.parse(text).Key.ParentKeyMeta.Created;
      for (let i = 0; i < 2; i++) {
        for (const text of await encryptAll()) assert.equal(usedKey(text), created, 'it goes on in use');
        await sleep(1100);
      }
      assert.equal((await store.systemKeys()).length, 1, 'nothing is stored that would be incomplete again');

      await mend(second);
      const deadline = Date.now() + 20_000;
      let texts;
      do {
        await sleep(300);
        texts = await encryptAll();
      } while (texts.some((text) => usedKey(text) === created) && Date.now() < deadline);
      const keys = await store.systemKeys();
      assert.deepEqual(keys.map(keksOf), [[first], [first, second]]);
      assert.ok(
        texts.every((text) => usedKey(text) > created),
        'all of them follow',
      );
      for (const { session } of processes) {
        assert.equal(session.decryptString(record), 'old');
        assert.equal(session.decryptString(texts[0]), 'text');
      }
      await proxies[first].down();
      assert.equal(await faulty().session.decryptStringAsync(texts[1]), 'text');
    });
  });
});
