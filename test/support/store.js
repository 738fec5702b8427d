// SPDX-License-Identifier: Apache-2.0

// A SQLite file per test, and factories on it.

const { mkdtempSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { SessionFactory } = require('asherah-napi');

const masterKey = '5a'.repeat(32);

/** A folder that goes away with the test file that asked for it. */
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

module.exports = { masterKey, openFactory, temporaryFolder, withSession };
