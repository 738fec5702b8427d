// SPDX-License-Identifier: Apache-2.0

// Factories with AWS KMS in two regions on a PostgreSQL table of their own, and its rows past the library.

const { SessionFactory } = require('asherah-napi');
const { kmsEndpoints, kmsKeys, PostgresDatabase } = require('./services.js');

const names = { serviceName: 'service', productId: 'product' };

class KmsStore {
  #factories = [];

  static async create() {
    const store = new KmsStore();
    store.regionMap = await kmsKeys();
    store.endpoints = kmsEndpoints();
    store.regions = Object.keys(store.endpoints);
    store.database = await PostgresDatabase.create();
    const factory = store.factory();
    await factory.createSchema();
    factory.close();
    return store;
  }

  /** The preferred region is the first of `regions`. */
  options(options = {}) {
    return {
      ...names,
      ...{ kms: 'aws', regionMap: this.regionMap, preferredRegion: this.regions[0], kmsEndpoint: this.endpoints },
      ...{ metastore: 'rdbms', connectionString: this.database.url() },
      ...options,
    };
  }

  /** A factory with empty caches; a warning that no test expects is an uncaught exception. */
  factory(options) {
    const onWarning = ({ code, message }) => {
      throw new Error(`${code}: ${message}`);
    };
    const factory = new SessionFactory({ onWarning, ...this.options(options) });
    this.#factories.push(factory);
    return factory;
  }

  /** @returns {Promise<{ id: string, created: number, record: object }[]>} system keys first, each kind by date */
  async rows() {
    const rows = await this.database.query(
      'SELECT id, EXTRACT(EPOCH FROM created) AS created, key_record AS record FROM encryption_key ORDER BY id DESC, created',
    );
    return rows.map(({ created, record, ...row }) => ({
      ...row,
      created: Number(created),
      record: typeof record === 'string' ? JSON.parse(record) : record,
    }));
  }

  async systemKeys() {
    return (await this.rows()).filter(({ id }) => id.startsWith('_SK_'));
  }

  async insert(rows) {
    for (const { id, created, record } of rows) {
      const values = [id, created, JSON.stringify(record)];
      await this.database.query('INSERT INTO encryption_key VALUES ($1, to_timestamp($2), $3)', values);
    }
  }

  async clear() {
    await this.database.query('DELETE FROM encryption_key');
  }

  /** For afterEach. */
  async reset() {
    for (const factory of this.#factories.splice(0)) factory.close();
    await this.clear();
  }
}

module.exports = { KmsStore, names };
