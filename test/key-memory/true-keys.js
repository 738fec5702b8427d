// SPDX-License-Identifier: Apache-2.0
// Every key there is, worked out from the master key, the SQLite file and the records with node:crypto alone.
const assert = require('node:assert');
const fs = require('node:fs');
const initSqlJs = require('sql.js');
const { SessionFactory } = require('asherah-napi');
const { open } = require('./needles.js');

class TrueKeys {
  #masterKey;
  #config;
  #rows = new Map(); // key id and created date -> key
  #dataRowKeys = []; // one array per round

  /** @param {Buffer} masterKey of `config`, the configuration of the process that is looked at; it must be quiet */
  constructor(masterKey, config) {
    this.#masterKey = masterKey;
    this.#config = config;
  }

  get rowCount() {
    return this.#rows.size;
  }

  /** Works out the data row keys of one round's records, and what they hang on. */
  async addRound(records) {
    const parents = records.map((record) => JSON.parse(record).Key.ParentKeyMeta);
    if (parents.some((parent) => !this.#rows.has(nameOf(parent)))) await this.#loadRows(records[0]);
    this.#dataRowKeys.push(records.map((record) => this.#unwrap(JSON.parse(record).Key)));
  }

  /** {name, key} of all keys; of the data row keys only those of the last rounds. */
  named(rounds = Infinity) {
    const list = [{ name: 'static master key', key: this.#masterKey }];
    for (const [id, key] of this.#rows) {
      list.push({ name: id.startsWith('_SK_') ? 'system key' : 'intermediate key', key });
    }
    for (const key of this.#dataRowKeys.slice(-rounds).flat()) list.push({ name: 'data row key', key });
    return list;
  }

  /** Reads a copy of the SQLite file, because the other process has it open. */
  async #loadRows(record) {
    const file = this.#config.connectionString;
    const copy = `${file}.copy`;
    for (const suffix of ['', '-wal']) {
      if (fs.existsSync(file + suffix)) fs.copyFileSync(file + suffix, copy + suffix);
    }
    // Whoever closes a SQLite file last folds its write-ahead log into it, which sql.js cannot read.
    const factory = new SessionFactory({ ...this.#config, connectionString: copy });
    const { serviceName, productId } = this.#config;
    const { KeyId } = JSON.parse(record).Key.ParentKeyMeta;
    factory.getSession(KeyId.slice('_IK_'.length, -`_${serviceName}_${productId}`.length)).decrypt(record);
    factory.close();

    const { Database } = await initSqlJs();
    const database = new Database(fs.readFileSync(copy));
    const [{ values }] = database.exec('SELECT id, key_record FROM encryption_key');
    database.close();
    for (const suffix of ['', '-wal', '-shm']) fs.rmSync(copy + suffix, { force: true });

    const rows = values.map(([KeyId, text]) => ({ KeyId, ...JSON.parse(text) }));
    const isSystemKey = (row) => row.ParentKeyMeta === undefined;
    for (const row of [...rows.filter(isSystemKey), ...rows.filter((row) => !isSystemKey(row))]) {
      this.#rows.set(nameOf(row), this.#unwrap(row));
    }
  }

  #unwrap({ Key, ParentKeyMeta }) {
    const parent = ParentKeyMeta === undefined ? this.#masterKey : this.#rows.get(nameOf(ParentKeyMeta));
    assert.ok(parent, `no row of ${ParentKeyMeta?.KeyId}`);
    return open(parent, Buffer.from(Key, 'base64'));
  }
}

const nameOf = ({ KeyId, Created }) => `${KeyId} ${Created}`;

module.exports = { TrueKeys };
