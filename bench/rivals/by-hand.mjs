// SPDX-License-Identifier: Apache-2.0

import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { PARTITION } from './config.mjs';

/**
 * The same record as a careful author would write it with node:crypto, given an intermediate key that never changes: no
 * metastore, no rotation, no key memory. One call for all randomness; the data row key is wiped.
 */
export async function open() {
  const intermediateKey = createSecretKey(randomBytes(32));
  const parent = {
    KeyId: `_IK_${PARTITION}_bench-service_bench-product`,
    Created: Math.floor(Date.now() / 60000) * 60,
  };

  function seal(key, nonce, data) {
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag(), nonce]);
  }

  function unseal(key, sealed) {
    const end = sealed.length;
    const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(end - 12));
    cipher.setAuthTag(sealed.subarray(end - 28, end - 12));
    const data = cipher.update(sealed.subarray(0, end - 28));
    cipher.final();
    return data;
  }

  function encrypt(data) {
    const random = randomBytes(56);
    const key = random.subarray(0, 32);
    const record = JSON.stringify({
      Key: {
        Created: Math.floor(Date.now() / 1000),
        Key: seal(intermediateKey, random.subarray(32, 44), key).toString('base64'),
        ParentKeyMeta: parent,
      },
      Data: seal(key, random.subarray(44), data).toString('base64'),
    });
    key.fill(0);
    return record;
  }

  function decrypt(text) {
    const record = JSON.parse(text);
    if (record.Key.ParentKeyMeta.KeyId !== parent.KeyId) throw new Error('a record of another partition');
    const key = unseal(intermediateKey, Buffer.from(record.Key.Key, 'base64'));
    const data = unseal(key, Buffer.from(record.Data, 'base64'));
    key.fill(0);
    return data;
  }

  return {
    version: process.version,
    sync: { encrypt, decrypt },
    // node:crypto has no asynchronous ciphers; a promise around the same work is what such code offers.
    async: { encrypt: async (data) => encrypt(data), decrypt: async (record) => decrypt(record) },
    close() {},
  };
}
