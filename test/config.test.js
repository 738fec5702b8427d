// SPDX-License-Identifier: Apache-2.0
const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { SessionFactory } = require('asherah-napi');
// What the engine is handed has no public face; everything else here goes through the public one.
const { checkConfig } = require('../dist/config.js');
const { packageCopy } = require('./fixtures/package-copy.js');
const { errorOf, key, open, refused, valid, wrongText } = require('./support/config.js');

const sqlite = { ...valid, metastore: 'sqlite', connectionString: path.join(os.tmpdir(), 'never-opened.db') };

describe('a wrong configuration', () => {
  it('without a required option names it', () => {
    for (const name of ['serviceName', 'productId', 'kms', 'staticMasterKeyHex', 'metastore']) {
      const { [name]: _, ...rest } = valid;
      refused(rest, `config.${name}: expected a value, got undefined`);
      refused({ ...valid, [name]: undefined }, `config.${name}: expected a value, got undefined`);
    }
    refused({ ...valid, metastore: 'sqlite' }, 'config.connectionString: expected a value, got undefined');
  });

  it('is refused when it is no object', () => {
    for (const config of [
      undefined,
      null,
      5,
      'config',
      '[]',
      'null',
      '"{}"',
      '{',
      [],
      [valid],
      () => valid,
      Symbol('s'),
      1n,
    ]) {
      refused(config, 'config: expected an object of options');
    }
  });

  const duration = ['3600', true, {}, [60], 60n, NaN, Infinity, -Infinity, 0, -1, 1.5, 1e9 + 1, 7776000e9];
  const size = ['10', true, {}, 10n, NaN, Infinity, 0, -1, 1.5, 1e7 + 1];
  const wrong = {
    serviceName: wrongText,
    productId: wrongText,
    kms: ['', 'vault', 'secrets-manager', 'statics', 5, true, {}, ['static']],
    staticMasterKeyHex: ['', 'ab', `${key}00`, key.slice(1), `0x${key.slice(2)}`, `${key.slice(1)}g`, Buffer.alloc(32)],
    metastore: ['', 'oracle', 'in-memory', 5, true, {}],
    connectionString: [5, {}, '', 'sqlite://', ':memory:', 'sqlite://:memory:', 'file:a.db', 'mysql://u:p@h/d', 'a\0b'],
    sqliteBusyTimeout: ['5', true, {}, 5n, NaN, Infinity, -1, 2_147_484],
    expireAfter: duration,
    checkInterval: duration,
    maxKeyStaleness: [...duration, 7199],
    enableSessionCaching: ['true', 0, 1, {}],
    sessionCacheMaxSize: size,
    sessionCacheDuration: duration,
    intermediateKeyCacheMaxSize: size,
    systemKeyCacheMaxSize: size,
    regionSuffix: wrongText,
    recoveryRegionSuffixes: ['us-east-1', 5, {}, { length: 1 }, [''], ['a', 5], ['a', null], ['\udfff'], new Array(1)],
    lockedMemory: ['', 'required', true, {}],
    onWarning: ['console.log', {}, true, [() => {}]],
    logHook: ['console.log', {}, true, [() => {}]],
    logLevel: ['', 'warning', 4, {}],
    verbose: ['true', 0, {}],
    metricsHook: ['console.log', {}, true, [() => {}]],
    disableZeroCopy: ['true', 0, {}],
    nullDataCheck: ['true', 0, {}],
    enableCanaries: ['true', 0, {}],
    configDriftForceRun: ['true', 0, {}],
    configDriftForceUpdate: ['true', 0, {}],
  };

  for (const [name, values] of Object.entries(wrong)) {
    it(`is refused by type and range: ${name}`, () => {
      for (const value of values) refused({ ...sqlite, [name]: value }, `config.${name}`);
    });
  }

  it('at the very edge of a range is accepted', () => {
    open({ ...valid, expireAfter: 1, checkInterval: 1, maxKeyStaleness: 2 });
    open({ ...valid, expireAfter: 1e9, checkInterval: 5e8, maxKeyStaleness: 1e9, sessionCacheDuration: 1e9 });
    open({ ...valid, sessionCacheMaxSize: 1, sessionCacheDuration: 1, intermediateKeyCacheMaxSize: 1 });
    open({ ...valid, systemKeyCacheMaxSize: 1, sessionCacheMaxSize: 1e7 });
    open({ ...sqlite, sqliteBusyTimeout: 0 });
    open({ ...sqlite, sqliteBusyTimeout: 0.25 });
    open({ ...valid, recoveryRegionSuffixes: [] });
  });

  it('does not print what was put into it, which may be secret', () => {
    const secret = 'hunter2 hunter2';
    for (const name of Object.keys(wrong)) {
      for (const value of [secret, [secret], { secret }, Buffer.from(secret)]) {
        if (
          typeof value === 'string' &&
          ['serviceName', 'productId', 'regionSuffix', 'connectionString'].includes(name)
        ) {
          continue; // any text is right there
        }
        if (name === 'recoveryRegionSuffixes' && Array.isArray(value)) continue;
        const error = errorOf({ ...sqlite, [name]: value });
        assert.ok(!`${error.message} ${error.stack} ${error.cause}`.includes('hunter2'), error.message);
      }
    }
    const error = errorOf({ ...sqlite, connectionString: 'postgres://me:hunter2@host/db' });
    assert.ok(!error.message.includes('hunter2'));
    assert.ok(!errorOf({ ...valid, staticMasterKeyHex: `${key.slice(0, -1)}!` }).message.includes(key.slice(0, 8)));
  });

  it('with an option of no effect is refused, not ignored', () => {
    refused({ ...valid, kms: 'test-debug-static' }, 'config.staticMasterKeyHex: expected no value');
    refused({ ...sqlite, metastore: 'memory' }, 'config.connectionString: expected no value');
    refused({ ...valid, sqliteBusyTimeout: 1 }, 'config.sqliteBusyTimeout: expected no value');
    const uncached = { ...valid, enableSessionCaching: false };
    open(uncached);
    refused({ ...uncached, sessionCacheMaxSize: 10 }, 'config.sessionCacheMaxSize: expected no value');
    refused({ ...uncached, sessionCacheDuration: 10 }, 'config.sessionCacheDuration: expected no value');
  });

  it('where a key could go stale before anybody asked for a refresh is refused', () => {
    refused({ ...valid, checkInterval: 10, maxKeyStaleness: 19 }, 'config.maxKeyStaleness: expected at least twice');
    open({ ...valid, checkInterval: 10, maxKeyStaleness: 20 });
  });
});

