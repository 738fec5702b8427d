// SPDX-License-Identifier: Apache-2.0

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
export { AsherahError, loadCloud, Session, SessionFactory } from './index.js';
