// SPDX-License-Identifier: Apache-2.0

import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';

/** AES-256-GCM by node:crypto under one key, bytes in and bytes out. Not a rival in what it does: the least it can cost. */
export async function open() {
  const key = createSecretKey(randomBytes(32));

  function encrypt(data) {
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag(), nonce]);
  }

  function decrypt(sealed) {
    const end = sealed.length;
    const cipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(end - 12));
    cipher.setAuthTag(sealed.subarray(end - 28, end - 12));
    const data = cipher.update(sealed.subarray(0, end - 28));
    cipher.final();
    return data;
  }

  return { version: process.version, sync: { encrypt, decrypt }, close() {} };
}
