// SPDX-License-Identifier: Apache-2.0

// The fear: a system key in AWS KMS that only this package can open, or that it can't open although AWS can; and a process
// that asks AWS KMS more often than it must, each request of which costs money and time.

const assert = require('node:assert/strict');
const { fullMinute, kmsEnvelope, makeRecord, openRecord } = require('./support/hand-made.js');
const { KmsStore, names } = require('./support/kms-store.js');
const { RecordingProxy } = require('./support/recording-proxy.js');
const services = require('./support/services.js');
const { has } = require('./support/store.js');

describe('AWS KMS', function () {
  this.timeout(60_000);
  services.need('kms', 'postgres');

  let store;
  before(async () => {
    store = await KmsStore.create();
  });
  afterEach(() => store?.reset());

  const handMade = (data, { partition = 'partition', regionMap = store.regionMap, created } = {}) =>
    makeRecord(data, { service: names.serviceName, product: names.productId, partition, regionMap, created });

  describe('the stored format', () => {
    it('opens with the AWS SDK and node:crypto down to the data, by each region alone', async () => {
      const session = store.factory().getSession('partition');
      const records = { sync: session.encrypt('sync'), async: await session.encryptAsync('async') };
      const rows = await store.rows();
      for (const region of store.regions) {
        for (const [text, record] of Object.entries(records)) {
          assert.equal(String(await openRecord(record, rows, region)), text);
        }
      }
    });

    it('has the preferred region first and the ARNs as configured', async () => {
      for (const preferredRegion of store.regions) {
        store.factory({ preferredRegion }).getSession('partition').encrypt('text');
        const [{ record }] = await store.systemKeys();
        const { kmsKeks } = kmsEnvelope(record.Key);
        const order = [preferredRegion, ...store.regions.filter((region) => region !== preferredRegion)];
        assert.deepEqual(
          kmsKeks.map(({ region, arn }) => [region, arn]),
          order.map((region) => [region, store.regionMap[region]]),
        );
        await store.clear();
      }
    });

    it('is read where the AWS SDK and node:crypto made it, regions and fields in any order', async () => {
      const reversed = Object.fromEntries(Object.entries(store.regionMap).reverse());
      const one = (region) => ({ [region]: store.regionMap[region] });
      const maps = [store.regionMap, reversed, ...store.regions.map(one)];
      const now = fullMinute();
      for (const [i, regionMap] of maps.entries()) {
        const { record, rows } = await handMade(`text ${i}`, { regionMap, created: now - 60 * i });
        await store.insert(rows);
        const session = store.factory().getSession('partition');
        assert.equal(session.decryptString(record), `text ${i}`);
        assert.equal(await session.decryptStringAsync(record), `text ${i}`);
      }
    });

    it('made elsewhere, its keys encrypt here too', async () => {
      const { rows } = await handMade('text');
      await store.insert(rows);
      const record = store.factory().getSession('partition').encrypt('ours');
      assert.equal((await store.rows()).length, rows.length, 'no new key was needed');
      assert.equal(String(await openRecord(record, rows, store.regions[0])), 'ours');
    });

    it('is the same for a single kmsKeyId, as ARN, id or alias, with the region of AWS_REGION where it names none', async () => {
      const [region] = store.regions;
      assert.equal(process.env.AWS_REGION, region, 'scripts/services.mjs sets it');
      const arn = store.regionMap[region];
      const id = arn.split('/').pop();
      const alias = `alias/asherah-${id}`;
      const { CreateAliasCommand } = require('@aws-sdk/client-kms');
      const client = services.kmsClient(region);
      await client.send(new CreateAliasCommand({ AliasName: alias, TargetKeyId: id }));
      client.destroy();
      const records = [];
      for (const kmsKeyId of [arn, id, alias]) {
        const single = { regionMap: undefined, preferredRegion: undefined, kmsEndpoint: store.endpoints[region] };
        const session = store.factory({ ...single, kmsKeyId }).getSession(kmsKeyId);
        records.push([kmsKeyId, session.encrypt(kmsKeyId)]);
        for (const [text, record] of records) {
          const reader = store.factory({ ...single, kmsKeyId }).getSession(text);
          assert.equal(reader.decryptString(record), text);
          assert.equal(String(await openRecord(record, await store.rows(), region)), text);
        }
      }
    });

    it('changed, fails as what it is: the KMS is asked, and nothing is guessed', async () => {
      const { record, rows } = await handMade('text');
      const change = async (key) => {
        await store.clear();
        const [system, intermediate] = rows;
        await store.insert([{ ...system, record: { ...system.record, Key: key } }, intermediate]);
        const session = store.factory({ onWarning() {} }).getSession('partition');
        const code = (error) => /^ERR_ASHERAH_(KMS|INVALID_KEY_RECORD)$/.test(error.code);
        assert.throws(() => session.decrypt(record), code);
        await assert.rejects(session.decryptAsync(record), code);
      };
      const { encryptedKey, kmsKeks } = kmsEnvelope(rows[0].record.Key);
      const flip = (text) => {
        const bytes = Buffer.from(text, 'base64');
        bytes[bytes.length >> 1] ^= 1;
        return bytes.toString('base64');
      };
      const write = (value) => Buffer.from(JSON.stringify(value)).toString('base64');
      await change(write({ encryptedKey: flip(encryptedKey), kmsKeks }));
      await change(
        write({ encryptedKey, kmsKeks: kmsKeks.map((k) => ({ ...k, encryptedKek: flip(k.encryptedKek) })) }),
      );
      await change(write({ encryptedKey, kmsKeks: [] }));
      await change(write({ encryptedKey, kmsKeks: kmsKeks.map((k) => ({ ...k, region: 'eu-west-1' })) }));
      await change(write({}));
      await change(Buffer.alloc(60).toString('base64'));
    });
  });

  describe('is asked as seldom as can be', () => {
    const proxies = {};
    before(async () => {
      for (const region of store.regions) proxies[region] = await RecordingProxy.create(store.endpoints[region]);
    });
    beforeEach(() => {
      for (const proxy of Object.values(proxies)) proxy.requests.length = 0;
    });
    after(() => {
      for (const proxy of Object.values(proxies)) proxy.close();
    });
    const recorded = (options) =>
      store.factory({
        kmsEndpoint: Object.fromEntries(store.regions.map((region) => [region, proxies[region].endpoint])),
        ...options,
      });
    const asked = () =>
      store.regions.map((region) => proxies[region].requests.map(({ operation }) => operation).join(' '));

    it('1,000 concurrent first calls for one partition: one data key, one row of each kind', async () => {
      const factory = recorded();
      const calls = Array.from({ length: 1000 }, (_, i) => factory.getSession('partition').encryptAsync(`text ${i}`));
      const records = await Promise.all(calls);
      assert.deepEqual(asked(), ['GenerateDataKey', 'Encrypt']);
      assert.deepEqual(
        (await store.rows()).map(({ id }) => id),
        ['_SK_service_product', '_IK_partition_service_product'],
      );
      const reader = recorded().getSession('partition');
      const texts = await Promise.all(records.map((record) => reader.decryptStringAsync(record)));
      texts.forEach((text, i) => {
        assert.equal(text, `text ${i}`);
      });
      assert.deepEqual(asked(), ['GenerateDataKey Decrypt', 'Encrypt']);
    });

    it('1,000 concurrent first calls for as many partitions: one data key, and then the system key is decrypted once', async () => {
      const partitions = Array.from({ length: 1000 }, (_, i) => `partition ${i}`);
      const writer = recorded();
      const records = await Promise.all(partitions.map((p) => writer.getSession(p).encryptAsync(p)));
      assert.deepEqual(asked(), ['GenerateDataKey', 'Encrypt']);
      assert.equal((await store.rows()).length, 1001);

      const reader = recorded();
      const texts = await Promise.all(records.map((r, i) => reader.getSession(partitions[i]).decryptStringAsync(r)));
      assert.deepEqual(texts, partitions);
      assert.deepEqual(asked(), ['GenerateDataKey Decrypt', 'Encrypt']);
    });

    it('a region that answers is the only one asked to decrypt, and it is asked for the configured key', async () => {
      const [first, second] = store.regions;
      const { record, rows } = await handMade('text');
      await store.insert(rows);
      for (const region of [first, second]) {
        const session = recorded({ preferredRegion: region }).getSession('partition');
        assert.equal(await session.decryptStringAsync(record), 'text');
        const { operation, keyId } = proxies[region].requests.at(-1);
        assert.deepEqual({ operation, keyId }, { operation: 'Decrypt', keyId: store.regionMap[region] });
      }
      assert.deepEqual(asked(), ['Decrypt', 'Decrypt']);
    });

    it('nothing is asked by the constructor, nor before the first call', async () => {
      const factory = recorded();
      factory.getSession('partition').close();
      await new Promise((resolve) => setTimeout(resolve, 100));
      assert.deepEqual(asked(), ['', '']);
    });
  });

  describe('verify()', () => {
    it('makes a data key in each region and decrypts it, and stores nothing', async () => {
      const { ok, checks } = await store.factory().verify();
      assert.equal(ok, true, JSON.stringify(checks));
      for (const region of store.regions) {
        const check = checks.find(({ name }) => name === `kms ${region}`);
        assert.equal(check?.status, 'ok', JSON.stringify(checks));
      }
      assert.deepEqual(await store.rows(), []);
    });

    it('names the region whose key does not exist, and is a report, not an error', async () => {
      const [first, second] = store.regions;
      const missing = store.regionMap[second].replace(/[^/]+$/, '00000000-0000-4000-8000-000000000000');
      const regionMap = { ...store.regionMap, [second]: missing };
      const { ok, checks } = await store.factory({ regionMap, onWarning() {} }).verify();
      assert.equal(ok, false);
      const status = (region) => checks.find(({ name }) => name === `kms ${region}`);
      assert.equal(status(first).status, 'ok');
      assert.equal(status(second).status, 'failure');
      assert.match(status(second).message, /NotFoundException/);
    });
  });

  it('a key that does not exist fails a call with what AWS says, and the same factory works once it is right', async () => {
    const [region] = store.regions;
    const alias = `alias/asherah-late-${Date.now()}`;
    const single = { regionMap: undefined, preferredRegion: undefined, kmsEndpoint: store.endpoints[region] };
    const session = store.factory({ ...single, kmsKeyId: alias }).getSession('partition');
    const check = (error) =>
      has('ERR_ASHERAH_KMS')(error) && error.message.includes(`kms ${region}: NotFoundException`);
    assert.throws(() => session.encrypt('text'), check);
    await assert.rejects(session.encryptAsync('text'), check);
    const { CreateAliasCommand } = require('@aws-sdk/client-kms');
    const client = services.kmsClient(region);
    await client.send(
      new CreateAliasCommand({ AliasName: alias, TargetKeyId: store.regionMap[region].split('/').pop() }),
    );
    client.destroy();
    assert.equal(session.decryptString(session.encrypt('text')), 'text');
  });
});
