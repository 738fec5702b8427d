// SPDX-License-Identifier: Apache-2.0

export type {
  AsherahErrorCode,
  AsherahWarning,
  AsherahWarningCode,
  AwsCredentials,
  AwsCredentialsFunction,
  Data,
  DataRowRecord,
  LoadCloudOptions,
  LogEvent,
  LogHook,
  LogHookCallback,
  LogHookOptions,
  LogLevel,
  MetricsEvent,
  MetricsHook,
  SessionFactoryConfig,
  Verification,
  VerificationCheck,
} from './index.js';
// Re-exports the CommonJS entry: a process that uses both has one set of classes and one state.
export { AsherahError, loadCloud, Session, SessionFactory, setLogHook, setMetricsHook } from './index.js';
