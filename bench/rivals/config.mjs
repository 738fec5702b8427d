// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto';

export const PARTITION = 'user-4711';

/** The configuration every package with the Asherah API gets: as it comes, plus what it demands. */
export function asherahConfig(metastore) {
  return {
    serviceName: 'bench-service',
    productId: 'bench-product',
    kms: 'static',
    staticMasterKeyHex: randomBytes(32).toString('hex'),
    metastore,
  };
}
