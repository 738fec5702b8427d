// SPDX-License-Identifier: Apache-2.0

/** How grave a log event is, from the least to the most. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error';

/** One line of the log. It never holds key material, plaintext, passwords or credentials. */
export type LogEvent = {
  level: LogLevel;
  message: string;
  /** The part of the package it comes from. */
  target: string;
  /** Of a warning or an error: one of those in `docs/errors.md`. */
  code?: string;
};

/** One measurement. `store` and `load` are calls of the metastore. */
export type MetricsEvent =
  | { type: 'encrypt' | 'decrypt' | 'store' | 'load' | 'kms_encrypt' | 'kms_decrypt'; durationNs: number }
  | { type: 'cache_hit' | 'cache_miss' | 'cache_stale' | 'rotation'; name: 'intermediate' | 'system' };
