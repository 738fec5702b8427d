// SPDX-License-Identifier: Apache-2.0

// TypeScript of version 3: named imports in snake_case, a configuration in PascalCase that is annotated with its type.
import {
  type AsherahConfig,
  decrypt,
  decrypt_async,
  decrypt_string,
  decrypt_string_async,
  encrypt,
  encrypt_async,
  encrypt_string,
  encrypt_string_async,
  get_setup_status,
  type LogHookCallback,
  set_log_hook,
  set_max_stack_alloc_item_size,
  set_safety_padding_overhead,
  setenv,
  setup,
  setup_async,
  shutdown,
  shutdown_async,
} from 'asherah';

// As its README has it: without EnableCanaries.
const config: AsherahConfig = {
  KMS: 'test-debug-static',
  Metastore: 'test-debug-memory',
  ServiceName: 'TestService',
  ProductID: 'TestProduct',
  Verbose: false,
  EnableSessionCaching: true,
  ExpireAfter: null,
  CheckInterval: null,
  ConnectionString: null,
  ReplicaReadConsistency: null,
  DynamoDBEndpoint: null,
  DynamoDBRegion: null,
  DynamoDBTableName: null,
  SessionCacheMaxSize: 10000,
  SessionCacheDuration: null,
  RegionMap: null,
  PreferredRegion: null,
  EnableRegionSuffix: null,
  DisableZeroCopy: null,
};

// As its type has it: every field, of which many may be any string.
function configOf(
  kms: string | null,
  metastore: string,
  regions: { readonly [name: string]: string } | null,
): AsherahConfig {
  const consistency: 'eventual' | 'global' | 'session' | string | null = null;
  return {
    ...config,
    KMS: kms,
    Metastore: metastore,
    ServiceName: 'TestService',
    ProductID: 'TestProduct',
    ReplicaReadConsistency: consistency,
    RegionMap: regions,
    PreferredRegion: null as string | null,
    ExpireAfter: 7_776_000_000_000_000 as number | null,
    Verbose: null as boolean | null,
    EnableCanaries: true,
  };
}

const hook: LogHookCallback = (level: number, message: string): void => {
  if (level <= 3) console.log(message);
};

function sync(): string {
  setup(config);
  const record: string = encrypt('partition', Buffer.from('bytes'));
  const bytes: Buffer = decrypt('partition', record);
  const text: string = decrypt_string('partition', encrypt_string('partition', bytes.toString('utf8')));
  shutdown();
  return text;
}

async function async(): Promise<string> {
  await setup_async(configOf('test-debug-static', 'test-debug-memory', null));
  const record: string = await encrypt_async('partition', Buffer.from('more bytes'));
  const bytes: Buffer = await decrypt_async('partition', record);
  const again: string = await encrypt_string_async('partition', bytes.toString());
  const text: string = await decrypt_string_async('partition', again);
  const done: Promise<void> = shutdown_async();
  await done;
  return text;
}

set_log_hook(hook);
set_log_hook((level: number, message: string): void => hook(level, message));
set_max_stack_alloc_item_size(1024);
set_safety_padding_overhead(0);
setenv('{"VAR": "VAL"}');
const before: boolean = get_setup_status();

async().then((text) => console.log(before, sync(), text));
