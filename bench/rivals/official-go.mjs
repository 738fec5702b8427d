// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { PARTITION } from './config.mjs';

const require = createRequire(import.meta.url);
const GO_MOD = new URL('../official-go/go.mod', import.meta.url);

/** Drives the native contract (lib/addon.ts) itself: the published package loads no other addon than its own. */
export async function open() {
  const addon = require('../build/official-go.node');
  const config = JSON.stringify({ serviceName: 'bench-service', productId: 'bench-product' });
  const factory = addon.openFactory(config, randomBytes(32), () => {});
  const session = addon.openSession(factory, PARTITION);
  return {
    get version() {
      return /appencryption (\S+)/.exec(readFileSync(GO_MOD, 'utf8'))[1];
    },
    sync: {
      encrypt: (data) => addon.encrypt(session, data),
      decrypt: (record) => toBuffer(addon.decrypt(session, record, shortPlaintext)),
    },
    async: {
      encrypt: (data) => addon.encryptAsync(session, data),
      decrypt: (record) => addon.decryptAsync(session, record),
    },
    getSession(partition) {
      const kept = addon.openSession(factory, partition);
      return { encrypt: (data) => addon.encrypt(kept, data), close: () => addon.closeSession(kept) };
    },
    close() {
      addon.closeSession(session);
      addon.closeFactory(factory);
    },
  };
}

const shortPlaintext = new Uint8Array(4096);

/** As lib/session.ts does with short plaintexts. */
function toBuffer(result) {
  if (typeof result !== 'number') return result;
  const plaintext = shortPlaintext.subarray(0, result);
  const data = Buffer.allocUnsafeSlow(result);
  data.set(plaintext);
  plaintext.fill(0);
  return data;
}
