// SPDX-License-Identifier: Apache-2.0

// The fear: requests that are signed with other credentials than JavaScript gave, credentials that expire while a process
// runs, and secrets that turn up where somebody reads them.

const assert = require('node:assert/strict');
const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');
const { inspect } = require('node:util');
const { Worker } = require('node:worker_threads');
const { SessionFactory } = require('asherah-napi');
const { RecordingProxy } = require('./support/recording-proxy.js');
const services = require('./support/services.js');
const { has } = require('./support/store.js');

const HOUR = 3_600_000;

describe('AWS credentials', function () {
  this.timeout(60_000);
  services.need('kms');

  let proxy;
  let kmsKeyId;
  let folder;
  before(async () => {
    const [region] = Object.keys(services.kmsEndpoints());
    proxy = await RecordingProxy.create(services.kmsEndpoints()[region]);
    kmsKeyId = (await services.kmsKeys())[region];
    folder = mkdtempSync(join(tmpdir(), 'asherah-test-'));
  });
  after(() => {
    proxy?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  let environment;
  beforeEach(() => {
    environment = { ...process.env };
    proxy.requests.length = 0;
  });
  const factories = [];
  afterEach(() => {
    for (const factory of factories.splice(0)) factory.close();
    for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
    Object.assign(process.env, environment);
  });

  const config = (options) => ({
    ...{ serviceName: 'service', productId: 'product', metastore: 'test-debug-memory' },
    ...{ kms: 'aws', kmsKeyId, kmsEndpoint: proxy.endpoint },
    ...options,
  });
  function open(options) {
    const factory = new SessionFactory(config(options));
    factories.push(factory);
    return factory;
  }
  const encrypt = (factory) => factory.getSession(`${Math.random()}`).encryptAsync('text');
  const signers = () => [...new Set(proxy.requests.map(({ accessKeyId }) => accessKeyId))];
  const isKms = has('ERR_ASHERAH_KMS');

  describe('of a function', () => {
    const keys = (accessKeyId, more) => ({ accessKeyId, secretAccessKey: `secret of ${accessKeyId}`, ...more });

    for (const [what, awsCredentials] of [
      ['a plain value', () => keys('PLAIN', { sessionToken: 'token' })],
      ['a promise', async () => keys('PLAIN', { sessionToken: 'token', expiration: new Date(Date.now() + HOUR) })],
      // biome-ignore lint/suspicious/noThenProperty: that is the case
      ['a thenable', () => ({ then: (done) => done(keys('PLAIN', { sessionToken: 'token' })) })],
    ]) {
      it(`that gives ${what} sign the requests, and not those of the environment`, async () => {
        await encrypt(open({ awsCredentials }));
        assert.ok(proxy.requests.length > 0);
        for (const { accessKeyId, sessionToken } of proxy.requests) {
          assert.deepEqual({ accessKeyId, sessionToken }, { accessKeyId: 'PLAIN', sessionToken: 'token' });
        }
      });
    }

    it('are asked for once while they are good', async () => {
      let calls = 0;
      const awsCredentials = async () => {
        calls++;
        return keys('ONCE', { expiration: new Date(Date.now() + HOUR) });
      };
      const factory = open({ awsCredentials });
      await encrypt(factory);
      await Promise.all(Array.from({ length: 100 }, () => encrypt(factory)));
      for (let i = 0; i < 3; i++) assert.equal((await factory.verify()).ok, true);
      assert.ok(calls <= 2, `${calls} calls`); // the first request may ask for what the constructor has asked for
    });

    it('are asked for again before they expire, and the old ones serve until the new ones are there', async () => {
      let calls = 0;
      const answers = [];
      const awsCredentials = () => {
        const id = `CALL${++calls}`;
        const value = keys(id, { expiration: new Date(Date.now() + 60_000) }); // a minute: due for renewal
        if (calls === 1) return value;
        return new Promise((resolve) => answers.push(() => resolve(value)));
      };
      const factory = open({ awsCredentials });
      await encrypt(factory);
      await sleep(1100); // it is asked once a second at most
      await factory.verify();
      assert.deepEqual([calls, signers()], [2, ['CALL1']], 'the second answer is not waited for');
      answers[0]();
      await sleep(100);
      proxy.requests.length = 0;
      await factory.verify();
      assert.deepEqual(signers(), ['CALL2']);
    });

    it('that have expired are not used: calls wait for new ones, synchronous ones fail at once', async () => {
      let calls = 0;
      let answer;
      const awsCredentials = () => {
        if (++calls === 1) return keys('SHORT', { expiration: new Date(Date.now() + 1000) });
        return new Promise((resolve) => {
          answer = () => resolve(keys('LATER'));
        });
      };
      const factory = open({ awsCredentials, requestTimeout: 20, serviceName: 'expired' });
      await factory.verify();
      await sleep(1200);
      proxy.requests.length = 0;
      const call = encrypt(factory);
      await sleep(200);
      assert.throws(() => factory.getSession('sync').encrypt('text'), isKms);
      assert.deepEqual(proxy.requests, []);
      answer();
      await call;
      assert.deepEqual(signers(), ['LATER']);
    });

    it('that have not arrived fail a synchronous call at once, with what to do; afterwards it works', async () => {
      const awsCredentials = () => sleep(300, keys('LATE'));
      const [region] = Object.keys(services.kmsEndpoints());
      const factory = open({ awsCredentials, kmsEndpoint: services.kmsEndpoints()[region] });
      const began = performance.now();
      assert.throws(
        () => factory.getSession('partition').encrypt('text'),
        (error) => isKms(error) && /awsCredentials.*asynchronous method.*verify\(\)/s.test(error.message),
      );
      assert.ok(performance.now() - began < 1000, 'it did not wait');
      assert.equal((await factory.verify()).ok, true);
      const session = factory.getSession('partition');
      assert.equal(session.decryptString(session.encrypt('text')), 'text');
    });

    for (const [what, fail] of Object.entries({
      throws: () => {
        throw new Error('the vault is shut');
      },
      rejects: () => Promise.reject(new Error('the vault is shut')),
    })) {
      it(`that ${what} fails calls with its message, and they work once it does`, async () => {
        let provide = fail;
        const factory = open({ awsCredentials: () => provide() });
        const says = (error) => isKms(error) && error.message.includes('the vault is shut');
        await assert.rejects(encrypt(factory), says);
        const { ok, checks } = await factory.verify();
        assert.equal(ok, false, JSON.stringify(checks));
        assert.deepEqual(proxy.requests, []);
        provide = () => keys('OPEN');
        await sleep(1100);
        await encrypt(factory);
        assert.deepEqual(signers(), ['OPEN']);
      });
    }

    it('that never answers fails calls at their deadline', async () => {
      const factory = open({ awsCredentials: () => new Promise(() => {}), requestTimeout: 0.5 });
      const began = performance.now();
      await assert.rejects(encrypt(factory), isKms);
      assert.ok(performance.now() - began < 3500);
    });

    const secret = 'hush-hush';
    for (const [what, value, named] of [
      ['nothing', undefined, 'an object of credentials'],
      ['null', null, 'an object of credentials'],
      ['a string', secret, 'an object of credentials'],
      ['an empty object', {}, 'accessKeyId'],
      ['a number as id', { accessKeyId: 5, secretAccessKey: secret }, 'accessKeyId'],
      ['no secret', { accessKeyId: secret }, 'secretAccessKey'],
      ['an empty secret', { accessKeyId: secret, secretAccessKey: '' }, 'secretAccessKey'],
      ['bytes as token', { ...keys(secret), sessionToken: Buffer.from(secret) }, 'sessionToken'],
      ['a date as text', { ...keys(secret), expiration: '2030-01-01' }, 'expiration'],
      ['no valid date', { ...keys(secret), expiration: new Date(Number.NaN) }, 'expiration'],
      ['what has expired', { ...keys(secret), expiration: new Date(Date.now() - 1000) }, 'expired'],
    ]) {
      it(`that gives ${what}: an error that says so, without the value`, async () => {
        const factory = open({ awsCredentials: () => value });
        await assert.rejects(encrypt(factory), (error) => {
          assert.ok(isKms(error), inspect(error));
          assert.ok(error.message.includes(named), error.message);
          assert.ok(!inspect(error, { depth: 9 }).includes(secret), 'the value is in the error');
          return true;
        });
        assert.deepEqual(proxy.requests, []);
      });
    }

    it('do not keep a forgotten factory alive, though the function refers to it; nor is it called afterwards', async () => {
      const { gc } = globalThis;
      let calls = 0;
      const forget = async () => {
        const held = {};
        held.factory = new SessionFactory(
          config({
            awsCredentials: () => {
              calls++;
              void held.factory;
              return keys('WEAK', { expiration: new Date(Date.now() + 1000) });
            },
          }),
        );
        await encrypt(held.factory);
        return new WeakRef(held.factory);
      };
      const weak = await forget();
      for (let i = 0; i < 50 && weak.deref(); i++) {
        await sleep(20);
        gc();
      }
      assert.equal(weak.deref(), undefined, 'the factory is still there');
      const before = calls;
      await sleep(1500);
      assert.equal(calls, before);
    });
  });

  describe('of the environment', () => {
    const withoutKeys = () =>
      Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^AWS_(ACCESS|SECRET|SESSION)/.test(name)));

    async function inWorker(env, options) {
      const worker = new Worker(require.resolve('./fixtures/aws-worker.js'), { env, workerData: config(options) });
      try {
        return await new Promise((resolve, reject) => {
          worker.once('message', resolve);
          worker.once('error', reject);
        });
      } finally {
        await worker.terminate();
      }
    }

    it('are those at the moment the factory is made: later changes are for the next one', async () => {
      Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'BEFORE', AWS_SECRET_ACCESS_KEY: 's' });
      const factory = open();
      Object.assign(process.env, { AWS_ACCESS_KEY_ID: 'AFTER', AWS_SESSION_TOKEN: 'token' });
      await encrypt(factory);
      assert.deepEqual(signers(), ['BEFORE']);
      assert.equal(proxy.requests[0].sessionToken, undefined);
      proxy.requests.length = 0;
      await encrypt(open());
      assert.deepEqual(signers(), ['AFTER']);
      assert.equal(proxy.requests[0].sessionToken, 'token');
    });

    it('that JavaScript has deleted are not used, although the process was started with them', async () => {
      assert.ok(process.env.AWS_ACCESS_KEY_ID, 'scripts/services.mjs sets it');
      delete process.env.AWS_ACCESS_KEY_ID;
      delete process.env.AWS_SECRET_ACCESS_KEY;
      await assert.rejects(
        encrypt(open({ requestTimeout: 5 })),
        (error) => isKms(error) && /credentials/.test(error.message),
      );
      assert.deepEqual(proxy.requests, []);
    });

    it('of a worker thread are its own', async () => {
      const env = { ...withoutKeys(), AWS_ACCESS_KEY_ID: 'WORKER', AWS_SECRET_ACCESS_KEY: 's' };
      assert.deepEqual(await inWorker(env), {});
      assert.deepEqual(signers(), ['WORKER']);
      proxy.requests.length = 0;
      const { code, message } = await inWorker(withoutKeys(), { requestTimeout: 5 });
      assert.equal(code, 'ERR_ASHERAH_KMS', message);
      assert.match(message, /credentials/);
      assert.deepEqual(proxy.requests, []);
    });

    it('name the endpoint too, where no option does', async () => {
      process.env.AWS_ENDPOINT_URL_KMS = proxy.endpoint;
      process.env.AWS_ENDPOINT_URL = 'http://127.0.0.1:1';
      await encrypt(open({ kmsEndpoint: undefined }));
      assert.ok(proxy.requests.length > 0);
    });

    it('may name a profile, as awsProfileName does, which goes before them', async () => {
      const file = join(folder, 'credentials');
      const settings = join(folder, 'config');
      writeFileSync(file, '[one]\naws_access_key_id = ONE\naws_secret_access_key = s\n');
      const answer = JSON.stringify({ Version: 1, AccessKeyId: 'PROCESS', SecretAccessKey: 's', SessionToken: 't' });
      const script = join(folder, 'process.js');
      writeFileSync(script, `console.log(${JSON.stringify(answer)})`);
      writeFileSync(settings, `[profile two]\ncredential_process = ${process.execPath} ${script}\n`);
      Object.assign(process.env, { AWS_SHARED_CREDENTIALS_FILE: file, AWS_CONFIG_FILE: settings });
      await encrypt(open({ awsProfileName: 'one' }));
      await encrypt(open({ awsProfileName: 'two' }));
      delete process.env.AWS_ACCESS_KEY_ID;
      process.env.AWS_PROFILE = 'one';
      await encrypt(open());
      assert.deepEqual(
        proxy.requests.filter(({ operation }) => operation === 'GenerateDataKey').map((r) => r.accessKeyId),
        ['ONE', 'PROCESS', 'ONE'],
      );
      assert.throws(
        () => open({ awsProfileName: 'three' }),
        (error) => has('ERR_ASHERAH_INVALID_CONFIG')(error) && error.message.includes('"three"'),
      );
    });
  });
});
