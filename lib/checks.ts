// SPDX-License-Identifier: Apache-2.0
import { describe, unexpected } from './errors.js';

const reference = 'docs/configuration.md describes the option.';

// Each check returns the value, typed, or throws ERR_ASHERAH_INVALID_CONFIG with the option's name.

/** Text that goes into a key id: what UTF-8 can't hold would become the same replacement character in every id. */
export function text(value: unknown, name: string): string {
  if (typeof value !== 'string' || value === '') throw invalid(name, 'a non-empty string', describe(value));
  if (!isWellFormed(value)) {
    throw invalid(name, 'well-formed Unicode', 'a string with half a surrogate pair');
  }
  return value;
}

export function texts(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value)) throw invalid(name, 'an array of non-empty strings', describe(value));
  return Array.from(value, (element, index) => text(element, `${name}[${index}]`));
}

/** Region names and the keys there. */
export function regionMap(value: unknown, name: string): Readonly<Record<string, string>> {
  const map = record(value, name, 'an object of AWS regions and the KMS key in each', text);
  for (const [region, key] of Object.entries(map)) {
    const [, service, ofKey] = /^arn:[^:]*:([^:]*):([^:]*):/.exec(key) ?? [];
    if (service !== undefined && (service !== 'kms' || ofKey !== region)) {
      throw invalid(`${name}['${region}']`, `a KMS key of ${region}`, 'the ARN of another region or service');
    }
  }
  return map;
}

/** By the naming rules of DynamoDB; a table of another account is named by its ARN. */
export function tableName(value: unknown, name: string): string {
  if (typeof value !== 'string' || !/^(arn:[^ ]+|[A-Za-z0-9_.-]{3,255})$/.test(value)) {
    throw invalid(name, '3 to 255 of a-z, A-Z, 0-9, _, - and ., or an ARN', describe(value));
  }
  return value;
}

/** One URL, or one for each of several names. */
export function urls(value: unknown, name: string): string | Readonly<Record<string, string>> {
  return typeof value === 'string' ? url(value, name) : record(value, name, 'a URL, or an object of them', url);
}

/** Not printed: it may hold a password. */
export function url(value: unknown, name: string): string {
  const parsed = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || parsed.username !== '' || parsed.password !== '') {
    throw invalid(name, 'a URL that starts with https:// or http://, without a user', describe(value));
  }
  return value as string;
}

function record(
  value: unknown,
  name: string,
  expected: string,
  check: (element: unknown, name: string) => string,
): Readonly<Record<string, string>> {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  const entries = isRecord ? Object.entries(value) : [];
  if (entries.length === 0) throw invalid(name, expected, isRecord ? 'an object without any' : describe(value));
  const checked: Record<string, string> = Object.create(null);
  for (const [key, element] of entries) {
    const known = /^[a-z0-9-]{1,32}$/.test(key);
    if (!known) throw invalid(name, expected, 'one with a name that no AWS region has');
    checked[key] = check(element, `${name}['${key}']`);
  }
  return checked;
}

export function isWellFormed(value: string): boolean {
  return !/\p{Surrogate}/u.test(value);
}

export function boolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalid(name, 'true or false', describe(value));
  return value;
}

export function func(value: unknown, name: string): (...args: never[]) => unknown {
  if (typeof value !== 'function') throw invalid(name, 'a function', describe(value));
  return value as (...args: never[]) => unknown;
}

/** The digits are secret: they are never in a message, not even a wrong one of them. */
export function hexKey(value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalid(name, '64 hexadecimal digits', describe(value));
  if (!/^[0-9a-fA-F]*$/.test(value)) {
    throw invalid(name, '64 hexadecimal digits', `${describe(value)}, others among them`);
  }
  if (value.length !== 64) throw invalid(name, '64 hexadecimal digits', describe(value));
  return value;
}

/** What other packages have a word for, and this one does not do. */
const missing = new Map([
  ['vault', 'HashiCorp Vault'],
  ['vault-transit', 'HashiCorp Vault'],
  ['secrets-manager', 'a master key in AWS Secrets Manager'],
  ['oracle', 'Oracle'],
]);

/** A fixed word, in any letter case. */
export function oneOf<const T extends string>(...allowed: T[]): (value: unknown, name: string) => T {
  return word(allowed, reference);
}

/** As {@link oneOf}; `unknown` are the words by which `asherah` 4 refused others, for who looks for them. */
export function kind<const T extends string>(unknown: string, ...allowed: T[]): (value: unknown, name: string) => T {
  return word(allowed, `${unknown}: ${reference}`);
}

function word<T extends string>(allowed: T[], advice: string): (value: unknown, name: string) => T {
  return (value, name) => {
    const word = (typeof value === 'string' ? value.toLowerCase() : '') as T;
    if (!allowed.includes(word)) {
      // A short word is a slip worth showing; anything else may be a secret in the wrong place.
      const isWord = /^[a-z][a-z0-9-]{0,23}$/.test(word);
      const lacks = missing.get(word);
      const remedy = lacks === undefined ? advice : `This package has no support for ${lacks}: choose another.`;
      throw invalid(name, names(...allowed), isWord ? `'${value}'` : describe(value), remedy);
    }
    return word;
  };
}

/**
 * An object with these methods, its own or inherited, or what the other check passes.
 *
 * It is called twice, because TypeScript infers either all types or none.
 */
export function methodsOr<O extends object>() {
  return <T>(methods: (keyof O & string)[], other: (value: unknown, name: string) => T) =>
    (value: unknown, name: string): T | O => {
      const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
      if (!isObject) return other(value, name);
      for (const method of methods) {
        if (typeof (value as Record<string, unknown>)[method] !== 'function') {
          const expected = `an object with the methods ${methods.join(', ').replace(/, ([^,]*)$/, ' and $1')}`;
          throw invalid(name, expected, `one without ${method}`, 'docs/providers.md describes them.');
        }
      }
      return value as O;
    };
}

/** `'a', 'b' or 'c'` */
export function names(...words: string[]): string {
  const quoted = words.map((word) => `'${word}'`);
  return `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}

export function integer(min: number, max: number, unit: string): (value: unknown, name: string) => number {
  return numeric(
    `an integer number of ${unit} from ${min} to ${max}`,
    (n) => Number.isInteger(n) && n >= min && n <= max,
  );
}

export function number(min: number, max: number, unit: string): (value: unknown, name: string) => number {
  return numeric(`a number of ${unit} from ${min} to ${max}`, (n) => n >= min && n <= max);
}

function numeric(expected: string, isValid: (n: number) => boolean): (value: unknown, name: string) => number {
  return (value, name) => {
    if (typeof value !== 'number' || !isValid(value)) {
      throw invalid(name, expected, typeof value === 'number' ? String(value) : describe(value));
    }
    return value;
  };
}

function invalid(name: string, expected: string, got: string, remedy = reference): Error {
  return unexpected('ERR_ASHERAH_INVALID_CONFIG', name, expected, got, remedy);
}