describe('an unknown option', () => {
  const unknown = (name, value = 1) => refused({ ...valid, [name]: value }, 'config: ', 'ERR_ASHERAH_UNKNOWN_OPTION');

  it('is an error that names the nearest right one', () => {
    const slips = {
      productID: 'productId',
      Kms: 'KMS',
      ServiceNames: 'ServiceName',
      DynamoDbRegion: 'DynamoDBRegion',
      conectionString: 'connectionString',
      connection_string: 'connectionString',
      expiresAfter: 'expireAfter',
      checkintervall: 'checkInterval',
      sessionCacheMaxsize: 'sessionCacheMaxSize',
      enableSessionCache: 'enableSessionCaching',
      intermediateKeyCacheSize: 'intermediateKeyCacheMaxSize',
      onWarnings: 'onWarning',
    };
    for (const [slip, right] of Object.entries(slips)) {
      assert.ok(unknown(slip).message.endsWith(`got ${JSON.stringify(slip)}. Did you mean ${right}?`), slip);
    }
  });

  it('like nothing known points to the list', () => {
    for (const name of ['colour', 'x', '', '🙂', 'vault', '"', '\n']) {
      assert.match(unknown(name).message, /docs\/configuration\.md lists them all\.$/);
    }
    assert.ok(unknown('x'.repeat(1e6)).message.length < 300, 'and is not printed at any length');
  });

  it('is one even when it is undefined, or named like a property of every object', () => {
    unknown('colour', undefined);
    unknown('colour', null);
    for (const name of ['constructor', 'toString', 'hasOwnProperty', '__proto__']) {
      const config = Object.defineProperty({ ...valid }, name, { value: {}, enumerable: true });
      refused(config, 'config: expected known options only', 'ERR_ASHERAH_UNKNOWN_OPTION');
    }
    refused(JSON.parse('{"__proto__": {"kms": "static"}}'), 'config: ', 'ERR_ASHERAH_UNKNOWN_OPTION');
  });
});

