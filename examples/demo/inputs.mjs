// SPDX-License-Identifier: Apache-2.0
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { UsageError } from './arguments.mjs';

/**
 * The regular files behind the paths, folders searched to the bottom, each file once however many links lead to it.
 * @param {string[]} paths absolute
 * @param {string} except absolute path of a folder to leave out: our own output
 * @returns {Promise<{files: {path: string, name: string, size: number}[], problems: {path: string, reason: string}[]}>}
 *   name: the path below the argument's parent folder, which names the output; problems: what could not be looked at
 */
export async function findInputs(paths, except) {
  const found = { files: [], problems: [] };
  // Real paths seen so far: they end loops of symbolic links.
  const seen = new Set([await realpath(except).catch(() => except)]);
  for (const path of paths) {
    try {
      await stat(path);
    } catch (error) {
      throw new UsageError(
        error.code === 'ENOENT' ? `no such file or folder: ${path}` : `cannot read ${path}: ${error.code}`,
      );
    }
    await visit(path, basename(path) || 'root', seen, found);
  }
  return found;
}

async function visit(path, name, seen, found) {
  try {
    const real = await realpath(path);
    if (seen.has(real)) return;
    seen.add(real);
    const status = await stat(path);
    if (status.isDirectory()) {
      const entries = await readdir(path);
      for (const entry of entries.sort()) await visit(join(path, entry), join(name, entry), seen, found);
    } else if (status.isFile()) {
      found.files.push({ path, name, size: status.size });
    } else {
      found.problems.push({ path, reason: 'neither a file nor a folder' });
    }
  } catch (error) {
    found.problems.push({ path, reason: error.code === 'ENOENT' ? 'the link leads nowhere' : error.message });
  }
}
