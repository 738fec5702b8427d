// SPDX-License-Identifier: Apache-2.0

import { createRequire } from 'node:module';
import { asherahConfig } from './config.mjs';
import { openFactory } from './factory-api.mjs';

// From the root's package.json, so that the package resolves itself as its users see it.
const require = createRequire(new URL('../../package.json', import.meta.url));

export async function open({ cloud = false }) {
  const api = require('asherah-napi');
  if (cloud) api.loadCloud();
  const version = () => require('asherah-napi/package.json').version;
  return openFactory(api, asherahConfig('test-debug-memory'), version);
}
