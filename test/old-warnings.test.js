// SPDX-License-Identifier: Apache-2.0

// The fear: a configuration of the older packages means something else here than it says, and nobody is told; or one that is
// quite right is warned about at every start.

const assert = require('node:assert/strict');
const { passes } = require('./support/child');
const { config3, config4 } = require('./support/old');

const arn = (region) => `arn:aws:kms:${region}:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
const regions = (...names) => Object.fromEntries(names.map((name) => [name, arn(name)]));
const quiet3 = config3({ KMS: 'static', StaticMasterKeyHex: '42'.repeat(32) });
const quiet4 = config4({ kms: 'static', staticMasterKeyHex: '42'.repeat(32), metastore: 'test-debug-memory' });

/** configuration, and the warnings it gets: code and what the message names; or the code of its error */
const CONFIGURATIONS = {
  'of version 3, all null': [quiet3, []],
  'of version 3, all false': [
    { ...quiet3, Verbose: false, EnableRegionSuffix: false, DisableZeroCopy: false, EnableCanaries: false },
    [],
  ],
  'of version 3 with what does nothing': [
    { ...quiet3, DisableZeroCopy: true, EnableCanaries: true, NullDataCheck: true },
    [],
  ],
  'of version 4': [quiet4, []],
  'of version 4, all null': [{ ...quiet4, connectionString: null, regionMap: null, enableRegionSuffix: null }, []],

  'with the test KMS': [config3(), [['TEST_KMS', /public/]]],
  'with KMS static and no key': [config3({ KMS: 'static' }), [['TEST_KMS', /public/]]],
  'with a metastore in memory': [{ ...quiet4, metastore: 'memory' }, [['MEMORY_METASTORE', /memory/]]],
  'with a ConnectionString that nothing reads': [
    { ...quiet3, ConnectionString: 'user:hunter2@tcp(host)/database' },
    [['OPTION_IGNORED', /ConnectionString/]],
  ],
  'with a connectionString that nothing reads': [
    { ...quiet4, connectionString: 'mysql://user:hunter2@host/database' },
    [['OPTION_IGNORED', /connectionString/]],
  ],
  'with a size of a cache that is off': [
    { ...quiet3, EnableSessionCaching: false, SessionCacheMaxSize: 10 },
    [['OPTION_IGNORED', /SessionCacheMaxSize/]],
  ],
  'with an unknown field': [{ ...quiet3, Unheard: 'hunter2' }, [['UNKNOWN_OPTION', /Unheard/]]],
  'with a field that is nearly known': [{ ...quiet3, ExpireAftr: 'hunter2' }, 'ERR_ASHERAH_UNKNOWN_OPTION'],
  'with an unknown option': [{ ...quiet4, unheard: 'hunter2' }, 'ERR_ASHERAH_UNKNOWN_OPTION'],
  'with one region and none preferred': [config3({ KMS: 'aws', RegionMap: regions('us-west-2') }), []],
  'with two regions and none preferred': [
    config3({ KMS: 'aws', RegionMap: regions('us-west-2', 'us-east-1') }),
    [['PREFERRED_REGION', /us-east-1/]],
  ],
  'with a key that never expires': [{ ...quiet4, expireAfter: 0 }, 'ERR_ASHERAH_INVALID_CONFIG'],
  'with a duration of version 3': [{ ...quiet4, expireAfter: 7_776_000_000_000_000 }, 'ERR_ASHERAH_INVALID_CONFIG'],
  'with the longest duration': [{ ...quiet4, expireAfter: 1_000_000_000 }, []],
  'with a KMS of no package': [{ ...quiet3, KMS: 'vault' }, 'ERR_ASHERAH_INVALID_CONFIG'],
  'with a database of no package': [
    { ...quiet3, Metastore: 'rdbms', SQLMetastoreDBType: 'oracle', ConnectionString: 'hunter2' },
    'ERR_ASHERAH_INVALID_CONFIG',
  ],
  'with the force that version 4 has for changed configurations': [
    { ...quiet4, configDriftForceRun: true, configDriftForceUpdate: true },
    [],
  ],
};

describe('a configuration', () => {
  for (const [what, [config, expected]] of Object.entries(CONFIGURATIONS)) {
    it(`${what} is told what there is to tell`, async () => {
      const printed = JSON.parse(await passes('old-warnings.js', 'setup', config));
      if (typeof expected === 'string') return assert.equal(printed, expected);
      assert.ok(Array.isArray(printed), String(printed));
      assert.deepEqual(
        printed.map(({ code }) => code),
        expected.map(([code]) => `WARN_ASHERAH_${code}`),
        JSON.stringify(printed),
      );
      for (const [index, [, words]] of expected.entries()) assert.match(printed[index].message, words);
      assert.ok(!JSON.stringify(printed).includes('hunter2'));
    });
  }

  it('leaves the limits of the process as they are', async function () {
    if (process.platform !== 'linux') this.skip();
    const [before, after] = JSON.parse(await passes('old-warnings.js', 'limits', quiet4));
    assert.equal(after, before);
  });
});
