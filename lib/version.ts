// SPDX-License-Identifier: Apache-2.0

/** The version in package.json, of this package and of asherah-napi-cloud; here too, because reading it takes time. */
export const version = '0.1.0';
