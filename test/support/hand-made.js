// SPDX-License-Identifier: Apache-2.0

// The whole envelope with nothing but node:crypto and the AWS SDK for JavaScript, as the formats are written down in
// docs/kms.md: system key under AWS KMS, intermediate key under it, data row key under that.

const { createCipheriv, createDecipheriv, randomBytes } = require('node:crypto');
const { DecryptCommand, EncryptCommand, GenerateDataKeyCommand } = require('@aws-sdk/client-kms');
const { kmsClient } = require('./services.js');

/** AES-256-GCM: ciphertext, tag (16 bytes), nonce (12 bytes). */
function seal(key, data) {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  return Buffer.concat([cipher.update(data), cipher.final(), cipher.getAuthTag(), nonce]);
}

function open(key, sealed) {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(-12));
  decipher.setAuthTag(sealed.subarray(-28, -12));
  return Buffer.concat([decipher.update(sealed.subarray(0, -28)), decipher.final()]);
}

const base64 = (bytes) => Buffer.from(bytes).toString('base64');
const bytes = (text) => Buffer.from(text, 'base64');

async function send(region, command) {
  const client = kmsClient(region);
  try {
    return await client.send(command);
  } finally {
    client.destroy();
  }
}

/**
 * A system key as AWS KMS guards it.
 * @param {Record<string, string>} regionMap the regions that shall be able to decrypt it
 * @returns {Promise<string>} the Key of its row
 */
async function wrapSystemKey(systemKey, regionMap) {
  const [[first, arn], ...others] = Object.entries(regionMap);
  const made = await send(first, new GenerateDataKeyCommand({ KeyId: arn, KeySpec: 'AES_256' }));
  const keks = [{ region: first, arn, encryptedKek: base64(made.CiphertextBlob) }];
  for (const [region, arn] of others) {
    const { CiphertextBlob } = await send(region, new EncryptCommand({ KeyId: arn, Plaintext: made.Plaintext }));
    keks.push({ region, arn, encryptedKek: base64(CiphertextBlob) });
  }
  return base64(JSON.stringify({ encryptedKey: base64(seal(made.Plaintext, systemKey)), kmsKeks: keks }));
}

/** @returns {{ encryptedKey: string, kmsKeks: { region: string, arn: string, encryptedKek: string }[] }} of a row's Key */
const kmsEnvelope = (key) => JSON.parse(bytes(key).toString());

/** The system key of a row's Key, decrypted by one region alone. */
async function unwrapSystemKey(key, region) {
  const { encryptedKey, kmsKeks } = kmsEnvelope(key);
  const kek = kmsKeks.find((k) => k.region === region);
  const answer = await send(
    region,
    new DecryptCommand({
      CiphertextBlob: bytes(kek.encryptedKek),
      KeyId: kek.arn,
      EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
    }),
  );
  return open(answer.Plaintext, bytes(encryptedKey));
}

/** @returns {Promise<Buffer>} the data of a record, from the rows that it needs and one region */
async function openRecord(text, rows, region) {
  const record = JSON.parse(text);
  const rowOf = ({ KeyId, Created }) =>
    rows.find(({ id, record }) => id === KeyId && record.Created === Created).record;
  const intermediate = rowOf(record.Key.ParentKeyMeta);
  const systemKey = await unwrapSystemKey(rowOf(intermediate.ParentKeyMeta).Key, region);
  const intermediateKey = open(systemKey, bytes(intermediate.Key));
  return open(open(intermediateKey, bytes(record.Key.Key)), bytes(record.Data));
}

/**
 * A record and the rows under it, all new.
 * @param {{ service: string, product: string, partition: string, regionMap: Record<string, string>, created?: number }} of
 *   `created` in Unix seconds, a full minute
 * @returns {Promise<{ record: string, rows: { id: string, created: number, record: object }[] }>}
 */
async function makeRecord(data, { service, product, partition, regionMap, created = fullMinute() }) {
  const [systemKey, intermediateKey, dataRowKey] = [randomBytes(32), randomBytes(32), randomBytes(32)];
  const systemId = `_SK_${service}_${product}`;
  const intermediateId = `_IK_${partition}_${service}_${product}`;
  const system = { Created: created, Key: await wrapSystemKey(systemKey, regionMap) };
  const intermediate = {
    ParentKeyMeta: { Created: created, KeyId: systemId },
    Key: base64(seal(systemKey, intermediateKey)),
    Created: created,
  };
  const record = {
    Data: base64(seal(dataRowKey, data)),
    Key: {
      ParentKeyMeta: { Created: created, KeyId: intermediateId },
      Key: base64(seal(intermediateKey, dataRowKey)),
      Created: Math.floor(Date.now() / 1000),
    },
  };
  return {
    record: JSON.stringify(record),
    rows: [
      { id: systemId, created, record: system },
      { id: intermediateId, created, record: intermediate },
    ],
  };
}

/** @returns {number} Unix seconds */
function fullMinute() {
  const now = Math.floor(Date.now() / 1000);
  return now - (now % 60);
}

module.exports = { fullMinute, kmsEnvelope, makeRecord, openRecord };
