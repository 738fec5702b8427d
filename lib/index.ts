// SPDX-License-Identifier: Apache-2.0
import * as asherah from './api.js';

export * from './api.js';
/** All of it as one object, for `import asherah from 'asherah-napi'`. */
export default asherah;
