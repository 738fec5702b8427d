// SPDX-License-Identifier: Apache-2.0

// The fear: a system key in AWS KMS that another Asherah can't decrypt, or one of theirs that we can't. The others are the
// official Go library with its plug-in for AWS KMS and the Rust core as PyPI has it; the three share one table in
// PostgreSQL, the kind that suits them all.

const assert = require('node:assert/strict');
const { join } = require('node:path');
const { SessionFactory } = require('asherah-napi');
const { Peer, startGoAws } = require('./support/peer.js');
const services = require('./support/services.js');

const REGIONS = ['us-west-2', 'us-east-1'];

describe('other Asheras with AWS KMS and PostgreSQL', function () {
  this.timeout(60_000);
  services.need('kms', 'postgres', 'peer');

  let database;
  let endpoint;
  let regionMap;
  let go;
  let python;
  before(async function () {
    this.timeout(600_000); // the first time, the Go peer is built
    // One server plays both regions: the Python peer takes one endpoint only, from the environment
    endpoint = Object.values(services.kmsEndpoints())[0];
    regionMap = Object.fromEntries(await Promise.all(REGIONS.map(async (r) => [r, await newKey(r)])));
    database = await services.PostgresDatabase.create();
    await database.query(
      'CREATE TABLE encryption_key (id VARCHAR(255), created TIMESTAMPTZ, key_record JSONB NOT NULL, PRIMARY KEY (id, created))',
    );
    go = startGoAws();
    python = new Peer(services.peerPython(), [join(__dirname, 'interop/python/peer.py')], {
      env: { ...process.env, AWS_ENDPOINT_URL_KMS: endpoint, PYTHONIOENCODING: 'utf-8', PYTHONUTF8: '1' },
    });
  });
  after(() => {
    go?.stop();
    python?.stop();
  });

  async function newKey(region) {
    const { CreateKeyCommand, KMSClient } = require('@aws-sdk/client-kms');
    const client = new KMSClient({ region, endpoint, credentials: { accessKeyId: 'test', secretAccessKey: 'test' } });
    const { KeyMetadata } = await client.send(new CreateKeyCommand({}));
    client.destroy();
    return KeyMetadata.Arn;
  }

  /** The three as one interface. `preferred`: the region that is asked first. */
  function asherahs(service, preferred) {
    const names = { service, product: 'product', partition: 'Ünï <&> "x"' };
    const forGo = {
      ...names,
      postgres: database.url(),
      ...{ regionMap, preferredRegion: preferred },
      kmsEndpoints: Object.fromEntries(REGIONS.map((region) => [region, endpoint])),
    };
    const forPython = {
      ...names,
      config: {
        ...{ KMS: 'aws', RegionMap: regionMap, PreferredRegion: preferred },
        ...{ Metastore: 'rdbms', ConnectionString: database.url() },
      },
    };
    const config = {
      ...{ serviceName: service, productId: names.product },
      ...{ kms: 'aws', regionMap, preferredRegion: preferred, kmsEndpoint: endpoint },
      ...{ metastore: 'rdbms', connectionString: database.url() },
    };
    /** A factory for the one call, so that every key comes from the table. */
    async function ours(use) {
      const factory = new SessionFactory(config);
      try {
        return await use(factory.getSession(names.partition));
      } finally {
        factory.close();
      }
    }
    return {
      go: { encrypt: (text) => go.encrypt(forGo, text), decrypt: async (r) => String(await go.decrypt(forGo, r)) },
      python: {
        encrypt: (text) => python.encrypt(forPython, text),
        decrypt: async (r) => String(await python.decrypt(forPython, r)),
      },
      ours: {
        encrypt: (text) => ours((session) => session.encryptAsync(text)),
        decrypt: (record) => ours((session) => session.decryptString(record)),
      },
    };
  }

  const keyRows = (service) =>
    database.query(
      `SELECT id, key_record FROM encryption_key WHERE id LIKE '\\_SK\\_${service}\\_%' OR id LIKE '\\_IK\\_%\\_${service}\\_%'`,
    );

  for (const preferred of REGIONS) {
    for (const first of ['ours', 'go', 'python']) {
      it(`whoever makes the keys (here: ${first}, in ${preferred}), all three use them and read each other`, async () => {
        const service = `${first}-${preferred}`;
        const all = asherahs(service, preferred);
        const records = { [first]: await all[first].encrypt(`by ${first}`) };
        for (const name of Object.keys(all)) records[name] ??= await all[name].encrypt(`by ${name}`);
        for (const [writer, record] of Object.entries(records)) {
          for (const [reader, asherah] of Object.entries(all)) {
            assert.equal(await asherah.decrypt(record), `by ${writer}`, `${reader} reads ${writer}`);
          }
        }
        const parents = Object.values(records).map((record) => JSON.stringify(JSON.parse(record).Key.ParentKeyMeta));
        assert.equal(new Set(parents).size, 1, 'all use one intermediate key');
        const rows = await keyRows(service);
        assert.equal(rows.length, 2, JSON.stringify(rows.map(({ id }) => id)));
      });
    }
  }

  it('stores a system key in the words of the official Go library', async () => {
    const shape = async (writer) => {
      const service = `shape-${writer}`;
      await asherahs(service, REGIONS[0])[writer].encrypt('text');
      const [{ key_record: row }] = (await keyRows(service)).filter(({ id }) => id.startsWith('_SK_'));
      const json = Buffer.from(row.Key, 'base64').toString();
      return {
        row: Object.keys(row).sort(),
        envelope: json.replace(/"(encryptedKey|encryptedKek)":"([^"]*)"/g, (_, name, text) => {
          return `"${name}":${Buffer.from(text, 'base64').length}`;
        }),
      };
    };
    assert.deepEqual(await shape('ours'), await shape('go'));
  });
});
