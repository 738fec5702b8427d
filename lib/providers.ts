// SPDX-License-Identifier: Apache-2.0
import { types } from 'node:util';
import { type Addon, type OnRequest, type Outcome, outcomes, type RequestKind, requestKinds } from './addon.js';
import { describe, unexpected } from './errors.js';
import { keep } from './thrown.js';

/**
 * A KMS of your own: encrypts system keys under a master key that it guards. For the option `kms`.
 *
 * Each method returns its result or a promise of it, within `requestTimeout`. What it throws, or rejects with, becomes the
 * `cause` of an `ERR_ASHERAH_KMS`. A synchronous call needs a result at once: where it gets a promise it fails with
 * `ERR_ASHERAH_WOULD_BLOCK`. See docs/providers.md.
 */
export interface KeyManagementService {
  /**
   * @param key a system key, 32 bytes, in memory of its own; wiped once the method returned, or its promise settled. Copies
   *   are yours to wipe
   * @returns what {@link decryptKey} makes the key of again, not empty. It is kept in the metastore, so it must not show the
   *   key, and decryptKey must notice if it was changed
   */
  encryptKey(key: Uint8Array): Uint8Array | PromiseLike<Uint8Array>;
  /**
   * @param encrypted what {@link encryptKey} returned, here or in another process
   * @returns the key, 32 bytes. The array stays yours, and may be wiped in the next turn of the event loop
   */
  decryptKey(encrypted: Uint8Array): Uint8Array | PromiseLike<Uint8Array>;
}

/**
 * A metastore of your own: keeps encrypted system and intermediate keys, each as a row of a key id, a date and a key record.
 * For the option `metastore`.
 *
 * A key record is JSON text, the same that the SQL metastores of all Asherah libraries have in the column `key_record`:
 * `{"Created":1700000000,"Key":"<base64>","ParentKeyMeta":{"KeyId":"…","Created":…}}`, with `"Revoked":true` in a row that an
 * operator revoked. Give it back as it was, or with that changed. Dates are Unix seconds.
 *
 * Each method returns its result or a promise of it, within `requestTimeout`. What it throws, or rejects with, becomes the
 * `cause` of an `ERR_ASHERAH_METASTORE`. A synchronous call needs a result at once: where it gets a promise it fails with
 * `ERR_ASHERAH_WOULD_BLOCK`. See docs/providers.md.
 */
export interface Metastore {
  /** @returns the key record of the row with exactly this id and date; `null` or `undefined`: there is none */
  load(id: string, created: number): string | null | undefined | PromiseLike<string | null | undefined>;
  /** @returns the key record of the row of this id with the latest date; `null` or `undefined`: there is none */
  loadLatest(id: string): string | null | undefined | PromiseLike<string | null | undefined>;
  /**
   * Inserts a row, unless there is one of this id and date: that one must stay as it is, also when two processes store at
   * once. A row that was lost after `true` takes all records under its key with it.
   *
   * @returns true: the row is stored, so that it survives a crash; false: there was one
   */
  store(id: string, created: number, keyRecord: string): boolean | PromiseLike<boolean>;
}

/** Those of one factory. */
export interface ProviderSet {
  readonly kms?: KeyManagementService | undefined;
  readonly metastore?: Metastore | undefined;
}

/** Has the user's KMS and metastore answer the engine's requests. */
export class Providers {
  readonly #set: ProviderSet;
  readonly #answer: Addon['answer'];

  constructor(set: ProviderSet, addon: Addon) {
    this.#set = set;
    this.#answer = addon.answer;
  }

