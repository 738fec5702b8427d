// SPDX-License-Identifier: Apache-2.0

// A SQLite file per test, factories on it, and what they must and must not do.

const assert = require('node:assert/strict');
const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { AsherahError, SessionFactory } = require('asherah-napi');

const masterKey = '5a'.repeat(32);

/** A folder that goes away with the `describe` that asked for it. */
function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'asherah-test-'));
  after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder;
}

/** @returns {SessionFactory} with an empty key cache */
function openFactory(db, options = {}) {
  return new SessionFactory({
    serviceName: 'service',
    productId: 'product',
    kms: 'static',
    staticMasterKeyHex: masterKey,
    metastore: 'sqlite',
    connectionString: db,
    ...options,
  });
}

/** Runs `use` with a session of a factory that is opened for it and closed after it. */
async function withSession(db, partition, use, options) {
  const factory = openFactory(db, options);
  try {
    const session = factory.getSession(partition);
    return await use(session, factory);
  } finally {
    factory.close();
  }
}

/** For assert.throws and assert.rejects. */
const has = (code) => (error) => error instanceof AsherahError && error.code === code;

/** Sync and async calls must fail alike. */
async function fails(session, method, argument, code) {
  assert.throws(() => session[method](argument), has(code));
  await assert.rejects(session[`${method}Async`](argument), has(code));
}

/** What a healthy store does: keys for two new partitions, and the record of before (from {@link recordIn}). */
async function works(factory, record) {
  const name = `fresh ${Math.random()}`;
  const sessions = [factory.getSession(`${name} sync`), factory.getSession(`${name} async`)];
  assert.equal(sessions[0].decryptString(sessions[0].encrypt('sync')), 'sync');
  assert.equal(await sessions[1].decryptStringAsync(await sessions[1].encryptAsync('async')), 'async');
  assert.equal(factory.getSession('partition').decryptString(record), 'before');
}

/** Makes the keys of a partition, and a record. */
const recordIn = (db) => withSession(db, 'partition', (session) => session.encrypt('before'));

module.exports = { fails, has, masterKey, openFactory, recordIn, temporaryFolder, withSession, works };
