// SPDX-License-Identifier: Apache-2.0
import type { Addon } from './addon.js';
import { describe } from './errors.js';
import type { AwsCredentialsFunction } from './options.js';

/** Has the user's function answer the engine's wish for AWS credentials. */
export class Credentials {
  readonly #provide: AwsCredentialsFunction;
  readonly #answer: (credentials: string) => void;
  #isAsked = false;

  constructor(provide: AwsCredentialsFunction, addon: Addon, factory: number) {
    this.#provide = provide;
    this.#answer = (credentials) => addon.setCredentials(factory, credentials);
  }

  /** Never throws: that the function failed, the calls that need credentials say. */
  async refresh(): Promise<void> {
    if (this.#isAsked) return;
    this.#isAsked = true;
    let answer: string;
    try {
      answer = checked(await this.#provide());
    } catch (error) {
      answer = failure(`the function failed: ${error instanceof Error ? error.message : describe(error)}`);
    } finally {
      this.#isAsked = false;
    }
    this.#answer(answer);
  }
}

/** The engine's form, see go/capi/credentials.go. Values are secret: messages have their types only. */
function checked(credentials: unknown): string {
  if (typeof credentials !== 'object' || credentials === null) {
    return failure(`expected an object of credentials from the function, got ${describe(credentials)}`);
  }
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials as Record<string, unknown>;
  for (const [name, value] of Object.entries({ accessKeyId, secretAccessKey })) {
    if (typeof value !== 'string' || value === '') {
      return failure(`expected ${name} to be a non-empty string, got ${describe(value)}`);
    }
  }
  if (sessionToken !== undefined && typeof sessionToken !== 'string') {
    return failure(`expected sessionToken to be a string, got ${describe(sessionToken)}`);
  }
  const expiresMs = expiration === undefined ? 0 : Number(expiration);
  if (!(expiration === undefined || expiration instanceof Date) || !Number.isInteger(expiresMs)) {
    return failure(`expected expiration to be a valid Date, got ${describe(expiration)}`);
  }
  return JSON.stringify({ accessKeyId, secretAccessKey, sessionToken: sessionToken ?? '', expiresMs });
}

function failure(message: string): string {
  return JSON.stringify({ failure: message });
}
