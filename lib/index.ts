// SPDX-License-Identifier: Apache-2.0
import * as asherah from './api.js';
import { coreFile } from './load.js';

export * from './api.js';
/** All of it as one object, for `import asherah from 'asherah-napi'`. */
export default asherah;

/** The path of the core addon's file, as in `asherah` 4; `undefined` where none is found. */
export declare const __binary: string | undefined;

// Looked for when somebody asks. (The bundle is a CommonJS module: `module` is its own.)
for (const all of [module.exports, asherah]) {
  Object.defineProperty(all, '__binary', { enumerable: true, get: coreFile });
}
