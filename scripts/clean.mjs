// SPDX-License-Identifier: Apache-2.0

// Removes everything that a build makes. node_modules stays.

import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('..', import.meta.url);
for (const made of ['build', 'dist']) rmSync(new URL(made, root), { recursive: true, force: true });
for (const entry of readdirSync(new URL('prebuilds', root), { withFileTypes: true })) {
  if (entry.isDirectory()) rmSync(fileURLToPath(new URL(`prebuilds/${entry.name}`, root)), { recursive: true });
}
