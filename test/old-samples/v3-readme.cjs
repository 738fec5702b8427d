// SPDX-License-Identifier: Apache-2.0

// A program of version 3, CommonJS: the whole configuration in PascalCase, bytes in and out, once around.

const asherah = require('asherah');

const config = {
  KMS: 'test-debug-static',
  Metastore: 'test-debug-memory',
  ServiceName: 'ReadmeService',
  ProductID: 'ReadmeProduct',
  Verbose: false,
  EnableSessionCaching: true,
  ExpireAfter: null,
  CheckInterval: null,
  ConnectionString: null,
  ReplicaReadConsistency: null,
  DynamoDBEndpoint: null,
  DynamoDBRegion: null,
  DynamoDBTableName: null,
  SessionCacheMaxSize: null,
  SessionCacheDuration: null,
  RegionMap: null,
  PreferredRegion: null,
  EnableRegionSuffix: null,
  DisableZeroCopy: null,
};

asherah.setup(config);

const secret = Buffer.from('a secret of version 3', 'utf8');
const record = asherah.encrypt('partition', secret);
console.log(`record holds the secret: ${record.includes(secret.toString())}`);
console.log(`decrypted: ${asherah.decrypt('partition', record).toString('utf8')}`);

asherah.shutdown();
console.log(`still set up: ${asherah.get_setup_status()}`);
