// SPDX-License-Identifier: Apache-2.0

/** What {@link SessionFactory.verify} found out about one thing. Holds no secret. */
export interface VerificationCheck {
  /** What was tried, such as `'kms us-west-2'` or `'metastore connection'`. */
  readonly name: string;
  /** `'warning'`: it works, but somebody should know. */
  readonly status: 'ok' | 'warning' | 'failure';
  /** What was seen and, unless all is well, what to do: a sentence for people. */
  readonly message: string;
  /** How long it took. */
  readonly milliseconds: number;
}

/** The report of {@link SessionFactory.verify}. */
export interface Verification {
  /** Whether no check failed. */
  readonly ok: boolean;
  readonly checks: readonly VerificationCheck[];
}

/** @param results JSON of the addon, see go/check/check.go */
export function verification(results: string): Verification {
  const checks = JSON.parse(results) as VerificationCheck[];
  return { ok: checks.every(({ status }) => status !== 'failure'), checks };
}
