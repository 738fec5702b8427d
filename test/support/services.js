// SPDX-License-Identifier: Apache-2.0

// The real servers of scripts/services.mjs, as tests see them. Everything made here has a name of its own and is never
// cleaned up: the servers do not outlive the run.

const { randomBytes } = require('node:crypto');
const { URL } = require('node:url');

const VARIABLES = {
  kms: 'ASHERAH_TEST_KMS_ENDPOINTS',
  dynamodb: 'ASHERAH_TEST_DYNAMODB',
  mysql: 'ASHERAH_TEST_MYSQL',
  postgres: 'ASHERAH_TEST_POSTGRES',
  toxiproxy: 'ASHERAH_TEST_TOXIPROXY',
  peer: 'ASHERAH_TEST_PEER_PYTHON',
};

const HOW = '`node scripts/services.mjs install` once, then `npm run services -- run -- npm test`';
const REGION = 'us-west-2';
const CREDENTIALS = { accessKeyId: 'test', secretAccessKey: 'test' };

const told = new Set();

/** The variable of a service. @throws {Error} that says how to get it, when there is none */
function variable(name) {
  const value = process.env[VARIABLES[name]];
  if (value) return value;
  throw new Error(`no ${name} for this test (${VARIABLES[name]} is not set): ${HOW}`);
}

/**
 * For a `describe` whose tests need services: without one of them they are skipped and the way to get it is printed, or, when
 * ASHERAH_TEST_REQUIRE=1 (CI), they fail.
 * @param {...('kms' | 'dynamodb' | 'mysql' | 'postgres' | 'toxiproxy' | 'peer')} names
 */
function need(...names) {
  for (const name of names) {
    if (!Object.hasOwn(VARIABLES, name)) throw new Error(`no service ${name}`);
  }
  before(function () {
    for (const name of names) {
      try {
        variable(name);
      } catch (error) {
        if (process.env.ASHERAH_TEST_REQUIRE === '1') throw error;
        if (!told.has(name)) console.error(`skipped: ${error.message}`);
        told.add(name);
        this.skip();
      }
    }
  });
}

const fresh = (prefix) => `${prefix}_${randomBytes(6).toString('hex')}`;

/** @returns {Record<string, string>} region: endpoint, each a server of its own; the first is the preferred one */
const kmsEndpoints = () =>
  Object.fromEntries(
    variable('kms')
      .split(',')
      .map((pair) => pair.split(/=(.*)/s).slice(0, 2)),
  );

/** @returns {import('@aws-sdk/client-kms').KMSClient} of one region */
function kmsClient(region) {
  const { KMSClient } = require('@aws-sdk/client-kms');
  return new KMSClient({ region, endpoint: kmsEndpoints()[region], credentials: CREDENTIALS });
}

/** Makes a key in every region. @returns {Promise<Record<string, string>>} region: ARN, as a region map is */
async function kmsKeys() {
  const { CreateKeyCommand } = require('@aws-sdk/client-kms');
  const made = Object.keys(kmsEndpoints()).map(async (region) => {
    const client = kmsClient(region);
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
    client.destroy();
    return [region, KeyMetadata.Arn];
  });
  return Object.fromEntries(await Promise.all(made));
}

/** @returns {import('@aws-sdk/client-dynamodb').DynamoDBClient} */
function dynamodbClient() {
  const { DynamoDBClient } = require('@aws-sdk/client-dynamodb');
  return new DynamoDBClient({ region: REGION, endpoint: variable('dynamodb'), credentials: CREDENTIALS });
}

/** Makes an empty table of keys. @returns {Promise<{ endpoint: string, region: string, table: string }>} */
async function dynamodbTable() {
  const { CreateTableCommand, waitUntilTableExists } = require('@aws-sdk/client-dynamodb');
  const table = fresh('EncryptionKey');
  const client = dynamodbClient();
  await client.send(
    new CreateTableCommand({
      TableName: table,
      BillingMode: 'PAY_PER_REQUEST',
      AttributeDefinitions: [
        { AttributeName: 'Id', AttributeType: 'S' },
        { AttributeName: 'Created', AttributeType: 'N' },
      ],
      KeySchema: [
        { AttributeName: 'Id', KeyType: 'HASH' },
        { AttributeName: 'Created', KeyType: 'RANGE' },
      ],
    }),
  );
  await waitUntilTableExists({ client, maxWaitTime: 20, minDelay: 1 }, { TableName: table });
  client.destroy();
  return { endpoint: variable('dynamodb'), region: REGION, table };
}

/** @returns {{ host: string, port: number, user: string, password: string }[]} MariaDB (with TLS), then MySQL 8 (without) */
const mysqlServers = () =>
  variable('mysql')
    .split(',')
    .map((dsn) => {
      const [, user, password, host, port] = /^(\w+):(\w+)@tcp\((.+):(\d+)\)\/$/.exec(dsn);
      return { host, port: Number(port), user, password };
    });

/** An empty database on one of mysqlServers(). */
class MysqlDatabase {
  constructor(server, name) {
    Object.assign(this, server);
    this.name = name;
  }

