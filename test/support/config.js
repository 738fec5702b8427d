// SPDX-License-Identifier: Apache-2.0
const assert = require('node:assert/strict');
const { AsherahError, SessionFactory } = require('asherah-napi');

const key = '0123456789abcdefABCDEF0123456789'.repeat(2);
const valid = {
  serviceName: 'service',
  productId: 'product',
  kms: 'static',
  staticMasterKeyHex: key,
  metastore: 'test-debug-memory',
};

/** What no option that takes text may be. */
const wrongText = [
  5,
  true,
  {},
  [],
  Buffer.from('x'),
  Symbol('s'),
  () => 'x',
  new String('x'),
  '',
  '\ud800',
  'a\udc00b',
];

function open(config) {
  new SessionFactory(config).close();
}

function errorOf(config) {
  let error;
  try {
    open(config);
  } catch (e) {
    error = e;
  }
  assert.ok(error instanceof AsherahError, `an AsherahError, got ${error}`);
  return error;
}

function refused(config, start, code = 'ERR_ASHERAH_INVALID_CONFIG') {
  const error = errorOf(config);
  assert.equal(error.code, code, error.message);
  assert.ok(error.message.startsWith(start), error.message);
  assert.match(error.message, /^[^:]+: expected .+, got .+\. .+[.?]$/, 'the grammar of all messages');
  return error;
}

module.exports = { errorOf, key, open, refused, valid, wrongText };
