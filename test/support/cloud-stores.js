// SPDX-License-Identifier: Apache-2.0

// The network metastores as one kind of thing: the options of a factory on it, and its rows past the library.

const { randomBytes } = require('node:crypto');
const { SessionFactory } = require('asherah-napi');
const { dynamodbClient, MysqlDatabase, mysqlServers, PostgresDatabase } = require('./services.js');

const masterKey = '5a'.repeat(32);

/** @typedef {{ id: string, created: number, record: object }} Row created is in Unix seconds */

class SqlStore {
  /** @param {string} [parameters] of its URL */
  constructor(database, parameters) {
    this.database = database;
    this.parameters = parameters;
    this.port = database.port;
  }

  /** @param {number} [port] that of a proxy */
  options(port = this.port) {
    return { metastore: 'rdbms', connectionString: this.database.url({ port, parameters: this.parameters }) };
  }

  /** How errors name it. */
  name(port = this.port) {
    return `metastore ${this.kind} 127.0.0.1:${port}: `;
  }

  /** @returns {Promise<Row[]>} system key first */
  async rows() {
    const rows = await this.database.query(
      `SELECT id, ${this.epoch} AS created, key_record FROM encryption_key ORDER BY id DESC, created`,
    );
    return rows.map(({ id, created, key_record: record }) => ({
      id,
      created: Number(created),
      record: typeof record === 'string' ? JSON.parse(record) : record,
    }));
  }

  /** @param {Row[]} rows what the table shall hold */
  async replace(rows) {
    await this.database.query('DELETE FROM encryption_key');
    for (const row of rows) await this.database.query(this.insert, [row.id, row.created, JSON.stringify(row.record)]);
  }
}

class MysqlStore extends SqlStore {
  kind = 'mysql';
  epoch = 'UNIX_TIMESTAMP(created)';
  insert = 'INSERT INTO encryption_key VALUES (?, FROM_UNIXTIME(?), ?)';
}

class PostgresStore extends SqlStore {
  kind = 'postgres';
  epoch = 'EXTRACT(EPOCH FROM created)';
  insert = 'INSERT INTO encryption_key VALUES ($1, to_timestamp($2::bigint), $3)';
}

const plain = (value) => {
  const [[type, inner]] = Object.entries(value);
  if (type === 'M') return Object.fromEntries(Object.entries(inner).map(([name, each]) => [name, plain(each)]));
  return type === 'N' ? Number(inner) : inner;
};
const typed = (value) => {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  return { M: Object.fromEntries(Object.entries(value).map(([name, each]) => [name, typed(each)])) };
};

class DynamodbStore {
  kind = 'dynamodb';
  region = 'us-west-2';
  table = `EncryptionKey_${randomBytes(6).toString('hex')}`;
  endpoint = process.env.ASHERAH_TEST_DYNAMODB;
  port = Number(new URL(this.endpoint).port);

  options(port = this.port) {
    return {
      metastore: 'dynamodb',
      dynamoDbEndpoint: `http://127.0.0.1:${port}`,
      dynamoDbRegion: this.region,
      dynamoDbTableName: this.table,
    };
  }

  name(port = this.port) {
    return `metastore dynamodb: table ${this.table} in ${this.region} (127.0.0.1:${port}): `;
  }

  async #send(command) {
    const client = dynamodbClient();
    try {
      return await client.send(command);
    } finally {
      client.destroy();
    }
  }

  async rows() {
    const { ScanCommand } = require('@aws-sdk/client-dynamodb');
    const { Items } = await this.#send(new ScanCommand({ TableName: this.table, ConsistentRead: true }));
    return Items.map(({ Id, Created, KeyRecord }) => ({
      id: Id.S,
      created: Number(Created.N),
      record: KeyRecord && plain(KeyRecord),
    })).sort((a, b) => (a.id === b.id ? a.created - b.created : a.id < b.id ? 1 : -1));
  }

  async replace(rows) {
    const { DeleteItemCommand, PutItemCommand } = require('@aws-sdk/client-dynamodb');
    const key = ({ id, created }) => ({ Id: { S: id }, Created: { N: String(created) } });
    for (const row of await this.rows()) {
      await this.#send(new DeleteItemCommand({ TableName: this.table, Key: key(row) }));
    }
    for (const row of rows) {
      await this.#send(
        new PutItemCommand({ TableName: this.table, Item: { ...key(row), KeyRecord: typed(row.record) } }),
      );
    }
  }
}

/** Each makes an empty one, still without its table; `service` is what need() of services.js wants to hear. */
const STORES = {
  MariaDB: { service: 'mysql', create: async () => new MysqlStore(await MysqlDatabase.create(mysqlServers()[0])) },
  'MySQL 8': {
    service: 'mysql',
    create: async () => new MysqlStore(await MysqlDatabase.create(mysqlServers()[1]), 'ssl-mode=DISABLED'),
  },
  PostgreSQL: { service: 'postgres', create: async () => new PostgresStore(await PostgresDatabase.create()) },
  DynamoDB: { service: 'dynamodb', create: async () => new DynamodbStore() },
};

/** The configuration of a factory on a store. Warnings are dropped unless `options` says otherwise. */
const configOn = (storeOptions, options = {}) => ({
  serviceName: 'service',
  productId: 'product',
  kms: 'static',
  staticMasterKeyHex: masterKey,
  ...storeOptions,
  ...options,
});

/** @returns {SessionFactory} with an empty key cache, which the caller closes */
const openOn = (storeOptions, options) => new SessionFactory({ onWarning() {}, ...configOn(storeOptions, options) });

/** Runs `use` with a factory that is opened for it and closed after it. */
async function withFactory(storeOptions, use, options) {
  const factory = openOn(storeOptions, options);
  try {
    return await use(factory);
  } finally {
    factory.close();
  }
}

/** @returns {Promise<object>} a new store with its table, made as applications make it */
async function newStore(name) {
  const store = await STORES[name].create();
  await withFactory(store.options(), (factory) => factory.createSchema());
  return store;
}

/** The rows as they would be if they had been made that much earlier. No date is authenticated. */
function earlier(rows, seconds) {
  return rows.map(({ id, created, record }) => {
    const { ParentKeyMeta: parent } = record;
    return {
      id,
      created: created - seconds,
      record: {
        ...record,
        Created: created - seconds,
        ...(parent && { ParentKeyMeta: { ...parent, Created: parent.Created - seconds } }),
      },
    };
  });
}

/** A record whose key was made that much earlier. */
function recordEarlier(text, seconds) {
  const record = JSON.parse(text);
  record.Key.ParentKeyMeta.Created -= seconds;
  return JSON.stringify(record);
}

module.exports = {
  earlier,
  recordEarlier,
  configOn,
  masterKey,
  MysqlStore,
  newStore,
  openOn,
  PostgresStore,
  STORES,
  withFactory,
};