  /** Does not throw. */
  readonly serve: OnRequest = (request, kind, id, created, body) => {
    let result: unknown;
    let later: PromiseLike<unknown> | undefined;
    try {
      result = this.#ask(kind, id, created, body);
      if (isThenable(result)) later = result;
    } catch (error) {
      this.#failed(request, error);
      wipe(kind, body);
      return;
    }
    if (later === undefined) {
      this.#returned(request, kind, result);
      wipe(kind, body);
      return;
    }
    this.#answer(request, outcomes.promise);
    Promise.resolve(later)
      .then(
        (value) => this.#returned(request, kind, value),
        (error: unknown) => this.#failed(request, error),
      )
      .finally(() => wipe(kind, body));
  };

  #ask(kind: RequestKind, id: string, created: number, body: Buffer | string | undefined): unknown {
    // One that was not configured is never asked.
    const { kms, metastore } = this.#set as Required<ProviderSet>;
    switch (kind) {
      case requestKinds.encryptKey:
        return kms?.encryptKey(body as Buffer);
      case requestKinds.decryptKey:
        return kms?.decryptKey(body as Buffer);
      case requestKinds.load:
        return metastore?.load(id, created);
      case requestKinds.loadLatest:
        return metastore?.loadLatest(id);
      case requestKinds.store:
        return metastore?.store(id, created, body as string);
    }
  }

  #failed(request: number, error: unknown): void {
    this.#answer(request, outcomes.failed, messageOf(error), keep(error));
  }

  #returned(request: number, kind: RequestKind, value: unknown): void {
    this.#answer(request, ...answerOf(kind, value));
  }
}

function answerOf(kind: RequestKind, value: unknown): [outcome: Outcome, data?: string | Uint8Array] {
  const { name, expected, remedy, isKey } = functions[kind];
  if (kind === requestKinds.store) {
    if (typeof value === 'boolean') return [value ? outcomes.done : outcomes.nothing];
  } else if (!isKey) {
    if (value === null || value === undefined) return [outcomes.nothing];
    if (typeof value === 'string' && value !== '') return [outcomes.value, value];
  } else if (types.isUint8Array(value)) {
    const fits = kind === requestKinds.encryptKey ? value.length > 0 : value.length === 32;
    if (fits) return [outcomes.value, value];
  }
  const got = types.isUint8Array(value) ? `a Uint8Array of ${value.length} bytes` : describe(value);
  return [outcomes.misfit, unexpected('ERR_ASHERAH_INTERNAL', name, expected, got, remedy).message];
}

const ofRecord = {
  isKey: false,
  expected: 'a key record, or null where there is no such row, or a promise of it',
  remedy: 'Return the text that store was given.',
};

/** What messages say of each. */
const functions: Record<RequestKind, { name: string; isKey: boolean; expected: string; remedy: string }> = {
  [requestKinds.encryptKey]: {
    name: 'kms.encryptKey',
    isKey: true,
    expected: 'a Uint8Array that is not empty, or a promise of one',
    remedy: 'Return the encrypted key.',
  },
  [requestKinds.decryptKey]: {
    name: 'kms.decryptKey',
    isKey: true,
    expected: 'a Uint8Array of 32 bytes, or a promise of one',
    remedy: 'Return the key that encryptKey was given.',
  },
  [requestKinds.load]: { name: 'metastore.load', ...ofRecord },
  [requestKinds.loadLatest]: { name: 'metastore.loadLatest', ...ofRecord },
  [requestKinds.store]: {
    name: 'metastore.store',
    isKey: false,
    expected: 'true or false, or a promise of it',
    remedy: 'Return true when the row is stored, and false when there was one of this id and date already.',
  },
};

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** A key that was to be encrypted. */
function wipe(kind: RequestKind, body: Buffer | string | undefined): void {
  if (kind !== requestKinds.encryptKey || typeof body !== 'object') return;
  try {
    body.fill(0);
  } catch {
    // its memory was transferred away, and is the function's
  }
}

function messageOf(error: unknown): string {
  try {
    if (error instanceof Error && String(error.message) !== '') return String(error.message);
    return `it threw ${error instanceof Error ? 'an error without a message' : describe(error)}`;
  } catch {
    return 'it threw an error that can not be read';
  }
}
