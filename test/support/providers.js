// SPDX-License-Identifier: Apache-2.0

// A KMS and a metastore in JavaScript, as a program would write them.

const crypto = require('node:crypto');

/** AES-256-GCM under a key of its own. `calls` has the names of the methods, as they were called. */
class OwnKms {
  calls = [];
  #masterKey = crypto.randomBytes(32);

  encryptKey(key) {
    this.calls.push('encryptKey');
    const iv = crypto.randomBytes(12);
    const cipher = crypto.createCipheriv('aes-256-gcm', this.#masterKey, iv);
    return Buffer.concat([iv, cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  }

  decryptKey(encrypted) {
    this.calls.push('decryptKey');
    const decipher = crypto.createDecipheriv('aes-256-gcm', this.#masterKey, encrypted.subarray(0, 12));
    decipher.setAuthTag(encrypted.subarray(-16));
    return Buffer.concat([decipher.update(encrypted.subarray(12, -16)), decipher.final()]);
  }
}

/** Rows by id, each by date. */
class MapStore {
  calls = [];
  rows = new Map();

  load(id, created) {
    this.calls.push('load');
    return this.rows.get(id)?.get(created) ?? null;
  }

  loadLatest(id) {
    this.calls.push('loadLatest');
    const ofId = this.rows.get(id);
    return ofId?.get(Math.max(...ofId.keys()));
  }

  store(id, created, keyRecord) {
    this.calls.push('store');
    if (!this.rows.has(id)) this.rows.set(id, new Map());
    const ofId = this.rows.get(id);
    if (ofId.has(created)) return false;
    ofId.set(created, keyRecord);
    return true;
  }

  /** As an operator would. */
  revokeAll() {
    for (const ofId of this.rows.values()) {
      for (const [created, text] of ofId) ofId.set(created, JSON.stringify({ ...JSON.parse(text), Revoked: true }));
    }
  }
}

const methods = ['encryptKey', 'decryptKey', 'load', 'loadLatest', 'store'];

/** The same object, with `around(method, call)` in place of each call of a method. */
function wrapped(provider, around) {
  const result = Object.create(provider);
  for (const name of methods.filter((each) => typeof provider[each] === 'function')) {
    result[name] = (...args) => around(name, () => provider[name](...args));
  }
  return result;
}

/** With a promise of each result. */
const promising = (provider) => wrapped(provider, async (_, call) => call());

/** Any of them may wait longer than a test has: who waits for the deadline has failed. */
const ownConfig = (more) => ({
  serviceName: 'service',
  productId: 'product',
  kms: new OwnKms(),
  metastore: new MapStore(),
  requestTimeout: 600,
  ...more,
});

module.exports = { MapStore, OwnKms, ownConfig, promising, wrapped };
