// SPDX-License-Identifier: Apache-2.0
import asherah from './index.js';

export type {
  AsherahConfig,
  AsherahConfigCompat,
  AsherahErrorCode,
  AsherahWarning,
  AsherahWarningCode,
  AwsCredentials,
  AwsCredentialsFunction,
  Data,
  DataRowRecord,
  LoadCloudOptions,
  SessionFactoryConfig,
  Verification,
  VerificationCheck,
} from './index.js';
// Re-exports the CommonJS entry: a process that uses both has one set of classes and one state.
export {
  AsherahError,
  AsherahSession,
  clearPlaintext,
  decrypt,
  decrypt_async,
  decrypt_string,
  decrypt_string_async,
  decryptAsync,
  decryptString,
  decryptStringAsync,
  encrypt,
  encrypt_async,
  encrypt_string,
  encrypt_string_async,
  encryptAsync,
  encryptString,
  encryptStringAsync,
  get_setup_status,
  getSetupStatus,
  loadCloud,
  Session,
  SessionFactory,
  set_max_stack_alloc_item_size,
  set_safety_padding_overhead,
  setenv,
  setMaxStackAllocItemSize,
  setSafetyPaddingOverhead,
  setup,
  setup_async,
  setupAsync,
  shutdown,
  shutdown_async,
  shutdownAsync,
} from './index.js';

export default asherah;

/** As in the CommonJS entry. */
export const __binary: string | undefined = asherah.__binary;