  static async create(server = mysqlServers()[0]) {
    const name = fresh('asherah');
    await new MysqlDatabase(server, undefined).query(`CREATE DATABASE ${name}`);
    return new MysqlDatabase(server, name);
  }

  /** The Go driver's form. Another port: that of a proxy. `parameters`: "tls=true&…". */
  dsn({ port = this.port, parameters = '' } = {}) {
    const tail = parameters && `?${parameters}`;
    return `${this.user}:${this.password}@tcp(${this.host}:${port})/${this.name}${tail}`;
  }

  /** The form of a URL. */
  url({ port = this.port, parameters = '' } = {}) {
    const tail = parameters && `?${parameters}`;
    return `mysql://${this.user}:${this.password}@${this.host}:${port}/${this.name}${tail}`;
  }

  /** Runs one statement past the library, as an administrator. @returns {Promise<object[]>} its rows */
  async query(statement, values = []) {
    const { createConnection } = require('mysql2/promise');
    const { host, port, user, password, name: database } = this;
    const connection = await createConnection({ host, port, user, password, database, timezone: 'Z' });
    try {
      return (await connection.query(statement, values))[0];
    } finally {
      await connection.end();
    }
  }
}

/** An empty database on the PostgreSQL server, which has TLS. */
class PostgresDatabase {
  constructor(name) {
    this.name = name;
    const { hostname, port, username, password } = new URL(variable('postgres'));
    Object.assign(this, { host: hostname, port: Number(port), user: username, password });
  }

  static async create() {
    const database = new PostgresDatabase(fresh('asherah'));
    await new PostgresDatabase('postgres').query(`CREATE DATABASE ${database.name}`);
    return database;
  }

  /** Another port: that of a proxy. `parameters`: "sslmode=require&…". */
  url({ port = this.port, parameters = '' } = {}) {
    const tail = parameters && `?${parameters}`;
    return `postgres://${this.user}:${this.password}@${this.host}:${port}/${this.name}${tail}`;
  }

  /** Runs one statement past the library, as an administrator. @returns {Promise<object[]>} its rows */
  async query(statement, values = []) {
    const { Client } = require('pg');
    const { host, port, user, password, name: database } = this;
    const client = new Client({ host, port, user, password, database, ssl: false });
    await client.connect();
    try {
      return (await client.query(statement, values)).rows;
    } finally {
      await client.end();
    }
  }
}

async function toxiproxy(method, path, body) {
  const response = await fetch(`${variable('toxiproxy')}${path}`, {
    method,
    ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`toxiproxy: ${method} ${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}

/** A TCP proxy before a server, whose connections can be made bad. */
class Toxiproxy {
  /** @param {string | number} upstream a port of 127.0.0.1, or a URL there */
  static async create(upstream) {
    const port = Number(upstream) || Number(new URL(upstream).port);
    const body = { name: fresh('proxy'), listen: '127.0.0.1:0', upstream: `127.0.0.1:${port}`, enabled: true };
    const { name, listen } = await toxiproxy('POST', '/proxies', body);
    const proxy = new Toxiproxy();
    proxy.name = name;
    proxy.port = Number(listen.split(':').pop());
    proxy.endpoint = `http://127.0.0.1:${proxy.port}`;
    return proxy;
  }

  /**
   * Adds a fault to connections, old and new.
   * @param {'latency' | 'timeout' | 'reset_peer' | 'limit_data' | 'slow_close' | 'bandwidth'} type `timeout` with `timeout: 0`
   *   is a half-open connection: data vanishes and nothing is closed
   * @param {Record<string, number>} attributes of that type, times in ms
   * @param {'downstream' | 'upstream'} stream downstream: what the server answers
   */
  toxic(type, attributes = {}, stream = 'downstream') {
    return toxiproxy('POST', `/proxies/${this.name}/toxics`, { type, stream, toxicity: 1, attributes });
  }

  /** Takes all faults away. */
  async heal() {
    for (const { name } of await toxiproxy('GET', `/proxies/${this.name}/toxics`)) {
      await toxiproxy('DELETE', `/proxies/${this.name}/toxics/${name}`);
    }
  }

  /** Closes all connections and refuses new ones, as a server that was killed. */
  down() {
    return toxiproxy('POST', `/proxies/${this.name}`, { enabled: false });
  }

  /** Serves again on the same port. */
  async up() {
    await toxiproxy('POST', `/proxies/${this.name}`, { enabled: true });
  }
}

/** @returns {string} a Python that can import the Rust Asherah */
const peerPython = () => variable('peer');

/** @returns {string | undefined} the file of the certificate authority that MariaDB's and PostgreSQL's certificates are from */
const certificateAuthority = () => process.env.ASHERAH_TEST_CA;

module.exports = {
  certificateAuthority,
  dynamodbClient,
  dynamodbTable,
  kmsClient,
  kmsEndpoints,
  kmsKeys,
  MysqlDatabase,
  mysqlServers,
  need,
  PostgresDatabase,
  peerPython,
  Toxiproxy,
};
