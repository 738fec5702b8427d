// SPDX-License-Identifier: Apache-2.0

// The native module itself. asherah-napi requires it, at the first configuration that needs it; lib/addon.ts there says what
// it exports. A package of its own with prebuilds of its own: node-gyp-build knows one addon per folder.
module.exports = require('node-gyp-build')(__dirname);
