// SPDX-License-Identifier: Apache-2.0

// The fear: an input that one of the older packages took, or refused, is treated otherwise here, or by one of the sixteen
// ways to make a call. The inputs are tables; each is tried in every function, of the module and of sessions, synchronous
// and asynchronous.

const assert = require('node:assert/strict');
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const asherah = require('asherah-napi');
const { config3, config4 } = require('./support/old');
const { has, temporaryFolder } = require('./support/store');

/** What ERR_ASHERAH_… has after its first part. */
const error = (code) => has(`ERR_ASHERAH_${code}`);

/**
 * Every way to encrypt or to decrypt: of the module under both spellings, of a session.
 *
 * @typedef {{ name: string, call: (partition: unknown, input: unknown, ...rest: unknown[]) => unknown, isAsync: boolean,
 *   isText: boolean, isSession: boolean }} Way isText: decryptString, whose result is a string
 */

/** @param {'encrypt' | 'decrypt'} verb @returns {Way[]} */
function ways(verb, factory) {
  const all = [];
  for (const isText of [false, true]) {
    for (const isAsync of [false, true]) {
      const camel = verb + (isText ? 'String' : '') + (isAsync ? 'Async' : '');
      const snake = verb + (isText ? '_string' : '') + (isAsync ? '_async' : '');
      for (const name of new Set([camel, snake])) {
        all.push({ name, isText, isAsync, isSession: false, call: (...args) => asherah[name](...args) });
      }
      const call = (partition, ...rest) => factory.getSession(partition)[camel](...rest);
      all.push({ name: `session.${camel}`, isText, isAsync, isSession: true, call });
    }
  }
  return all;
}

/** An asynchronous way rejects and never throws: whoever wrote `.catch` meant all errors. */
async function refused({ name, call, isAsync }, what, isRight, ...args) {
  const check = (caught) => {
    assert.ok(isRight(caught), `${name}: ${what}: ${caught?.code} ${caught}`);
    assert.ok(!caught.message.includes('hunter2'), `${name}: ${what}: ${caught.message}`);
    return true;
  };
  if (!isAsync) return assert.throws(() => call(...args), check, `${name}: ${what}`);
  let promise;
  assert.doesNotThrow(() => {
    promise = call(...args);
  }, `${name}: ${what} is thrown, not rejected with`);
  await assert.rejects(promise, check, `${name}: ${what}`);
}

/** A row for each kind of argument that is not text or bytes at all. */
const NOTHING = {
  null: null,
  undefined: undefined,
  'a number': 5,
  NaN: Number.NaN,
  'a boolean': true,
  'an object': { toString: () => 'hunter2' },
  'an array': ['hunter2'],
  'a function': () => 'hunter2',
  'a date': new Date(),
  'a String object': new String('hunter2'),
};

const PARTITIONS = {
  'one space': ' ',
  unicode: 'zażółć 🦊 漢',
  '300 characters': 'x'.repeat(300),
  'characters that JSON escapes': '<>&"\\\u2028'.repeat(20),
  'a control character': '\u0000\n',
  'names of other objects': '__proto__',
};

const sixteen = Buffer.from('0123456789abcdef');
const inMiddle = () => {
  const whole = new Uint8Array(48).fill(0xee);
  whole.set(sixteen, 16);
  return whole.buffer;
};

/** data and the bytes that come back */
const DATA = {
  'an empty string': ['', Buffer.alloc(0)],
  'an empty Buffer': [Buffer.alloc(0), Buffer.alloc(0)],
  'an empty ArrayBuffer': [new ArrayBuffer(0), Buffer.alloc(0)],
  'a string': ['zażółć 🦊', Buffer.from('zażółć 🦊')],
  'a lone surrogate': ['a\ud800b', Buffer.from('a\ufffdb')],
  'a string with NUL': ['a\0b', Buffer.from('a\0b')],
  'a Buffer': [sixteen, sixteen],
  'a Uint8Array': [new Uint8Array(sixteen), sixteen],
  'a part of a Buffer': [Buffer.from(inMiddle()).subarray(16, 32), sixteen],
  'a Float64Array': [new Float64Array(inMiddle(), 16, 2), sixteen],
  'a DataView': [new DataView(inMiddle(), 16, 16), sixteen],
  'an ArrayBuffer': [inMiddle().slice(16, 32), sixteen],
  'a SharedArrayBuffer': [new SharedArrayBuffer(2), Buffer.alloc(2)],
};

/** A record in every form that text can have. */
const RECORD_FORMS = {
  'a string': (text) => text,
  'a Buffer': (text) => Buffer.from(text),
  'a Uint8Array': (text) => new Uint8Array(Buffer.from(text)),
  'another view': (text) => new DataView(Uint8Array.from(Buffer.from(text)).buffer),
  'an ArrayBuffer': (text) => Uint8Array.from(Buffer.from(text)).buffer,
  'white space around it': (text) => ` \n\t${text}\r\n `,
  'further fields': (text) => JSON.stringify({ Version: 1, ...JSON.parse(text), Other: { Key: 1 } }),
  'another order of fields': (text) => {
    const { Key, Data } = JSON.parse(text);
    const { Created, Key: bytes, ParentKeyMeta } = Key;
    return JSON.stringify({ Data, Key: { ParentKeyMeta, Key: bytes, Created } });
  },
  'fields in lower case': (text) =>
    text.replace(/"(Key|Data|Created|ParentKeyMeta|KeyId)":/g, (name) => name.toLowerCase()),
};

