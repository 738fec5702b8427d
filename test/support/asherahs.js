// SPDX-License-Identifier: Apache-2.0

// This package and two others as one kind of thing over a store of cloud-stores.js: the official Go library with its own
// metastores, and the Rust core as PyPI has it.

const { join } = require('node:path');
const { masterKey, withFactory } = require('./cloud-stores.js');
const { Peer, startGoAws } = require('./peer.js');
const { peerPython } = require('./services.js');

/** What each peer is told about a store. The Go library's SQL drivers want TLS by a word of their own. */
const GO = {
  mysql: (store) => ({ mysql: store.database.dsn({ parameters: store.parameters ? '' : 'tls=skip-verify' }) }),
  postgres: (store) => ({ postgres: store.database.url() }),
  dynamodb: ({ endpoint, region, table }, regionSuffix) => ({
    dynamodb: { endpoint, region, name: table, regionSuffix },
  }),
};
const sqlForPython = (store) => ({ Metastore: 'rdbms', ConnectionString: store.database.url() });
const PYTHON = {
  mysql: sqlForPython,
  postgres: sqlForPython,
  dynamodb: ({ endpoint, region, table }, regionSuffix) => ({
    ...{ Metastore: 'dynamodb', DynamoDBEndpoint: endpoint, DynamoDBRegion: region, DynamoDBTableName: table },
    EnableRegionSuffix: regionSuffix,
  }),
};

/** @returns {{ go: Peer, python: Peer, stop: () => void }} */
function startPeers() {
  const go = startGoAws();
  // The Rust core notes a configuration in the table and refuses to start with another, a region's suffix for instance.
  const env = { PYTHONIOENCODING: 'utf-8', PYTHONUTF8: '1', ASHERAH_CONFIG_DRIFT_FORCE_RUN: 'true' };
  const python = new Peer(peerPython(), [join(__dirname, '../interop/python/peer.py')], {
    env: { ...process.env, ...env },
  });
  return {
    go,
    python,
    stop() {
      go.stop();
      python.stop();
    },
  };
}

/**
 * The three. Each opens a factory for the one call, so that every key comes from the store.
 * @param {{ go: Peer, python: Peer }} peers
 * @param {{ service: string, product: string, partition: string }} names
 */
function asherahs({ go, python }, store, names, { regionSuffix = false, region = store.region } = {}) {
  const there = Object.assign(Object.create(store), { region });
  const forGo = { ...names, masterKey, ...GO[store.kind](there, regionSuffix) };
  const config = { KMS: 'static', StaticMasterKeyHex: masterKey, ...PYTHON[store.kind](there, regionSuffix) };
  const forPython = { ...names, config };
  const options = {
    ...{ serviceName: names.service, productId: names.product },
    ...(regionSuffix && { enableRegionSuffix: true }),
  };
  const ours = (use) => withFactory(there.options(), (f) => use(f.getSession(names.partition)), options);
  return {
    ours: {
      encrypt: (text) => ours((session) => session.encryptAsync(text)),
      decrypt: (record) => ours((session) => session.decryptString(record)),
    },
    go: { encrypt: (text) => go.encrypt(forGo, text), decrypt: async (r) => String(await go.decrypt(forGo, r)) },
    python: {
      encrypt: (text) => python.encrypt(forPython, text),
      decrypt: async (r) => String(await python.decrypt(forPython, r)),
    },
  };
}

/** Without the row that the Rust packages keep for themselves. */
const keyRows = async (store) => (await store.rows()).filter(({ id }) => /^_[SI]K_/.test(id));

/** The intermediate key of a record, as text to compare. */
const parentOf = (record) => JSON.stringify(JSON.parse(record).Key.ParentKeyMeta);

module.exports = { asherahs, keyRows, parentOf, startPeers };
