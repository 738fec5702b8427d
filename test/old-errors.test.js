// SPDX-License-Identifier: Apache-2.0

// The fear: a `catch` of old code that looks for words in the message, as it had to where there were no codes, no longer
// finds them. The words of either older package that name the situation are in ours too, in any letter case.

const assert = require('node:assert/strict');
const { join } = require('node:path');
const asherah = require('asherah-napi');
const { config3, config4 } = require('./support/old');
const { temporaryFolder } = require('./support/store');

const { AsherahError, SessionFactory } = asherah;
const arn = (region) => `arn:aws:kms:${region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
const regions = { 'us-west-2': arn('us-west-2'), 'us-east-1': arn('us-east-1') };

/** What is done while set up, and otherwise. */
const isSetUp = (use) => () => {
  asherah.setup(config4());
  return use();
};
const setup = (config) => () => asherah.setup(config);

/** situation: what leads to it, our code, the words of version 3 and of version 4 */
const SITUATIONS = {
  'a call before setup': [
    () => asherah.encryptString('p', 'x'),
    'NOT_SET_UP',
    /setup\(\) not called/,
    /not configured; call setup\(\) first/,
  ],
  'a second setup': [
    isSetUp(setup(config4())),
    'ALREADY_SET_UP',
    /setup\(\) already called/,
    /already configured; call shutdown\(\) first/,
  ],
  'a second setup of version 3': [
    isSetUp(setup(config3())),
    'ALREADY_SET_UP',
    /setup\(\) already called/,
    /already configured/,
  ],
  'an empty partition': [
    isSetUp(() => asherah.encryptString('', 'x')),
    'INVALID_ARGUMENT',
    /partition id cannot be empty/i,
    /partition id cannot be empty/i,
  ],
  'an empty partition to decrypt for': [
    isSetUp(() => asherah.decryptString('', '{}')),
    'INVALID_ARGUMENT',
    /partition id cannot be empty/i,
    /partition id cannot be empty/i,
  ],
  'an empty partition of a session': [
    () => new SessionFactory(config4()).getSession(''),
    'INVALID_ARGUMENT',
    undefined,
    /partition id cannot be empty/i,
  ],
  'a partition that is null': [
    isSetUp(() => asherah.encryptString(null, 'x')),
    'INVALID_ARGUMENT',
    /expected .*string.*null/i,
    /string/i,
  ],
  'data that is null': [isSetUp(() => asherah.encrypt('p', null)), 'INVALID_ARGUMENT', /expected .*null/i, /buffer/i],
  'data that is undefined': [
    isSetUp(() => asherah.encrypt('p', undefined)),
    'INVALID_ARGUMENT',
    /expected .*undefined/i,
    /buffer/i,
  ],
  'a closed session': [
    () => {
      const session = new SessionFactory(config4()).getSession('p');
      session.close();
      session.encryptString('x');
    },
    'CLOSED',
    undefined,
    /session is closed/,
  ],
  'a closed factory': [
    () => {
      const factory = new SessionFactory(config4());
      factory.close();
      factory.getSession('p');
    },
    'CLOSED',
    undefined,
    /factory is closed/,
  ],
  'a record that is not JSON': [
    isSetUp(() => asherah.decryptString('p', 'no json')),
    'INVALID_RECORD',
    /JSON/,
    /DataRowRecord|JSON/,
  ],
  'an empty record': [isSetUp(() => asherah.decryptString('p', '')), 'INVALID_RECORD', /JSON/, /DataRowRecord|JSON/],
  'a record of another partition': [
    isSetUp(() => asherah.decryptString('p', asherah.encryptString('q', 'x'))),
    'PARTITION_MISMATCH',
    undefined,
    undefined,
  ],
  'bytes asked for as text': [
    isSetUp(() => asherah.decryptString('p', asherah.encrypt('p', Buffer.from([0xff])))),
    'NOT_UTF8',
    undefined,
    /utf-?8/i,
  ],
  'no service': [setup(config3({ ServiceName: null })), 'INVALID_CONFIG', /ServiceName/, undefined],
  'no product': [setup(config3({ ProductID: null })), 'INVALID_CONFIG', /ProductID/, undefined],
  'no service in camelCase': [setup(config4({ serviceName: null })), 'INVALID_CONFIG', undefined, /serviceName/],
  'no product in camelCase': [setup(config4({ productId: null })), 'INVALID_CONFIG', undefined, /productId/],
  'no metastore': [setup(config4({ metastore: undefined })), 'INVALID_CONFIG', undefined, /metastore/],
  'no KMS': [setup(config4({ kms: undefined })), 'INVALID_CONFIG', undefined, /KMS is required/],
  'an unknown KMS': [setup(config4({ kms: 'bogus' })), 'INVALID_CONFIG', undefined, /Unknown KMS/],
  'an unknown metastore': [
    setup(config4({ metastore: 'bogus' })),
    'INVALID_CONFIG',
    undefined,
    /Unsupported Metastore/,
  ],
  'a database without its address': [
    setup(config4({ metastore: 'rdbms' })),
    'INVALID_CONFIG',
    undefined,
    /ConnectionString is required/,
  ],
  'a file without its path': [
    setup(config4({ metastore: 'sqlite' })),
    'INVALID_CONFIG',
    undefined,
    /ConnectionString is required/,
  ],
  'a static KMS without a key': [
    setup(config4({ kms: 'static' })),
    'INVALID_CONFIG',
    undefined,
    /StaticMasterKeyHex is required/,
  ],
  'AWS without a key': [setup(config4({ kms: 'aws' })), 'INVALID_CONFIG', undefined, /region_?map|kms_?key_?id/i],
  'AWS without a region': [setup(config4({ kms: 'aws', regionMap: {} })), 'INVALID_CONFIG', undefined, /region_?map/i],
  'several regions and none preferred': [
    setup(config4({ kms: 'aws', regionMap: regions })),
    'INVALID_CONFIG',
    undefined,
    /preferred_?region/i,
  ],
  'a preferred region that is not there': [
    setup(config4({ kms: 'aws', regionMap: regions, preferredRegion: 'eu-west-1' })),
    'INVALID_CONFIG',
    undefined,
    /preferred_?region/i,
  ],
  'a wrong ReplicaReadConsistency': [
    setup(config4({ metastore: 'rdbms', connectionString: 'mysql://u@127.0.0.1:1/d', replicaReadConsistency: 'x' })),
    'INVALID_CONFIG',
    undefined,
    /replica_?read_?consistency.*eventual.*global.*session/i,
  ],
  'text that is no environment': [() => asherah.setenv('not valid json'), 'INVALID_ARGUMENT', /JSON/, undefined],
};

describe('the errors', () => {
  const folder = temporaryFolder();
  afterEach(() => asherah.shutdown());

  for (const [situation, [lead, code, ofVersion3, ofVersion4]] of Object.entries(SITUATIONS)) {
    it(`of ${situation} have the old words`, () => {
      assert.throws(lead, (error) => {
        assert.ok(error instanceof AsherahError && error instanceof Error, String(error));
        assert.equal(error.code, `ERR_ASHERAH_${code}`, error.message);
        for (const words of [ofVersion3, ofVersion4]) if (words) assert.match(error.message, words);
        return true;
      });
    });
  }

  it('print no record, no partition’s data and no password', () => {
    const secret = 'hunter2';
    const connectionString = `mysql://user:${secret}@tcp(`;
    const attempts = [
      setup(config4({ metastore: 'rdbms', connectionString })),
      setup(config3({ Metastore: 'rdbms', ConnectionString: connectionString })),
      setup(JSON.stringify({ ...config3(), ConnectionString: connectionString }).slice(0, -1)),
      setup(config4({ kms: 'static', staticMasterKeyHex: secret })),
      setup(config4({ metastore: 'sqlite', connectionString: join(folder, 'x'), expireAfter: secret })),
      isSetUp(() => asherah.encrypt({ secret }, secret)),
      isSetUp(() => asherah.encrypt(Buffer.from(secret), secret)),
      isSetUp(() => asherah.encryptString('p', { toString: () => secret })),
      isSetUp(() => asherah.decryptString('p', `{"Data":"${secret}"`)),
    ];
    for (const [index, attempt] of attempts.entries()) {
      asherah.shutdown();
      assert.throws(
        attempt,
        (error) => error instanceof AsherahError && !`${error.stack}${error.cause?.message}`.includes(secret),
        `attempt ${index}`,
      );
    }
  });
});
