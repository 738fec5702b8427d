// SPDX-License-Identifier: Apache-2.0

// The fear: a Go runtime beside V8 or JavaScriptCore, or two of them, faults once in a thousand times: when worker threads end,
// WebAssembly traps, stacks overflow, signals come, children start. Each process does all of it at once; any order of loading,
// and any end but the right one fails. With servers (scripts/services.mjs) the cloud addon uses one meanwhile.

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { randomBytes } = require('node:crypto');
const { join } = require('node:path');
const process = require('node:process');
const { SessionFactory } = require('asherah-napi');

const full = process.env.ASHERAH_STRESS === '1';
const processes = full ? 500 : 10;
const width = full ? 4 : 2;
const patience = 60_000;

const fixture = join(__dirname, '../fixtures/beside-others.js');
const run = 'Deno' in globalThis ? ['run', '-A', fixture] : [fixture];
// Nothing looks for an AWS beyond this machine.
const env = {
  ...process.env,
  ...{ AWS_EC2_METADATA_DISABLED: 'true', AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' },
  ...{ AWS_CONFIG_FILE: join(__dirname, 'none'), AWS_SHARED_CREDENTIALS_FILE: join(__dirname, 'none') },
};

function start(options) {
  return new Promise((resolve) => {
    const limits = { env, timeout: patience, killSignal: 'SIGKILL' };
    execFile(process.execPath, [...run, 'all at once', JSON.stringify(options)], limits, (error, stdout, stderr) => {
      const end = error ? `ended with ${error.signal ?? error.code}` : stdout.trim();
      resolve(end === 'done' ? undefined : `${end}\n${stderr.slice(0, 4000)}`);
    });
  });
}

/** DynamoDB with a table of this run, if there is one. */
async function aMetastore() {
  const dynamoDbEndpoint = process.env.ASHERAH_TEST_DYNAMODB;
  if (!dynamoDbEndpoint) return undefined;
  const metastore = {
    ...{ metastore: 'dynamodb', dynamoDbEndpoint, dynamoDbRegion: 'us-west-2' },
    dynamoDbTableName: `EncryptionKey_${randomBytes(6).toString('hex')}`,
  };
  const awsCredentials = () => ({ accessKeyId: 'test', secretAccessKey: 'test' });
  const names = { serviceName: 'service', productId: 'product', kms: 'static', staticMasterKeyHex: '42'.repeat(32) };
  const factory = new SessionFactory({ ...names, ...metastore, awsCredentials });
  await factory.createSchema();
  factory.close();
  return metastore;
}

describe('a process with workers, traps, signals and children', function () {
  this.timeout(full ? 0 : 120_000);
  let metastore;
  before(async () => {
    metastore = await aMetastore();
  });

  for (const order of ['core', 'cloud', 'core, cloud', 'cloud, core']) {
    it(`survives all of it ${processes} times with ${order}`, async () => {
      const failures = [];
      let left = processes;
      const one = async () => {
        while (left-- > 0) {
          const failure = await start({ order, metastore });
          if (failure !== undefined) failures.push(failure);
        }
      };
      await Promise.all(Array.from({ length: width }, one));
      assert.equal(failures.length, 0, `${failures.length} of ${processes}, the first: ${failures[0]}`);
      if (full) console.log(`      ${processes} processes${metastore ? ', with DynamoDB' : ''}`);
    });
  }
});
