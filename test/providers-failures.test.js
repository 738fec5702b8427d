// SPDX-License-Identifier: Apache-2.0

// The fear: a KMS or a metastore in JavaScript fails, or answers nonsense, and that is hidden, or taken for another answer.

const assert = require('node:assert/strict');
const { AsherahError, SessionFactory } = require('asherah-napi');
const { MapStore, ownConfig, wrapped } = require('./support/providers.js');

describe('a KMS and a metastore in JavaScript', () => {
  const factories = [];
  const open = (config) => {
    const factory = new SessionFactory(config);
    factories.push(factory);
    return factory;
  };
  afterEach(() => {
    for (const factory of factories.splice(0)) factory.close();
  });

  describe('that fail', () => {
    const fails = async (config, check) => {
      for (const method of ['encryptAsync', 'encrypt']) {
        const session = open(config).getSession('p');
        let error;
        try {
          await session[method]('x');
        } catch (each) {
          error = each;
        }
        assert.ok(error instanceof AsherahError, `${method}: ${error}`);
        check(error, method);
      }
    };
    const thrown = [
      new TypeError('of mine'),
      Object.assign(new Error(''), { secret: 1 }),
      'a string',
      undefined,
      null,
      7,
      { x: 1 },
    ];

    for (const [part, method, code] of [
      ['kms', 'encryptKey', 'ERR_ASHERAH_KMS'],
      ['metastore', 'loadLatest', 'ERR_ASHERAH_METASTORE'],
      ['metastore', 'store', 'ERR_ASHERAH_METASTORE'],
    ]) {
      it(`in ${method}: what they threw is the cause, the very object`, async () => {
        for (const asPromise of [false, true]) {
          for (const value of thrown) {
            const config = ownConfig();
            config[part] = wrapped(config[part], (name, call) => {
              if (name !== method) return call();
              if (asPromise) return Promise.reject(value);
              throw value;
            });
            await fails(config, (error, how) => {
              if (asPromise && how === 'encrypt') {
                assert.equal(error.code, 'ERR_ASHERAH_WOULD_BLOCK');
                return;
              }
              assert.equal(error.code, code);
              assert.ok(error.message.includes(`${part}.${method} failed: `), error.message);
              if (value instanceof TypeError) assert.ok(error.message.includes('of mine'));
              assert.ok('cause' in error && Object.is(error.cause, value), `${String(value)}: ${error.cause}`);
            });
          }
        }
      });
    }

    it('in decryptKey and load: the same', async () => {
      for (const [part, method, code] of [
        ['kms', 'decryptKey', 'ERR_ASHERAH_KMS'],
        ['metastore', 'load', 'ERR_ASHERAH_METASTORE'],
      ]) {
        const config = ownConfig();
        const record = open(config).getSession('p').encrypt('x');
        const cause = new Error('of mine');
        config[part] = wrapped(config[part], (name, call) => {
          if (name === method) throw cause;
          return call();
        });
        const session = open(config).getSession('p');
        assert.throws(() => session.decrypt(record), { code, cause });
        await assert.rejects(session.decryptAsync(record), { code, cause });
      }
    });

    const nothing = { encryptKey: 'a Uint8Array that is not empty', decryptKey: 'a Uint8Array of 32 bytes' };
    const wrongKeys = [undefined, null, '', 'hunter2', 5, {}, [], new Uint8Array(0), new DataView(new ArrayBuffer(32))];
    const wrongRows = ['', 5, true, {}, Buffer.from('{}'), [], Symbol('hunter2'), () => {}];
    for (const [part, method, values, expected] of [
      ['kms', 'encryptKey', wrongKeys, nothing.encryptKey],
      ['kms', 'decryptKey', [...wrongKeys, new Uint8Array(31), new Uint8Array(33)], nothing.decryptKey],
      ['metastore', 'load', wrongRows, 'a key record, or null'],
      ['metastore', 'loadLatest', wrongRows, 'a key record, or null'],
      ['metastore', 'store', [undefined, null, 1, 'true', {}], 'true or false'],
    ]) {
      it(`to return a result of ${method}: the error says what was expected and what came`, async () => {
        for (const asPromise of [false, true]) {
          for (const value of values) {
            const config = ownConfig();
            const record = open(config).getSession('p').encrypt('x');
            const isRead = method === 'load' || method === 'decryptKey';
            if (!isRead) config.metastore = new MapStore();
            config[part] = wrapped(config[part], (name, call) => {
              if (name !== method) return call();
              return asPromise ? Promise.resolve(value) : value;
            });
            const session = open(config).getSession('p');
            const error = await (isRead ? session.decryptAsync(record) : session.encryptAsync('x')).catch(
              (each) => each,
            );
            assert.equal(error.code, part === 'kms' ? 'ERR_ASHERAH_KMS' : 'ERR_ASHERAH_METASTORE', String(error));
            assert.ok(error.message.includes(`${part}.${method}: expected ${expected}`), error.message);
            assert.match(error.message, /, got (an?|null|undefined|true)\b.*\. Return .+\.$/);
            assert.ok(!error.message.includes('hunter2') && error.cause === undefined);
          }
        }
      });
    }

    it('to return a key record: the row is invalid', () => {
      const now = Math.floor(Date.now() / 1000);
      const texts = [
        'hunter2',
        '{',
        '[]',
        '"x"',
        'null',
        '{"Created":"x"}',
        '{"Key":"%"}',
        `{"Created":${now},"Key":""}`,
      ];
      for (const text of texts) {
        const config = ownConfig();
        config.metastore.loadLatest = (id) => (id.startsWith('_SK_') ? text : null);
        assert.throws(
          () => open(config).getSession('p').encrypt('x'),
          ({ code, message }) => {
            assert.equal(code, 'ERR_ASHERAH_INVALID_KEY_RECORD', `${text}: ${message}`);
            return !message.includes('hunter2');
          },
        );
      }
    });

    it('to find a key: that is none of these errors', () => {
      const config = ownConfig();
      const record = open(config).getSession('p').encrypt('x');
      for (const none of [null, undefined]) {
        config.metastore.load = () => none;
        assert.throws(() => open(config).getSession('p').decrypt(record), { code: 'ERR_ASHERAH_KEY_NOT_FOUND' });
      }
    });

    it('once are asked again', async () => {
      const config = ownConfig();
      let failures = 1;
      const kms = wrapped(config.kms, (_, call) => {
        if (failures-- > 0) throw new Error('for now');
        return call();
      });
      const session = open({ ...config, kms }).getSession('p');
      await assert.rejects(session.encryptAsync('x'), { code: 'ERR_ASHERAH_KMS' });
      assert.equal(session.decryptString(session.encrypt('x')), 'x');
    });
  });
});
