// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto';

export const PARTITION = 'user-4711';

// Here and not below: waking up the generator of random numbers is no rival's work.
const masterKey = randomBytes(32).toString('hex');

/** The configuration every package with the Asherah API gets: as it comes, plus what it demands. */
export function asherahConfig(metastore) {
  return {
    serviceName: 'bench-service',
    productId: 'bench-product',
    kms: 'static',
    staticMasterKeyHex: masterKey,
    metastore,
  };
}
