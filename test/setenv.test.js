// SPDX-License-Identifier: Apache-2.0
// The fear: credentials that are set by halves, or not at all, and nobody hears of it; or that everybody hears of.
const assert = require('node:assert/strict');
const { Worker } = require('node:worker_threads');
const { AsherahError, setenv } = require('asherah-napi');

const names = ['ASHERAH_TEST_SET_A', 'ASHERAH_TEST_SET_B', 'ASHERAH_TEST_SET_C'];
const [a, b, c] = names;
const now = () => names.map((name) => process.env[name]);

function refused(environment, message = /^environment: expected .+, got .+\. .+\.$/) {
  const before = { ...process.env };
  let error;
  try {
    setenv(environment);
  } catch (e) {
    error = e;
  }
  assert.ok(error instanceof AsherahError, `an AsherahError, got ${error}`);
  assert.equal(error.code, 'ERR_ASHERAH_INVALID_ARGUMENT');
  assert.match(error.message, message);
  assert.ok(!`${error.message} ${error.stack} ${error.cause}`.includes('hunter2'), error.stack);
  assert.deepEqual({ ...process.env }, before, 'nothing is set');
}

describe('setenv', () => {
  beforeEach(() => {
    process.env[c] = 'before';
  });
  afterEach(() => {
    for (const name of names) delete process.env[name];
  });

  const variables = { [a]: 'one', [b]: 'two=2 {"}', [c]: null };
  const json = JSON.stringify(variables);
  const forms = {
    'an object': variables,
    'an object without a prototype': Object.assign(Object.create(null), variables),
    'JSON text': json,
    'JSON text with white space': `\n  ${JSON.stringify(variables, undefined, 2)}\n`,
    'JSON text that was encoded twice': JSON.stringify(json),
    'a Buffer of JSON text': Buffer.from(json),
    'a Uint8Array of JSON text that was encoded twice': new Uint8Array(Buffer.from(JSON.stringify(json))),
  };
  for (const [form, environment] of Object.entries(forms)) {
    it(`takes ${form}, and unsets what is null`, () => {
      assert.equal(setenv(environment), undefined);
      assert.deepEqual(now(), ['one', 'two=2 {"}', undefined]);
      assert.ok(!(c in process.env));
    });
  }

  it('takes lines NAME=value, as asherah 4 does', () => {
    for (const lines of [`${a}=one\n${b}=two=2 {"}`, `\n# no = comment\r\n  ${a} =  one \r\n\n${b}=two=2 {"}\n`]) {
      setenv(lines);
      assert.deepEqual(now(), ['one', 'two=2 {"}', 'before']);
      delete process.env[a];
    }
    setenv(Buffer.from(`${a}=\n${c}=after`));
    assert.deepEqual(now(), ['', 'two=2 {"}', 'after']);
  });

  it('takes an object of another realm, and one of nothing', () => {
    setenv(require('node:vm').runInNewContext(`({ ${a}: 'one' })`));
    assert.equal(process.env[a], 'one');
    setenv({});
    setenv('{}');
  });

  it('refuses what would set nothing, or not all, and sets nothing then', () => {
    const json = [
      '{',
      '{"a": "hunter2"',
      '"hunter2"',
      '"[1]"',
      '"5"',
      `"\\"${a}=hunter2\\""`,
      '{"a": 5}',
      '{"a": {"b": "hunter2"}}',
    ];
    const text = ['', ' ', '\n', '# hunter2', 'hunter2', `${a}=one\nhunter2`, '=hunter2', '[]', '5', 'null'];
    const others = [undefined, null, 5, true, Symbol('s'), () => ({}), [], [[a, 'hunter2']], new Map([[a, 'hunter2']])];
    const objects = [
      new Date(),
      new ArrayBuffer(8),
      new Uint16Array(2),
      new Proxy({ [a]: 'hunter2' }, {}),
      new (class X {})(),
    ];
    for (const environment of [...json, ...text, ...others, ...objects]) refused(environment);
    refused(Buffer.from([0x7b, 0xff, 0x7d]), /expected bytes of UTF-8/);
    for (const value of [5, true, {}, undefined, ['hunter2']])
      refused({ [a]: 'one', [b]: value }, new RegExp(`null for ${b}, got `));
    refused({ [a]: 'hunter2\0' }, /zero bytes/);
    for (const name of ['', 'A=B', 'A\0', 'hunter2=']) refused({ [a]: 'one', [name]: 'two' }, /names of variables/);
    refused({ [a]: 'one', 'hunter2 hunter2': 5 }, /for one of its values/);
  });

  it('reads a getter once', () => {
    let reads = 0;
    setenv({
      get [a]() {
        return ++reads === 1 ? 'one' : 5;
      },
    });
    assert.deepEqual([process.env[a], reads], ['one', 1]);
  });

  it('sets the variables of its own thread', async () => {
    const source = `require('asherah-napi').setenv({ ${a}: 'theirs' });
      require('node:worker_threads').parentPort.postMessage(process.env.${a});`;
    const worker = new Worker(source, { eval: true });
    const theirs = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    await worker.terminate();
    assert.deepEqual([theirs, process.env[a]], ['theirs', undefined]);
  });
});
