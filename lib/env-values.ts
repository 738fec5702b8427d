// SPDX-License-Identifier: Apache-2.0
import { describe, unexpected } from './errors.js';

// What the text of a variable means, before the option's own check. Each throws with the variable's name.

/** @returns the option's value */
export type Parse = (value: string, variable: string) => unknown;

export const asText: Parse = (value) => value;

export const asNumber: Parse = (value, variable) => {
  // Not Number() alone, which also reads '0x10' and ' '.
  if (!/^-?\d+$/.test(value.trim())) throw wrong(variable, 'an integer', describe(value));
  return Number(value);
};

export function asBoolean(value: string, variable: string): boolean {
  const word = value.trim().toLowerCase();
  if (['1', 'true', 'yes', 'on'].includes(word)) return true;
  if (['0', 'false', 'no', 'off'].includes(word)) return false;
  throw wrong(variable, '1, true, yes or on, or 0, false, no or off', describe(value));
}

const nanoseconds = new Map([
  ['ns', 1],
  ['us', 1e3],
  ['µs', 1e3],
  ['μs', 1e3],
  ['ms', 1e6],
  ['s', 1e9],
  ['m', 60e9],
  ['h', 3600e9],
]);

/** As Go's `time.ParseDuration`. @returns seconds */
export const asGoDuration: Parse = (value, variable) => {
  if (value === '0') return 0;
  const units = [...nanoseconds.keys()].join('|');
  if (!new RegExp(`^-?((\\d+\\.?\\d*|\\.\\d+)(${units}))+$`).test(value)) {
    throw wrong(variable, 'a duration such as 2160h or 1h30m', describe(value));
  }
  const parts = [...value.matchAll(/([\d.]+)([a-zµμ]+)/g)];
  const sum = parts.reduce((total, [, n, unit]) => total + Number(n) * (nanoseconds.get(unit as string) as number), 0);
  return (value.startsWith('-') ? -sum : sum) / 1e9;
};

export const asJson: Parse = (value, variable) => {
  try {
    return JSON.parse(value);
  } catch {
    // Without the parser's error, which quotes the text.
    throw wrong(variable, 'the JSON text of an object', describe(value));
  }
};

/** `R1=ARN1,R2=ARN2` */
export const asPairs: Parse = (value, variable) => {
  const pairs = asList(value).map((pair) => /^([^=]+)=(.+)$/.exec(pair)?.slice(1));
  if (pairs.length === 0 || pairs.some((pair) => pair === undefined)) {
    throw wrong(variable, 'REGION=ARN,REGION=ARN', describe(value));
  }
  return Object.fromEntries(pairs as [string, string][]);
};

export function asList(value: string): string[] {
  return value
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '');
}

export function wrong(variable: string, expected: string, got: string, remedy = reference): Error {
  return unexpected('ERR_ASHERAH_INVALID_CONFIG', variable, expected, got, remedy);
}

const reference = 'docs/configuration.md lists the variables.';
