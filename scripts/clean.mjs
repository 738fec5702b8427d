// SPDX-License-Identifier: Apache-2.0

// Removes everything that a build makes. node_modules stays, and so do the servers of the tests (build/services).

import { existsSync, readdirSync, rmSync } from 'node:fs';

const root = new URL('..', import.meta.url);
const remove = (path) => rmSync(new URL(path, root), { recursive: true, force: true });
const list = (path) => readdirSync(new URL(path, root), { withFileTypes: true });

for (const made of ['dist', 'cloud/build']) remove(made);
if (existsSync(new URL('build', root))) {
  for (const { name } of list('build')) if (name !== 'services') remove(`build/${name}`);
}
for (const prebuilds of ['prebuilds', 'cloud/prebuilds']) {
  if (!existsSync(new URL(prebuilds, root))) continue;
  for (const entry of list(prebuilds)) if (entry.isDirectory()) remove(`${prebuilds}/${entry.name}`);
}