describe('the configuration object', () => {
  it('is read once, and never changed', () => {
    const reads = {};
    const config = {};
    for (const [name, value] of Object.entries({ ...valid, regionSuffix: 'eu' })) {
      const get = () => {
        reads[name] = (reads[name] ?? 0) + 1;
        return value;
      };
      Object.defineProperty(config, name, { get, enumerable: true });
    }
    open(Object.freeze(config));
    assert.deepEqual(new Set(Object.values(reads)), new Set([1]));
    assert.equal(Object.keys(reads).length, 6);
  });

  it('that is changed later changes nothing', () => {
    const config = { ...valid, recoveryRegionSuffixes: ['eu'] };
    const factory = new SessionFactory(config);
    const record = factory.getSession('p').encrypt('x');
    config.serviceName = 'other';
    config.recoveryRegionSuffixes.length = 0;
    assert.ok(record.includes('"_IK_p_service_product"'));
    assert.ok(factory.getSession('q').encrypt('x').includes('"_IK_q_service_product"'));
    factory.close();
  });

  it('counts with its own enumerable properties only', () => {
    refused(Object.create(valid), 'config.serviceName');
    refused(new Map(Object.entries(valid)), 'config.serviceName');
    open(Object.assign(Object.create(null), valid));
    open({ ...valid, [Symbol('verbose')]: true });
    open(Object.defineProperty({ ...valid }, 'hidden', { value: true, enumerable: false }));
  });

  it('can not be completed by a polluted Object.prototype', () => {
    const polluted = { regionSuffix: 'evil', kms: 'test-debug-static', onWarning: 5, get: undefined, path: 'evil' };
    try {
      Object.assign(Object.prototype, polluted);
      const { kms, ...rest } = valid;
      refused(rest, 'config.kms: expected a value, got undefined');
      const factory = new SessionFactory(valid);
      assert.ok(factory.getSession('p').encrypt('x').includes('"_IK_p_service_product"'));
      factory.close();
    } finally {
      for (const name of Object.keys(polluted)) delete Object.prototype[name];
    }
  });

  it('that throws when it is read is refused with the cause', () => {
    const thrown = new Error('mine');
    const config = {
      ...valid,
      get regionSuffix() {
        throw thrown;
      },
    };
    assert.equal(refused(config, 'config: expected an object that can be read').cause, thrown);
    const { proxy, revoke } = Proxy.revocable({ ...valid }, {});
    open(proxy);
    revoke();
    refused(proxy, 'config: expected');
  });
});

