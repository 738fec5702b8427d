// SPDX-License-Identifier: Apache-2.0

/**
 * Who is measured. A rival is a module with
 *
 *   open(arg): Promise<{
 *     version: string,
 *     sync?:  { encrypt(data: Buffer): record, decrypt(record): Buffer },
 *     async?: { encrypt(data: Buffer): Promise<record>, decrypt(record): Promise<Buffer> },
 *     getSession?(partition: string): { encrypt(data: Buffer): record, close(): void },
 *     close(): void,
 *   }>
 *
 * that loads its subject inside `open` and not before, because the time and memory of loading are measured too. What a
 * record is, is the rival's own affair.
 */
export const OURS = 'asherah-napi';

export const RIVALS = [
  { name: OURS, module: './ours.mjs', about: 'this package, through its public API' },
  {
    name: 'official-go',
    module: './official-go.mjs',
    about: 'the official Go library (appencryption) behind the same C++ layer, session cache on',
  },
  {
    name: 'by-hand',
    module: './by-hand.mjs',
    about: 'node:crypto: a random key per record, wrapped by one fixed intermediate key, into the same JSON record',
  },
  {
    name: 'fixed-key',
    module: './fixed-key.mjs',
    about:
      'node:crypto: one key for everything, no envelope, no JSON, no rotation: what node:crypto costs at the least',
  },
  {
    name: 'aws-sdk',
    module: './aws-sdk.mjs',
    about: 'AWS Encryption SDK for JavaScript, raw AES keyring, no signature; it has no synchronous calls',
  },
  {
    name: 'aws-sdk-cached',
    module: './aws-sdk.mjs',
    arg: { cache: true },
    about: 'the same with its cache, which encrypts many records under one data key',
  },
];

/** Contenders for a package given by `--peer`: one for each API it has. */
export function peers(path, label, apis) {
  return apis.map((api) => ({
    name: apis.length > 1 ? `${label} (${api})` : label,
    module: './peer.mjs',
    arg: { path, api },
    about: `given by --peer, through its ${api === 'module' ? 'module-level functions' : 'session factory'}`,
    peer: label,
  }));
}

export async function open(contender) {
  return (await import(contender.module)).open(contender.arg ?? {});
}
