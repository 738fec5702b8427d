// SPDX-License-Identifier: Apache-2.0
import { isDeepStrictEqual } from 'node:util';
import { AsherahError, describe, unexpected } from './errors.js';
import { nearest } from './nearest.js';
import { checks, type OptionName, type Options } from './option-checks.js';
import { isPascal, missingFeature, namesLike, optionNamed, pascalName } from './option-names.js';
import { fromPascal } from './pascal-values.js';
import type { AsherahWarning } from './warnings.js';

/** Of a configuration that was read from variables: what messages say instead of the names of its options. */
export interface Origin {
  readonly labels: Readonly<Record<string, string>>;
  readonly warnings: readonly AsherahWarning[];
}
export const origins = new WeakMap<object, Origin>();

/** A configuration as it was given: each option read once and checked by itself. */
export class Given {
  readonly options: Options = Object.create(null);
  readonly warnings: AsherahWarning[];
  /** It has `ServiceName`, as the configurations of `asherah` 3 do. */
  readonly isPascal: boolean;
  readonly #moduleLevel: boolean;
  readonly #origin: Origin | undefined;
  readonly #spellings = new Map<OptionName, string>();

  /**
   * @param moduleLevel whether it was given to `setup` and not to a factory
   * @throws AsherahError `ERR_ASHERAH_INVALID_CONFIG` or `ERR_ASHERAH_UNKNOWN_OPTION`
   */
  constructor(config: unknown, moduleLevel: boolean) {
    const properties = readProperties(config);
    this.isPascal = properties.some(([spelling]) => spelling === 'ServiceName');
    this.#moduleLevel = moduleLevel;
    this.#origin = typeof config === 'object' && config !== null ? origins.get(config) : undefined;
    this.warnings = [...(this.#origin?.warnings ?? [])];
    for (const [spelling, value] of properties) this.#read(spelling, value);
  }

  /** What messages call the option: as it was given, or would be beside the others. */
  label(name: OptionName): string {
    const variable = this.#origin?.labels[name];
    if (variable !== undefined) return variable;
    return `config.${this.#spellings.get(name) ?? (this.isPascal ? pascalName(name) : name)}`;
  }

  need<K extends OptionName>(name: K, remedy: string): Exclude<Options[K], undefined> {
    const value = this.options[name];
    if (value === undefined) {
      throw unexpected('ERR_ASHERAH_INVALID_CONFIG', this.label(name), 'a value', 'undefined', remedy);
    }
    return value as Exclude<Options[K], undefined>;
  }

  /**
   * An option that would have no effect is refused: whoever gave it expects one. Except `false`, and except where options
   * are given that nobody chose, by code for the older packages and by variables: there a warning tells of it.
   */
  refuse(names: readonly OptionName[], condition: string): void {
    for (const name of names) {
      const value = this.options[name];
      if (value === undefined || value === false) continue;
      const refusal = this.conflict(name, condition);
      if (!this.isPascal && !this.#moduleLevel && this.#origin === undefined) throw refusal;
      delete this.options[name];
      this.warn(
        'WARN_ASHERAH_OPTION_IGNORED',
        `${this.label(name)}: expected no value ${condition}, got one. It is ignored.`,
      );
    }
  }

  conflict(name: OptionName, condition: string, remedy = 'Leave one of the two out.'): Error {
    return unexpected('ERR_ASHERAH_INVALID_CONFIG', this.label(name), `no value ${condition}`, 'one', remedy);
  }

  warn(code: AsherahWarning['code'], message: string): void {
    this.warnings.push({ code, message });
  }

  #read(spelling: string, given: unknown): void {
    const name = optionNamed(spelling);
    if (name === undefined) {
      this.#unknown(spelling, given);
      return;
    }
    if (given === undefined || given === null) return;
    const label = this.#origin?.labels[name] ?? `config.${spelling}`;
    const checked = checkedValue(name, given, label, isPascal(spelling));
    if (checked === undefined) return;
    const other = this.#spellings.get(name);
    if (other !== undefined && !isDeepStrictEqual(this.options[name], checked)) {
      throw unexpected(
        'ERR_ASHERAH_INVALID_CONFIG',
        label,
        `the value of config.${other}, which is the same option`,
        'another one',
        'Leave one of the two out.',
      );
    }
    this.#spellings.set(name, spelling);
    Object.assign(this.options, { [name]: checked });
  }

  #unknown(spelling: string, value: unknown): void {
    const feature = missingFeature(spelling);
    if (feature !== undefined) {
      if (value === undefined || value === null) return;
      const remedy = `This package has no support for ${feature}: leave the option out, and choose another kms.`;
      throw unexpected('ERR_ASHERAH_INVALID_CONFIG', `config.${spelling}`, 'no value', 'one', remedy);
    }
    const shown = spelling.length > 64 ? 'one with a name of over 64 characters' : JSON.stringify(spelling);
    const meant = nearest(spelling, namesLike(spelling));
    const remedy = meant === undefined ? 'docs/configuration.md lists them all.' : `Did you mean ${meant}?`;
    const error = unexpected('ERR_ASHERAH_UNKNOWN_OPTION', 'config', 'known options only', shown, remedy);
    if (!this.isPascal || !this.#moduleLevel || meant !== undefined) throw error;
    this.warn('WARN_ASHERAH_UNKNOWN_OPTION', `${error.message} It is ignored.`);
  }
}

/** The value may be an object that throws when it is looked at. */
function checkedValue(name: OptionName, given: unknown, label: string, ofPascal: boolean): unknown {
  try {
    const value = ofPascal ? fromPascal(name, given, label) : given;
    return value === undefined ? undefined : checks[name](value, label);
  } catch (error) {
    if (error instanceof AsherahError) throw error;
    const message = `${label}: expected a value that can be read, got one that throws (see the cause). Pass a plain one.`;
    throw new AsherahError('ERR_ASHERAH_INVALID_CONFIG', message, { cause: error });
  }
}

/** Each property is read once, so that a getter can't give the check one value and the engine another. */
function readProperties(config: unknown): [string, unknown][] {
  const value = typeof config === 'string' ? parse(config) : config;
  const properties = typeof value === 'object' && value !== null ? entries(value) : undefined;
  if (properties === undefined || Array.isArray(value)) {
    throw unexpected(
      'ERR_ASHERAH_INVALID_CONFIG',
      'config',
      'an object of options',
      typeof config === 'string' ? `${describe(config)} that is no such object in JSON` : describe(config),
      'Pass new SessionFactory({ serviceName, productId, kms, metastore }).',
    );
  }
  return properties;
}

function entries(config: object): [string, unknown][] {
  try {
    return Object.entries(config);
  } catch (cause) {
    const message =
      'config: expected an object that can be read, got one that throws (see the cause). Pass a plain object.';
    throw new AsherahError('ERR_ASHERAH_INVALID_CONFIG', message, { cause });
  }
}

/** Without the parser's error, which quotes the text: it may hold a password. */
function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