describe('what the engine is handed', () => {
  const engine = (config) => JSON.parse(checkConfig(config).engine);

  it('holds the documented defaults', () => {
    assert.deepEqual(engine(valid), {
      service: 'service',
      product: 'product',
      regionSuffix: '',
      recoveryRegionSuffixes: [],
      expireAfter: 7776000,
      checkInterval: 3600,
      maxKeyStaleness: 0,
      requestTimeoutMs: 0,
      intermediateKeyCacheMaxSize: 1000,
      systemKeyCacheMaxSize: 100,
      lockedMemory: 'prefer',
      kms: { type: 'static' },
      metastore: { type: 'memory' },
    });
    assert.deepEqual(checkConfig(valid).sessionCache, { maxSize: 1000, maxAgeMs: 7200_000 });
    assert.equal(engine(sqlite).metastore.busyTimeoutMs, 5000);
  });

  it('holds every option that was given', () => {
    const given = engine({
      ...sqlite,
      sqliteBusyTimeout: 0.25,
      expireAfter: 11,
      checkInterval: 12,
      maxKeyStaleness: 24,
      intermediateKeyCacheMaxSize: 13,
      systemKeyCacheMaxSize: 14,
      regionSuffix: 'eu',
      recoveryRegionSuffixes: ['us', 'ap'],
      lockedMemory: 'require',
    });
    assert.deepEqual(given, {
      service: 'service',
      product: 'product',
      regionSuffix: 'eu',
      recoveryRegionSuffixes: ['us', 'ap'],
      expireAfter: 11,
      checkInterval: 12,
      maxKeyStaleness: 24,
      requestTimeoutMs: 0,
      intermediateKeyCacheMaxSize: 13,
      systemKeyCacheMaxSize: 14,
      lockedMemory: 'require',
      kms: { type: 'static' },
      metastore: { type: 'sqlite', path: sqlite.connectionString, busyTimeoutMs: 250 },
    });
  });

  it('names the same file whatever the working directory becomes', () => {
    const pathOf = (connectionString) => engine({ ...sqlite, connectionString }).metastore.path;
    assert.equal(pathOf('keys.db'), path.resolve('keys.db'));
    assert.equal(pathOf('sqlite://data/keys.db'), path.resolve('data/keys.db'));
    assert.equal(pathOf(`sqlite://${path.resolve('/tmp/a?b#c%20.db')}`), path.resolve('/tmp/a?b#c%20.db'));
  });

  it('is the public test key only under its testing name', () => {
    const keyOf = (config) => Buffer.from(checkConfig(config).masterKey);
    const { staticMasterKeyHex, ...test } = { ...valid, kms: 'test-debug-static' };
    assert.equal(keyOf(test).toString('latin1'), 'thisIsAStaticMasterKeyForTesting');
    assert.equal(keyOf(valid).toString('hex'), key.toLowerCase());
  });

  it('is a key that is wiped once the engine has it', () => {
    let handed;
    const copy = packageCopy((addon) => ({
      ...addon,
      openFactory(config, masterKey, onWarning) {
        handed = masterKey;
        assert.equal(Buffer.from(masterKey).toString('hex'), key.toLowerCase());
        return addon.openFactory(config, masterKey, onWarning);
      },
    }));
    new copy.SessionFactory(valid).close();
    assert.deepEqual(Buffer.from(handed), Buffer.alloc(32));
  });
});

describe('docs/configuration.md', () => {
  it('lists every option with the default of its doc comment', () => {
    const source = fs.readFileSync(path.join(__dirname, '../lib/options.ts'), 'utf8');
    const declared = [...source.matchAll(/\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*(\w+)(\??): /g)].map(
      ([, doc, name, optional]) => {
        const byDoc = doc.match(/@defaultValue ('[^']*'|\w+)/)?.[1];
        return [name, optional === '' ? 'required' : (byDoc ?? 'none').replace('the', 'none')];
      },
    );
    const [table] = fs.readFileSync(path.join(__dirname, '../docs/configuration.md'), 'utf8').split('\n## ');
    const rows = [...table.matchAll(/^\| `(\w+)` +\| [^|]+ \| ([^|]+) \|/gm)].map(([, name, value]) => [
      name,
      value.replaceAll('`', '').trim(),
    ]);
    assert.equal(declared.length, 45, 'the doc comments were found');
    assert.deepEqual(rows, declared);
  });
});
