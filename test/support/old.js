// SPDX-License-Identifier: Apache-2.0

// Configurations in the shape that the two older packages of the name asherah want, for the module-level functions.

const asherah = require('asherah-napi');

/** Of version 3, whose type wants every field: PascalCase, `null` for what is not used. */
function config3(own = {}) {
  return {
    KMS: 'test-debug-static',
    Metastore: 'test-debug-memory',
    ServiceName: 'service',
    ProductID: 'product',
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
    EnableSessionCaching: null,
    Verbose: null,
    DisableZeroCopy: null,
    EnableCanaries: null,
    ...own,
  };
}

/** Of version 4: camelCase, only what is needed. */
function config4(own = {}) {
  return { serviceName: 'service', productId: 'product', metastore: 'memory', kms: 'test-debug-static', ...own };
}

/** Sets up, runs, shuts down. */
async function withSetup(config, use) {
  asherah.setup(config);
  try {
    return await use();
  } finally {
    asherah.shutdown();
  }
}

/** Sets variables of the environment before each test of a `describe`, and restores them after it. */
function environment(variables) {
  const before = {};
  beforeEach(() => {
    for (const [name, value] of Object.entries(variables)) {
      before[name] = process.env[name];
      process.env[name] = value;
    }
  });
  afterEach(() => {
    for (const [name, value] of Object.entries(before)) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
}

/** When the intermediate key that a record needs was created, in Unix seconds. */
const keyCreated = (record) => JSON.parse(record).Key.ParentKeyMeta.Created;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Events come from the event loop: waits until one is as wanted, or fails. @returns that event */
async function waitFor(events, wanted, patience = 5000) {
  for (const end = Date.now() + patience; Date.now() < end; await pause(5)) {
    const event = events.find(wanted);
    if (event !== undefined) return event;
  }
  throw new Error(`none of ${events.length} events is as wanted: ${JSON.stringify(events).slice(0, 2000)}`);
}

module.exports = { config3, config4, environment, keyCreated, pause, waitFor, withSetup };
