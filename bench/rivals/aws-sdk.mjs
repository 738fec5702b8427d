// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { PARTITION } from './config.mjs';

const require = createRequire(import.meta.url);

/**
 * The AWS Encryption SDK with a wrapping key of our own, so that no network is in it. Its default suite also signs every
 * record with ECDSA P-384, which costs milliseconds and which Asherah does not do: the suite here is the same without it.
 */
export async function open({ cache = false }) {
  const sdk = require('@aws-crypto/client-node');
  const { encrypt, decrypt } = sdk.buildClient(sdk.CommitmentPolicy.REQUIRE_ENCRYPT_REQUIRE_DECRYPT);
  const keyring = new sdk.RawAesKeyringNode({
    keyName: 'bench-key',
    keyNamespace: 'bench-product',
    unencryptedMasterKey: new Uint8Array(randomBytes(32)),
    wrappingSuite: sdk.RawAesWrappingSuiteIdentifier.AES256_GCM_IV12_TAG16_NO_PADDING,
  });
  const materials = cache
    ? new sdk.NodeCachingMaterialsManager({
        backingMaterials: keyring,
        cache: sdk.getLocalCryptographicMaterialsCache(1000),
        maxAge: 3600_000,
        maxMessagesEncrypted: 2 ** 32,
        maxBytesEncrypted: Number.MAX_SAFE_INTEGER,
      })
    : keyring;
  const options = {
    suiteId: sdk.AlgorithmSuiteIdentifier.ALG_AES256_GCM_IV12_TAG16_HKDF_SHA512_COMMIT_KEY,
    encryptionContext: { partition: PARTITION },
  };
  return {
    get version() {
      return require('@aws-crypto/client-node/package.json').version;
    },
    async: {
      encrypt: async (data) => (await encrypt(materials, data, { ...options, plaintextLength: data.length })).result,
      decrypt: async (record) => (await decrypt(materials, record)).plaintext,
    },
    close() {},
  };
}
