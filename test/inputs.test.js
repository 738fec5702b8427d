// SPDX-License-Identifier: Apache-2.0
const assert = require('node:assert/strict');
const { constants } = require('node:buffer');
const vm = require('node:vm');
const { AsherahError, SessionFactory } = require('asherah-napi');

let factory;
let session;
before(() => {
  factory = new SessionFactory({
    serviceName: 'service',
    productId: 'product',
    kms: 'static',
    staticMasterKeyHex: '42'.repeat(32),
    metastore: 'test-debug-memory',
  });
  session = factory.getSession('partition');
});
const text = 'zażółć 🙂';

/** Both faces of a call must agree: what one refuses, the other rejects with the same code. */
async function refused(method, value, code) {
  const isRight = (error) => error instanceof AsherahError && error.code === code;
  assert.throws(() => session[method](value), isRight);
  let promise;
  assert.doesNotThrow(() => {
    promise = session[`${method}Async`](value);
  }, 'an asynchronous method rejects, it never throws');
  await assert.rejects(promise, isRight);
}

async function becomes(data, bytes) {
  for (const record of [session.encrypt(data), await session.encryptAsync(data)]) {
    assert.deepEqual(session.decrypt(record), bytes);
    assert.deepEqual(await session.decryptAsync(record), bytes);
  }
}

