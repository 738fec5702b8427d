// SPDX-License-Identifier: Apache-2.0
import { checks, type OptionName, optionNames } from './option-checks.js';

const irregular = new Map<OptionName, string>([
  ['kms', 'KMS'],
  ['productId', 'ProductID'],
  ['sqlMetastoreDbType', 'SQLMetastoreDBType'],
]);

/** The option's name in the configurations of `asherah` 3. */
export function pascalName(name: OptionName): string {
  return irregular.get(name) ?? `${name[0]?.toUpperCase()}${name.slice(1)}`.replace('DynamoDb', 'DynamoDB');
}

export function isPascal(spelling: string): boolean {
  return /^[A-Z]/.test(spelling);
}

/** Made for the first name in another spelling. A map, since objects know `constructor` and more. */
let bySpelling: Map<string, OptionName> | undefined;

/** The option of that name: in camelCase, PascalCase, or with `DB` for `Db`, as `asherah` 4 also accepts it. */
export function optionNamed(spelling: string): OptionName | undefined {
  if (Object.hasOwn(checks, spelling)) return spelling as OptionName;
  bySpelling ??= new Map(
    optionNames.flatMap((name) => [name, name.replace('Db', 'DB'), pascalName(name)].map((each) => [each, name])),
  );
  return bySpelling.get(spelling);
}

/** All right names in the letter case of that one. */
export function namesLike(spelling: string): string[] {
  return isPascal(spelling) ? optionNames.map(pascalName) : optionNames;
}

const ofVault =
  'Addr Token AuthMethod AuthRole AuthMount ApproleRoleId ApproleSecretId ClientCert ClientKey K8sTokenPath TransitKey TransitMount';

/** Options of `asherah` 4 for what this package does not do, and what that is. */
export const missingFeatures: ReadonlyMap<string, string> = new Map([
  ...ofVault.split(' ').map((name): [string, string] => [`vault${name}`, 'HashiCorp Vault']),
  ['secretsManagerSecretId', 'a master key in AWS Secrets Manager'],
]);

export function missingFeature(spelling: string): string | undefined {
  return missingFeatures.get(spelling.replace(/^[VS]/, (letter) => letter.toLowerCase()));
}
