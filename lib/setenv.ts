// SPDX-License-Identifier: Apache-2.0
import { types } from 'node:util';
import { describe, unexpected } from './errors.js';

/**
 * Sets variables of `process.env`, of this thread; `null` unsets one. Meant for code of the older packages: a factory reads
 * `process.env` itself, so a program may as well assign to it. All is checked before anything is set.
 *
 * @param environment an object of strings and `null`; the JSON text of one, also encoded twice, as a string or as bytes of
 *   UTF-8; or lines `NAME=value`, where blank lines and lines that start with `#` don't count, nor does white space around
 *   names and values (as in `asherah` 4)
 * @throws AsherahError `ERR_ASHERAH_INVALID_ARGUMENT`; values are not in its message
 */
export function setenv(environment: string | Uint8Array | Readonly<Record<string, string | null>>): void {
  const variables = entries(environment);
  for (const [name, value] of variables) check(name, value);
  for (const [name, value] of variables) {
    if (value === null) delete process.env[name];
    else process.env[name] = value as string;
  }
}

function entries(environment: unknown): [string, unknown][] {
  const text = types.isUint8Array(environment) ? utf8(environment) : environment;
  if (typeof text === 'string') return /^\s*["{]/.test(text) ? ofJson(text) : ofLines(text);
  if (!isPlain(text)) throw invalid('a plain object, its JSON text, or lines NAME=value', describe(environment));
  try {
    return Object.entries(text);
  } catch {
    throw invalid('an object that can be read', 'one that throws');
  }
}

/** A Map, a Date and the like would set nothing, silently; what a proxy does nobody knows. */
function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || types.isProxy(value) || Array.isArray(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  // Not compared with Object.prototype: objects of another realm have their own.
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalid('bytes of UTF-8', 'others');
  }
}

function ofJson(text: string): [string, unknown][] {
  let value: unknown = text;
  // Once, or twice: the README of `asherah` 3 encodes the text of a file that is JSON already.
  for (let times = 0; times < 2 && typeof value === 'string'; times++) value = parse(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('the JSON text of an object', `${describe(text)} that is none`);
  }
  return Object.entries(value);
}

/** Without the parser's error, which quotes the text. */
function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function ofLines(text: string): [string, unknown][] {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const variables = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (variables.length === 0) throw invalid('JSON, or lines NAME=value', `${describe(text)} without any`);
  return variables.map((line) => {
    const [, name, value] = /^([^=]*)=(.*)$/s.exec(line) ?? [];
    if (name === undefined || value === undefined) throw invalid('JSON, or lines NAME=value', 'a line without =');
    return [name.trim(), value.trim()];
  });
}

function check(name: string, value: unknown): void {
  if (!/^[^=\0]+$/.test(name)) throw invalid('names of variables', 'an empty one, or one with = or a zero byte');
  if (value === null) return;
  // A name may be a value in the wrong place, so it is shown only where it looks like a name.
  const shown = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name) ? name : 'one of its values';
  if (typeof value !== 'string') throw invalid(`a string or null for ${shown}`, describe(value));
  if (value.includes('\0')) throw invalid(`a string without zero bytes for ${shown}`, 'one with some');
}

function invalid(expected: string, got: string): Error {
  const remedy = 'Pass an object such as { AWS_REGION: "eu-west-1" }, or its JSON text.';
  return unexpected('ERR_ASHERAH_INVALID_ARGUMENT', 'environment', expected, got, remedy);
}
