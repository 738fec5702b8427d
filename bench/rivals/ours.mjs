// SPDX-License-Identifier: Apache-2.0

import { createRequire } from 'node:module';
import { asherahConfig, PARTITION } from './config.mjs';
import { openFactory } from './factory-api.mjs';

// From the root's package.json, so that the package resolves itself as its users see it.
const require = createRequire(new URL('../../package.json', import.meta.url));

export async function open({ cloud = false, moduleLevel = false, hooks = false }) {
  const api = require('asherah-napi');
  if (cloud) api.loadCloud();
  if (hooks) {
    let events = 0;
    api.setMetricsHook(() => events++);
    api.setLogHook(() => events++);
  }
  const version = () => require('asherah-napi/package.json').version;
  const config = asherahConfig('test-debug-memory');
  return moduleLevel ? openModule(api, config, version) : openFactory(api, config, version);
}

function openModule(api, config, version) {
  api.setup(config);
  return {
    get version() {
      return version();
    },
    sync: {
      encrypt: (data) => api.encrypt(PARTITION, data),
      decrypt: (record) => api.decrypt(PARTITION, record),
    },
    async: {
      encrypt: (data) => api.encryptAsync(PARTITION, data),
      decrypt: (record) => api.decryptAsync(PARTITION, record),
    },
    close: () => api.shutdown(),
  };
}