/** What can't be a record: how it is made of a good one, and how it is refused. */
const BAD_RECORDS = {
  'an empty string': [() => '', 'INVALID_RECORD'],
  'an empty Buffer': [() => Buffer.alloc(0), 'INVALID_RECORD'],
  'no JSON': [() => 'hunter2', 'INVALID_RECORD'],
  'bytes of no text': [() => Buffer.from([0xff, 0xfe, 0]), 'INVALID_RECORD'],
  'an array': [() => '[]', 'INVALID_RECORD'],
  'JSON null': [() => 'null', 'INVALID_RECORD'],
  'the word undefined': [() => 'undefined', 'INVALID_RECORD'],
  'an empty object': [() => '{}', 'INVALID_RECORD'],
  'another object': [() => '{"wrong":"format"}', 'INVALID_RECORD'],
  'no Key': [({ Data }) => ({ Data }), 'INVALID_RECORD'],
  'no Data': [({ Key }) => ({ Key }), 'INVALID_RECORD'],
  'no key in Key': [(r) => ({ ...r, Key: { ...r.Key, Key: undefined } }), 'INVALID_RECORD'],
  'no parent': [(r) => ({ ...r, Key: { ...r.Key, ParentKeyMeta: undefined } }), 'INVALID_RECORD'],
  'a null parent': [(r) => ({ ...r, Key: { ...r.Key, ParentKeyMeta: null } }), 'INVALID_RECORD'],
  'bad base64': [(r) => ({ ...r, Data: '%%%%' }), 'INVALID_RECORD'],
  'data that is too short': [(r) => ({ ...r, Data: 'AAAA' }), 'INVALID_RECORD'],
  'more after its end': [(r) => `${JSON.stringify(r)}hunter2`, 'INVALID_RECORD'],
  'a missing end': [(r) => JSON.stringify(r).slice(0, -1), 'INVALID_RECORD'],
  'JSON text in JSON text': [(r) => JSON.stringify(JSON.stringify(r)), 'INVALID_RECORD'],
  'a missing intermediate key': [(r) => withParent(r, { Created: 60 }), 'KEY_NOT_FOUND'],
  'the parent of another partition': [
    (r) => withParent(r, { KeyId: '_IK_other_service_product' }),
    'PARTITION_MISMATCH',
  ],
  'the parent of a partition that starts alike': [
    (r) => withParent(r, { KeyId: `${r.Key.ParentKeyMeta.KeyId}2` }),
    'PARTITION_MISMATCH',
  ],
  'changed data': [(r) => ({ ...r, Data: changed(r.Data) }), 'AUTHENTICATION_FAILED'],
  'a changed key': [(r) => ({ ...r, Key: { ...r.Key, Key: changed(r.Key.Key) } }), 'AUTHENTICATION_FAILED'],
};

function withParent(record, change) {
  const parent = { ...record.Key.ParentKeyMeta, ...change };
  return { ...record, Key: { ...record.Key, ParentKeyMeta: parent } };
}

function changed(base64) {
  const bytes = Buffer.from(base64, 'base64');
  bytes[0] ^= 1;
  return bytes.toString('base64');
}

