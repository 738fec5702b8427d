// SPDX-License-Identifier: Apache-2.0

import { existsSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { asherahConfig, PARTITION } from './config.mjs';
import { openFactory } from './factory-api.mjs';

/** Name and version of the package that holds `path`, a folder or a file. */
export function describe(path) {
  let dir = resolve(path);
  if (!statSync(dir).isDirectory()) dir = dirname(dir);
  for (; dir !== dirname(dir); dir = dirname(dir)) {
    const file = join(dir, 'package.json');
    const { name, version } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
    if (name && version) return { name, version };
  }
  throw new Error(`--peer ${path}: no package.json with a name and a version there or above`);
}

const require = createRequire(import.meta.url);

export function load(path) {
  return require(resolve(path));
}

/** The APIs a package has: 'factory', 'module'. */
export function apisOf(api) {
  const found = [];
  if (typeof api.SessionFactory === 'function') found.push('factory');
  if (typeof api.setup === 'function' && typeof api.encrypt === 'function') found.push('module');
  return found;
}

export async function open({ path, api }) {
  const peer = load(path);
  const version = () => describe(path).version;
  if (api === 'factory') {
    return openFactory(peer, { ...asherahConfig('memory'), enableSessionCaching: true }, version);
  }
  setUp(peer);
  const encryptAsync = peer.encryptAsync ?? peer.encrypt_async;
  const decryptAsync = peer.decryptAsync ?? peer.decrypt_async;
  return {
    get version() {
      return version();
    },
    sync: {
      encrypt: (data) => peer.encrypt(PARTITION, data),
      decrypt: (record) => peer.decrypt(PARTITION, record),
    },
    async: encryptAsync && {
      encrypt: (data) => encryptAsync(PARTITION, data),
      decrypt: (record) => decryptAsync(PARTITION, record),
    },
    getSession: (partition) => ({ encrypt: (data) => peer.encrypt(partition, data), close() {} }),
    close: () => peer.shutdown(),
  };
}

/** Version 4 of `asherah` takes camelCase, version 3 only PascalCase and no key: its static KMS has a built-in one. */
function setUp(peer) {
  const config = { ...asherahConfig('memory'), enableSessionCaching: true };
  try {
    peer.setup(config);
  } catch (camelCase) {
    try {
      peer.setup({
        ServiceName: config.serviceName,
        ProductID: config.productId,
        Metastore: 'memory',
        KMS: 'static',
        EnableSessionCaching: true,
        Verbose: false,
        EnableCanaries: false,
      });
    } catch (pascalCase) {
      throw new AggregateError(
        [camelCase, pascalCase],
        `setup() took neither: ${camelCase.message}; ${pascalCase.message}`,
      );
    }
  }
}
