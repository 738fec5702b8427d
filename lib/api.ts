// SPDX-License-Identifier: Apache-2.0

// All that the package exports, under all names: camelCase as in `asherah` 4, snake_case as in `asherah` 3.

export type { CallOptions } from './cancellation.js';
export type { AsherahConfig, AsherahConfigCompat } from './compat-options.js';
export {
  clearPlaintext,
  setMaxStackAllocItemSize,
  setMaxStackAllocItemSize as set_max_stack_alloc_item_size,
  setSafetyPaddingOverhead,
  setSafetyPaddingOverhead as set_safety_padding_overhead,
} from './compatibility.js';
export { AsherahError, type AsherahErrorCode } from './errors.js';
export {
  type LogEvent,
  type LogHook,
  type LogHookCallback,
  type LogHookOptions,
  type LogLevel,
  type MetricsEvent,
  type MetricsHook,
  setLogHook,
  setLogHook as set_log_hook,
  setMetricsHook,
  setMetricsHook as set_metrics_hook,
} from './hooks.js';
export type { Data, DataRowRecord } from './input.js';
export { type LoadCloudOptions, loadCloud } from './load-cloud.js';
export {
  decrypt,
  decryptAsync,
  decryptAsync as decrypt_async,
  decryptString,
  decryptString as decrypt_string,
  decryptStringAsync,
  decryptStringAsync as decrypt_string_async,
  encrypt,
  encryptAsync,
  encryptAsync as encrypt_async,
  encryptString,
  encryptString as encrypt_string,
  encryptStringAsync,
  encryptStringAsync as encrypt_string_async,
  getSetupStatus,
  getSetupStatus as get_setup_status,
  setup,
  setupAsync,
  setupAsync as setup_async,
  shutdown,
  shutdownAsync,
  shutdownAsync as shutdown_async,
} from './module-level.js';
export type { AwsCredentials, AwsCredentialsFunction, SessionFactoryConfig } from './options.js';
export type { KeyManagementService, Metastore } from './providers.js';
export { Session, Session as AsherahSession } from './session.js';
export { SessionFactory } from './session-factory.js';
export { setenv } from './setenv.js';
export type { Verification, VerificationCheck } from './verification.js';
export type { AsherahWarning, AsherahWarningCode } from './warnings.js';