describe('the input contract', () => {
  const file = join(temporaryFolder(), 'keys.db');
  const config = config4({ metastore: 'sqlite', connectionString: file });
  let factory;
  let encrypts;
  let decrypts;
  let record; // of partition 'p', data 'text'
  before(() => {
    asherah.setup(config);
    factory = new asherah.SessionFactory(config);
    encrypts = ways('encrypt', factory);
    decrypts = ways('decrypt', factory);
  });
  after(() => {
    factory.close();
    asherah.shutdown();
  });

  // First in this file: the first key makes the file.
  it('refuses what is wrong before anything is written', async () => {
    for (const way of encrypts) {
      await refused(way, 'no data', error('INVALID_ARGUMENT'), 'p', null);
      if (way.isSession) continue;
      for (const partition of ['', null]) {
        await refused(way, 'no partition', error('INVALID_ARGUMENT'), partition, 'x');
      }
    }
    for (const way of decrypts) await refused(way, 'no record', error('INVALID_RECORD'), 'p', '');
    assert.equal(existsSync(file), false);
    record = asherah.encryptString('p', 'text');
    assert.equal(existsSync(file), true);
  });

  describe('for partitions', () => {
    for (const [what, partition] of Object.entries({ ...NOTHING, 'a Buffer': Buffer.from('p'), 'no text': '' })) {
      it(`refuses ${what}`, async () => {
        for (const way of [...encrypts, ...decrypts]) {
          if (way.isSession) continue;
          const input = way.name.startsWith('enc') ? 'hunter2' : record;
          await refused(way, what, error('INVALID_ARGUMENT'), partition, input);
        }
        assert.throws(() => factory.getSession(partition), error('INVALID_ARGUMENT'));
      });
    }

    for (const [what, partition] of Object.entries(PARTITIONS)) {
      it(`takes ${what}`, async () => {
        for (const way of encrypts) {
          const made = await way.call(partition, 'text');
          for (const other of decrypts) assert.equal(String(await other.call(partition, made)), 'text', other.name);
        }
      });
    }
  });

  describe('for data', () => {
    for (const [what, data] of Object.entries(NOTHING)) {
      it(`refuses ${what}`, async () => {
        for (const way of encrypts) await refused(way, what, error('INVALID_ARGUMENT'), 'p', data);
      });
    }

    for (const [what, [data, bytes]] of Object.entries(DATA)) {
      it(`takes ${what}, in the functions for strings and in those for bytes`, async () => {
        for (const way of encrypts) {
          const made = await way.call('p', data);
          for (const other of decrypts) {
            const expected = other.isText ? bytes.toString() : bytes;
            assert.deepEqual(await other.call('p', made), expected, `${way.name} and ${other.name}`);
          }
        }
      });
    }

    it('takes more than 64 MiB', async () => {
      const data = Buffer.alloc((64 << 20) + 1, 'x');
      const made = asherah.encrypt('p', data);
      assert.ok(asherah.decrypt('p', made).equals(data));
    });
  });

  describe('for records', () => {
    for (const [what, value] of Object.entries(NOTHING)) {
      it(`refuses ${what}`, async () => {
        for (const way of decrypts) await refused(way, what, error('INVALID_ARGUMENT'), 'p', value);
      });
    }

    it('refuses the object that the text describes', async () => {
      for (const way of decrypts) await refused(way, 'object', error('INVALID_ARGUMENT'), 'p', JSON.parse(record));
    });

    for (const [what, form] of Object.entries(RECORD_FORMS)) {
      it(`takes one as ${what}`, async () => {
        for (const way of decrypts) assert.equal(String(await way.call('p', form(record))), 'text', way.name);
      });
    }

    for (const [what, [make, code]] of Object.entries(BAD_RECORDS)) {
      it(`refuses one with ${what} (${code})`, async () => {
        const made = make(JSON.parse(record));
        const bad = typeof made === 'string' || Buffer.isBuffer(made) ? made : JSON.stringify(made);
        for (const way of decrypts) await refused(way, what, error(code), 'p', bad);
      });
    }

    it('refuses one of another partition', async () => {
      for (const way of decrypts) await refused(way, 'partition', error('PARTITION_MISMATCH'), 'other', record);
    });

    it('refuses to make text of what is none, which decrypt returns', async () => {
      const bytes = Buffer.from([0x68, 0xff, 0x00, 0x80]);
      const made = asherah.encrypt('p', bytes);
      for (const way of decrypts) {
        if (way.isText) await refused(way, 'no text', error('NOT_UTF8'), 'p', made);
        else assert.deepEqual(await way.call('p', made), bytes, way.name);
      }
    });
  });

  it('ignores further arguments', async () => {
    const rest = [undefined, 'hunter2', {}];
    for (const way of encrypts) {
      const made = await way.call('p', 'text', ...rest);
      for (const other of decrypts) assert.equal(String(await other.call('p', made, ...rest)), 'text', other.name);
    }
    for (const name of ['getSetupStatus', 'get_setup_status']) assert.equal(asherah[name](...rest), true);
    asherah.shutdown(...rest);
    asherah.setup(config, ...rest);
    await asherah.shutdown_async(...rest);
    await asherah.setup_async(config, ...rest);
  });

  it('takes no missing argument for an empty one', async () => {
    for (const way of [...encrypts, ...decrypts]) {
      await refused(way, 'one argument', error('INVALID_ARGUMENT'), 'p');
      if (!way.isSession) await refused(way, 'no argument', error('INVALID_ARGUMENT'));
    }
  });
});

describe('the configuration of the module', () => {
  afterEach(() => asherah.shutdown());

  for (const [what, value] of Object.entries({
    ...NOTHING,
    'no text': '',
    'no JSON': '{hunter2',
    'JSON null': 'null',
  })) {
    it(`is not ${what}`, async () => {
      for (const name of ['setup', 'setupAsync', 'setup_async']) {
        const way = { name, isAsync: name !== 'setup', call: asherah[name] };
        await refused(way, what, (caught) => caught.code?.startsWith('ERR_ASHERAH_'), value);
      }
      assert.equal(asherah.getSetupStatus(), false);
    });
  }

  it('may be text in both casings', async () => {
    for (const config of [config3(), config4()]) {
      asherah.setup(JSON.stringify(config));
      assert.equal(asherah.decryptString('p', asherah.encryptString('p', 'x')), 'x');
      asherah.shutdown();
      await asherah.setupAsync(JSON.stringify(config));
      asherah.shutdown();
    }
  });
});
