// SPDX-License-Identifier: Apache-2.0

export type {
  AsherahErrorCode,
  AsherahWarning,
  AsherahWarningCode,
  Data,
  DataRowRecord,
  SessionFactoryConfig,
} from './index.js';
// Re-exports the CommonJS entry: a process that uses both has one set of classes and one state.
export { AsherahError, Session, SessionFactory } from './index.js';
