// SPDX-License-Identifier: Apache-2.0
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
  setMetricsHook,
} from './hooks.js';
export type { Data, DataRowRecord } from './input.js';
export { type LoadCloudOptions, loadCloud } from './load-cloud.js';
export type { AwsCredentials, AwsCredentialsFunction, SessionFactoryConfig } from './options.js';
export { Session } from './session.js';
export { SessionFactory } from './session-factory.js';
export type { Verification, VerificationCheck } from './verification.js';
export type { AsherahWarning, AsherahWarningCode } from './warnings.js';
