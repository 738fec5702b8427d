// SPDX-License-Identifier: Apache-2.0
import type { SessionFactoryConfig } from './options.js';

/** Options that did something in the older packages. Accepted, checked to be boolean, and of no effect here. */
export interface NoOpOptions {
  /** No effect: data is never shared with the engine while JavaScript could change it. */
  disableZeroCopy?: boolean | null | undefined;
  /** No effect: it made `asherah` 3 log when data was all zeros. */
  nullDataCheck?: boolean | null | undefined;
  /** No effect: it put marks around the buffers of `asherah` 3. */
  enableCanaries?: boolean | null | undefined;
  /** No effect: `asherah` 4 compares the configuration with a row in the metastore; this package keeps no such row. */
  configDriftForceRun?: boolean | null | undefined;
  /** No effect, as {@link configDriftForceRun}. */
  configDriftForceUpdate?: boolean | null | undefined;
}

/** Other spellings of `asherah` 4. */
export interface OptionAliases {
  /** @deprecated Write `dynamoDbEndpoint`. */
  dynamoDBEndpoint?: string | null | undefined;
  /** @deprecated Write `dynamoDbRegion`. */
  dynamoDBRegion?: string | null | undefined;
  /** @deprecated Write `dynamoDbSigningRegion`. */
  dynamoDBSigningRegion?: string | null | undefined;
  /** @deprecated Write `dynamoDbTableName`. */
  dynamoDBTableName?: string | null | undefined;
  /** @deprecated Write `sqlMetastoreDbType`. */
  sqlMetastoreDBType?: string | null | undefined;
}

type Options = SessionFactoryConfig & NoOpOptions;

/** As `pascalName` of option-names.ts. */
type PascalName<Name extends string> = Name extends 'kms'
  ? 'KMS'
  : Name extends 'productId'
    ? 'ProductID'
    : Name extends 'sqlMetastoreDbType'
      ? 'SQLMetastoreDBType'
      : Name extends `dynamoDb${infer Rest}`
        ? `DynamoDB${Rest}`
        : Capitalize<Name>;

type OfOwnType = 'serviceName' | 'productId' | 'metastore' | 'kms';

/**
 * The configuration of `asherah` 3, and of `asherah` 4 in its compatible form: every option in PascalCase. It differs from
 * {@link SessionFactoryConfig} by more than its names (`docs/configuration.md`): durations of 1,000,000,000 and more are
 * nanoseconds, an option of 0 or `''` is not given, and `KMS` is `'aws'` by default.
 */
export type AsherahConfigCompat = {
  readonly [Name in keyof Options as Name extends OfOwnType ? never : PascalName<Name>]?: Options[Name];
} & {
  /** As `serviceName`. Required. */
  readonly ServiceName: string;
  /** As `productId`. Required. */
  readonly ProductID: string;
  /** As `metastore`. Required. */
  readonly Metastore: SessionFactoryConfig['metastore'] | (string & {});
  /**
   * As `kms`; `'static'` without a key is the public test key, with a warning (`WARN_ASHERAH_TEST_KMS`).
   * @defaultValue 'aws'
   */
  readonly KMS?: SessionFactoryConfig['kms'] | (string & {}) | null | undefined;
};

/** What a `SessionFactory` or `setup` accepts. At run time the two ways to write names may also be mixed. */
export type AsherahConfig = (SessionFactoryConfig & NoOpOptions & OptionAliases) | AsherahConfigCompat;
