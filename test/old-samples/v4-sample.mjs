// SPDX-License-Identifier: Apache-2.0

// A program of version 4 that shows all of it: the default import, the key in the environment, functions of the module,
// factory and sessions, asynchronous calls, both hooks. It prints what depends on no key and no clock.

import asherah from 'asherah';

const { SessionFactory } = asherah;

process.env.STATIC_MASTER_KEY_HEX = '22'.repeat(32);

const config = {
  serviceName: 'sample-service',
  productId: 'sample-product',
  metastore: 'memory',
  kms: 'static',
  enableSessionCaching: true,
};

// functions of the module
asherah.setup(config);
const text = asherah.encryptString('user-1', 'a greeting');
console.log('[module] decrypted:', asherah.decryptString('user-1', text));
const bytes = asherah.encrypt('user-1', Buffer.from([0xca, 0xfe]));
console.log('[module] bytes:', Buffer.from(asherah.decrypt('user-1', bytes)).toString('hex'));
asherah.shutdown();

// factory and sessions
const factory = new SessionFactory(config);
const [one, two] = [factory.getSession('tenant-1'), factory.getSession('tenant-2')];
const ofOne = one.encryptString('of tenant 1');
console.log('[session] decrypted:', one.decryptString(ofOne));
try {
  console.log('[session] tenant 2 reads', two.decryptString(ofOne));
} catch (error) {
  console.log('[session] tenant 2 is refused:', error instanceof Error && error.message.length > 0);
}
one.close();
two.close();
factory.close();

// asynchronous calls
await asherah.setupAsync(config);
const later = await asherah.encryptStringAsync('user-2', 'not at once');
console.log('[async] decrypted:', await asherah.decryptStringAsync('user-2', later));
await asherah.shutdownAsync();

// the log hook
const events = [];
asherah.setLogHook((event) => {
  const { level, message, target } = event;
  if ([level, message, target].every((part) => typeof part === 'string')) events.push(level);
});
asherah.setup({ ...config, verbose: true });
asherah.encryptString('user-3', 'heard');
asherah.shutdown();
await new Promise((done) => setTimeout(done, 50));
console.log('[log] heard something:', events.length > 0);
asherah.setLogHook(null);

// the metrics hook
const metrics = {};
asherah.setMetricsHook(({ type, durationNs, name }) => {
  if (typeof (name ?? durationNs) === (name ? 'string' : 'number')) metrics[type] = (metrics[type] ?? 0) + 1;
});
asherah.setup(config);
for (let i = 0; i < 5; i++) asherah.decryptString('user-4', asherah.encryptString('user-4', `payload ${i}`));
asherah.shutdown();
await new Promise((done) => setTimeout(done, 50));
console.log('[metrics] encrypt, decrypt:', metrics.encrypt, metrics.decrypt);
console.log('[metrics] keys missed and found:', metrics.cache_miss > 0, metrics.cache_hit > 0);
asherah.setMetricsHook(null);