describe('data', () => {
  const bytes = Buffer.from(text);
  const sixteen = Buffer.from('0123456789abcdef');
  const inMiddle = () => {
    const whole = new Uint8Array(48).fill(0xee);
    whole.set(sixteen, 16);
    return whole.buffer;
  };

  it('of every kind comes back as its raw bytes', async () => {
    await becomes(text, bytes);
    await becomes(bytes, bytes);
    await becomes(new Uint8Array(bytes), bytes);
    await becomes(Uint8Array.from(bytes).buffer, bytes);
    const views = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array];
    for (const View of [...views, Float32Array, Float64Array, BigInt64Array, BigUint64Array]) {
      await becomes(new View(inMiddle(), 16, 16 / View.BYTES_PER_ELEMENT), sixteen);
    }
    await becomes(new DataView(inMiddle(), 16, 16), sixteen);
    await becomes(Buffer.from(inMiddle()).subarray(16, 32), sixteen);
  });

  it('of another realm or a subclass is data all the same', async () => {
    await becomes(vm.runInNewContext('new Uint8Array([1, 2, 3])'), Buffer.from([1, 2, 3]));
    await becomes(vm.runInNewContext('new Uint8Array([1, 2, 3]).buffer'), Buffer.from([1, 2, 3]));
    await becomes(vm.runInNewContext('new DataView(new ArrayBuffer(3))'), Buffer.alloc(3));
    await becomes(new (class Mine extends Uint8Array {})([1, 2]), Buffer.from([1, 2]));
  });

  it('in memory shared between threads is taken as one copy', async () => {
    const shared = new SharedArrayBuffer(16);
    new Uint8Array(shared).set(sixteen);
    await becomes(shared, sixteen);
    await becomes(new Uint8Array(shared), sixteen);
    await becomes(new Float64Array(shared), sixteen);
    await becomes(new DataView(shared, 4, 4), sixteen.subarray(4, 8));
    await becomes(Buffer.from(shared, 8, 8), sixteen.subarray(8));
  });

  it('that is empty is data', async () => {
    for (const empty of ['', Buffer.alloc(0), new Uint8Array(0), new ArrayBuffer(0), new Float64Array(0)]) {
      await becomes(empty, Buffer.alloc(0));
    }
    await becomes(new DataView(new ArrayBuffer(8), 8), Buffer.alloc(0));
    await becomes(new Uint8Array(new SharedArrayBuffer(0)), Buffer.alloc(0));
  });

  it('whose bytes were transferred away is refused, not taken for empty', async () => {
    const detached = (View) => {
      const buffer = new ArrayBuffer(16);
      const view = View === ArrayBuffer ? buffer : new View(buffer);
      structuredClone(buffer, { transfer: [buffer] });
      return view;
    };
    for (const View of [ArrayBuffer, Uint8Array, Float64Array, DataView]) {
      await refused('encrypt', detached(View), 'ERR_ASHERAH_INVALID_ARGUMENT');
    }
  });

  it('whose buffer was made smaller than its view is refused', async () => {
    for (const View of [Uint8Array, Float64Array, DataView]) {
      const buffer = new ArrayBuffer(32, { maxByteLength: 32 });
      const view = new View(buffer, 16, 1);
      buffer.resize(8);
      await refused('encrypt', view, 'ERR_ASHERAH_INVALID_ARGUMENT');
    }
  });

  it('of another type is refused by its type, which is all that is printed', async () => {
    const notData = [
      undefined,
      null,
      0,
      5,
      NaN,
      true,
      1n,
      {},
      [],
      [1, 2],
      () => {},
      Symbol('s'),
      new Date(),
      new String('x'),
    ];
    const looksLike = [{ length: 3 }, { byteLength: 3, buffer: new ArrayBuffer(3) }, new Proxy(new Uint8Array(3), {})];
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    for (const value of [...notData, ...looksLike, proxy, Object.create(Uint8Array.prototype), new Set(['hunter2'])]) {
      await refused('encrypt', value, 'ERR_ASHERAH_INVALID_ARGUMENT');
    }
    const messageOf = (value) => {
      try {
        session.encrypt(value);
      } catch (error) {
        return error.message;
      }
    };
    assert.match(messageOf(null), /^data: expected a string, Buffer, .+, got null\. /);
    assert.match(messageOf(123456), /got a number\./);
    assert.match(messageOf({ secret: 'hunter2' }), /^(?!.*hunter2)data: .+ got an object\. /);
    assert.match(messageOf(['hunter2']), /^(?!.*hunter2)data: .+ got an array of 1 elements\. /);
  });

  it('that is text keeps every character, and half a surrogate pair becomes U+FFFD', async () => {
    const all = Array.from({ length: 0x800 }, (_, i) => String.fromCodePoint(i)).join('');
    for (const string of [all, '\0', '\u2028<>&"\\', 'é', 'ÿ', '🙂'.repeat(1000), '\ufeffbom', 'a'.repeat(70_000)]) {
      assert.equal(session.decryptString(session.encrypt(string)), string);
      assert.equal(await session.decryptStringAsync(await session.encryptAsync(string)), string);
    }
    assert.equal(session.decryptString(session.encrypt('a\ud800b')), 'a\ufffdb');
  });

  it('of any length comes back', async () => {
    for (const length of [1, 2, 3, 63, 64, 65, 1023, 65_535, 65_536, 65_537, 100_000, 1_000_003]) {
      const data = Buffer.alloc(length, (i) => i).map((_, i) => (i * 31) & 255);
      await becomes(data, Buffer.from(data));
    }
  });

  it('may be changed as soon as the asynchronous call returned', async () => {
    for (const length of [100, 1_000_000]) {
      const data = Buffer.alloc(length, 'a');
      const promise = session.encryptAsync(data);
      data.fill('b');
      assert.ok(session.decrypt(await promise).equals(Buffer.alloc(length, 'a')));
    }
  });

  it('too long for one JavaScript string is refused before anything is done', async () => {
    // Zero pages that nobody touches cost no memory.
    const tooLong = Buffer.alloc(Math.ceil((constants.MAX_STRING_LENGTH / 4) * 3));
    await refused('encrypt', tooLong, 'ERR_ASHERAH_TOO_LARGE');
    await refused('encrypt', tooLong.buffer, 'ERR_ASHERAH_TOO_LARGE');
    await refused('encrypt', new Float64Array(tooLong.buffer, 0, tooLong.length >> 3), 'ERR_ASHERAH_TOO_LARGE');
    // Fewer characters than the limit, but three bytes each. (Bun's strings are longer than many a memory.)
    if (constants.MAX_STRING_LENGTH > 2 ** 30) return;
    assert.throws(() => session.encrypt('€'.repeat(constants.MAX_STRING_LENGTH / 4)), {
      code: 'ERR_ASHERAH_TOO_LARGE',
    });
  }).timeout(60_000);
});

