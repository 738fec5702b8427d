// SPDX-License-Identifier: Apache-2.0
// The folder that holds what belongs together: records, the SQLite file with the keys, and the master key beside it.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { SessionFactory } from 'asherah-napi';
import initSqlJs from 'sql.js';

const keysFile = (folder) => join(folder, 'keys.sqlite');
const masterKeyFile = (folder) => join(folder, 'master.key');

/** Opens the folder for encryption, with a new master key when it is a new one. */
export async function createFactory(folder, expireAfter) {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(masterKeyFile(folder))) {
    if (existsSync(keysFile(folder))) {
      throw new Error(
        `${masterKeyFile(folder)} is gone, and nothing else opens the keys in ${keysFile(folder)}. Put it back, or choose another --out.`,
      );
    }
    await writeMasterKey(masterKeyFile(folder));
  }
  return openFactory(folder, { expireAfter });
}

/** Opens a folder that createFactory made. */
export async function openFactory(folder, options = {}) {
  if (!existsSync(keysFile(folder)) && !('expireAfter' in options)) {
    throw new Error(`${folder} holds no keys.sqlite: nothing was encrypted there`);
  }
  return new SessionFactory({
    serviceName: 'demo',
    productId: 'asherah-napi',
    kms: 'static',
    staticMasterKeyHex: await readMasterKey(masterKeyFile(folder)),
    metastore: 'sqlite',
    connectionString: keysFile(folder),
    ...options,
  });
}

async function writeMasterKey(path) {
  // 'wx': an existing master key is never overwritten, not even one that appeared just now.
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(`${randomBytes(32).toString('hex')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function readMasterKey(path) {
  let status;
  try {
    status = await stat(path);
  } catch (error) {
    throw new Error(`cannot read the master key ${path}: ${error.code}`);
  }
  // Windows has no such bits and shows 0666 for every file.
  if (process.platform !== 'win32' && (status.mode & 0o077) !== 0) {
    throw new Error(
      `others may read the master key ${path} (mode ${(status.mode & 0o777).toString(8)}). Run: chmod 600 ${path}`,
    );
  }
  const text = (await readFile(path, 'latin1')).trim();
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new Error(`${path} is no master key: it must hold 64 hexadecimal digits`);
  return text;
}

/**
 * Rows of the key table, and how many of them replaced an older key.
 *
 * sql.js reads a copy in memory. Even so this is for a closed factory only: a process that opens and closes a file by itself
 * loses the POSIX locks that SQLite holds on it.
 */
export async function countKeys(folder) {
  const { Database } = await initSqlJs();
  const database = new Database(await readFile(keysFile(folder)));
  try {
    const [result] = database.exec('SELECT count(*), count(DISTINCT id) FROM encryption_key');
    const [rows, ids] = result.values[0];
    return { rows, rotations: rows - ids };
  } finally {
    database.close();
  }
}
