// SPDX-License-Identifier: Apache-2.0

// TypeScript of version 3 that takes the package as one object.
import * as asherah from 'asherah';

const config: asherah.AsherahConfig = {
  KMS: 'static',
  Metastore: 'memory',
  ServiceName: 'TestService',
  ProductID: 'TestProduct',
  Verbose: null,
  EnableSessionCaching: null,
  ExpireAfter: 60,
  CheckInterval: 1,
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
  EnableCanaries: null,
};

asherah.setup(config);
const name: string = config.ServiceName;
const record: string = asherah.encrypt('partition', Buffer.from(name));
console.log(asherah.decrypt('partition', record).toString('utf8'));
asherah.shutdown();
