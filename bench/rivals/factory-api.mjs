// SPDX-License-Identifier: Apache-2.0

import { PARTITION } from './config.mjs';

/** Any package with `new SessionFactory(config).getSession(partition)`. */
export function openFactory(api, config, version) {
  const factory = new api.SessionFactory(config);
  const session = factory.getSession(PARTITION);
  return {
    get version() {
      return version();
    },
    sync: { encrypt: (data) => session.encrypt(data), decrypt: (record) => session.decrypt(record) },
    async: session.encryptAsync && {
      encrypt: (data) => session.encryptAsync(data),
      decrypt: (record) => session.decryptAsync(record),
    },
    getSession: (partition) => factory.getSession(partition),
    close() {
      session.close();
      factory.close();
    },
  };
}