describe('a data row record', () => {
  let record;
  before(() => {
    record = session.encrypt(text);
  });

  it('is taken as a string or as its bytes', async () => {
    const padded = Buffer.from(`__${record}__`);
    const shared = new Uint8Array(new SharedArrayBuffer(record.length));
    shared.set(Buffer.from(record));
    const array = new Uint8Array(Buffer.from(record));
    const even = (s) => (s.length % 2 ? `${s} ` : s);
    const bytes = [
      Buffer.from(record),
      array,
      array.buffer,
      new DataView(array.buffer),
      padded.subarray(2, -2),
      shared,
    ];
    const forms = [record, ...bytes, new Uint16Array(new Uint8Array(Buffer.from(even(record))).buffer)];
    for (const form of forms) {
      assert.equal(session.decrypt(form).toString(), text);
      assert.equal(session.decryptString(form), text);
      assert.equal((await session.decryptAsync(form)).toString(), text);
      assert.equal(await session.decryptStringAsync(form), text);
    }
  });

  it('that was parsed is refused with the advice to pass the text', async () => {
    await refused('decrypt', JSON.parse(record), 'ERR_ASHERAH_INVALID_ARGUMENT');
    assert.throws(
      () => session.decrypt(JSON.parse(record)),
      /Pass the JSON text that encrypt returned, not the object/,
    );
  });

  it('of another type is refused', async () => {
    const others = [undefined, null, 5, true, 1n, [], [record], () => record, Symbol('s'), new String(record)];
    for (const value of [...others, Object.create(Buffer.prototype)]) {
      await refused('decrypt', value, 'ERR_ASHERAH_INVALID_ARGUMENT');
      await refused('decryptString', value, 'ERR_ASHERAH_INVALID_ARGUMENT');
    }
  });

  it('that is not one is refused', async () => {
    for (const value of [
      '',
      Buffer.alloc(0),
      '{}',
      'null',
      '[]',
      '5',
      '"x"',
      record.slice(0, -1),
      record.slice(1),
      text,
    ]) {
      await refused('decrypt', value, 'ERR_ASHERAH_INVALID_RECORD');
      await refused('decryptString', value, 'ERR_ASHERAH_INVALID_RECORD');
    }
  });

  it('longer than any string is refused before it is read', async () => {
    await refused('decrypt', Buffer.alloc(constants.MAX_STRING_LENGTH + 1), 'ERR_ASHERAH_TOO_LARGE');
  }).timeout(60_000);

  it('whose bytes were transferred away is refused as an argument', async () => {
    const bytes = Uint8Array.from(Buffer.from(record));
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    await refused('decrypt', bytes, 'ERR_ASHERAH_INVALID_ARGUMENT');
  });
});

describe('a decrypted buffer', () => {
  it('shares its memory with nothing', () => {
    for (const length of [0, 1, 64, 5000]) {
      const data = session.decrypt(session.encrypt(Buffer.alloc(length, 7)));
      assert.ok(Buffer.isBuffer(data));
      assert.equal(data.buffer.byteLength, length, 'its ArrayBuffer shows no other plaintext');
    }
  });
});

describe('a partition', () => {
  it('of the wrong type, empty or ambiguous is refused', () => {
    const bad = [undefined, null, 5, {}, [], Buffer.from('p'), new String('p'), Symbol('p'), '', '\ud800', 'a\udc00'];
    for (const partition of bad) {
      assert.throws(
        () => factory.getSession(partition),
        (error) => {
          assert.match(error.message, /^partition: expected a non-empty string of well-formed Unicode, got /);
          return error instanceof AsherahError && error.code === 'ERR_ASHERAH_INVALID_ARGUMENT';
        },
      );
    }
  });

  it('of any other text is one of its own', () => {
    const names = [
      ' ',
      '0',
      'a_b',
      'a',
      'b',
      '<>&"\\',
      '\u2028',
      'é',
      'e\u0301',
      '🙂',
      '\0',
      '__proto__',
      'x'.repeat(5000),
    ];
    const records = names.map((name) => factory.getSession(name).encrypt(name));
    records.forEach((record, i) => {
      names.forEach((name, j) => {
        const other = factory.getSession(name);
        if (i === j) assert.equal(other.decryptString(record), name);
        else assert.throws(() => other.decrypt(record), { code: 'ERR_ASHERAH_PARTITION_MISMATCH' });
      });
    });
  });
});
