// SPDX-License-Identifier: Apache-2.0

/** What the start of Node and of this harness cost by themselves. */
export async function open() {
  return { version: process.version, close() {} };
}
