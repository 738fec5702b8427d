// SPDX-License-Identifier: Apache-2.0

// A program of version 3 in the module syntax of TypeScript: named imports, asynchronous calls, the static KMS without a key,
// which there meant the public test key. Durations are in nanoseconds.

import {
  decrypt_async,
  decrypt_string,
  encrypt_async,
  encrypt_string,
  get_setup_status,
  set_log_hook,
  set_max_stack_alloc_item_size,
  set_safety_padding_overhead,
  setup_async,
  shutdown_async,
} from 'asherah';

const second = 1_000_000_000;
const SYSLOG_ERROR = 3;

set_log_hook((level, message) => {
  if (level <= SYSLOG_ERROR) console.log(`error: ${message}`);
});
set_max_stack_alloc_item_size(2048);
set_safety_padding_overhead(0);

await setup_async({
  KMS: 'static',
  Metastore: 'memory',
  ServiceName: 'AsyncService',
  ProductID: 'AsyncProduct',
  ExpireAfter: 90 * 24 * 3600 * second,
  CheckInterval: 3600 * second,
  EnableSessionCaching: true,
  SessionCacheMaxSize: 500,
  SessionCacheDuration: 7200 * second,
  Verbose: false,
  EnableCanaries: true,
});
console.log(`set up: ${get_setup_status()}`);

const record = await encrypt_async('partition', Buffer.from('bytes'));
console.log(`decrypted: ${(await decrypt_async('partition', record)).toString()}`);
console.log(`decrypted: ${decrypt_string('partition', encrypt_string('partition', 'text'))}`);

try {
  decrypt_string('another partition', record);
} catch (error) {
  console.log(`another partition: ${error instanceof Error}`);
}

await shutdown_async();
console.log(`still set up: ${get_setup_status()}`);
