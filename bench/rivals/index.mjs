// SPDX-License-Identifier: Apache-2.0

import * as awsSdk from './aws-sdk.mjs';
import * as byHand from './by-hand.mjs';
import * as fixedKey from './fixed-key.mjs';
import * as none from './none.mjs';
import * as officialGo from './official-go.mjs';
import * as ours from './ours.mjs';
import * as peer from './peer.mjs';

/**
 * Who is measured. A rival is a module with
 *
 *   open(arg): Promise<{
 *     version: string, a getter where it takes reading a file
 *     sync?:  { encrypt(data: Buffer): record, decrypt(record): Buffer },
 *     async?: { encrypt(data: Buffer): Promise<record>, decrypt(record): Promise<Buffer> },
 *     getSession?(partition: string): { encrypt(data: Buffer): record, close(): void },
 *     close(): void,
 *   }>
 *
 * that loads its subject inside `open` and not before, because the time and memory of loading are measured too; those of
 * the modules here are the same for all. What a record is, is the rival's own affair.
 */
const modules = { awsSdk, byHand, fixedKey, none, officialGo, ours, peer };

export const OURS = 'asherah-napi';

export const RIVALS = [
  { name: OURS, module: 'ours', about: 'this package, through its public API' },
  {
    name: 'official-go',
    module: 'officialGo',
    about: 'the official Go library (appencryption) behind the same C++ layer, session cache on',
  },
  {
    name: 'by-hand',
    module: 'byHand',
    about: 'node:crypto: a random key per record, wrapped by one fixed intermediate key, into the same JSON record',
  },
  {
    name: 'fixed-key',
    module: 'fixedKey',
    about:
      'node:crypto: one key for everything, no envelope, no JSON, no rotation: what node:crypto costs at the least',
  },
  {
    name: 'aws-sdk',
    module: 'awsSdk',
    about: 'AWS Encryption SDK for JavaScript, raw AES keyring, no signature; it has no synchronous calls',
  },
  {
    name: 'aws-sdk-cached',
    module: 'awsSdk',
    arg: { cache: true },
    about: 'the same with its cache, which encrypts many records under one data key',
  },
];

/** Contenders for a package given by `--peer`: one for each API it has. */
export function peers(path, label, apis) {
  return apis.map((api) => ({
    name: apis.length > 1 ? `${label} (${api})` : label,
    module: 'peer',
    arg: { path, api },
    about: `given by --peer, through its ${api === 'module' ? 'module-level functions' : 'session factory'}`,
    peer: label,
  }));
}

/** The addon with the network parts; only its start differs. */
export const CLOUD = {
  name: `${OURS}, cloud addon`,
  module: 'ours',
  arg: { cloud: true },
  about: 'this package with its second addon, after loadCloud()',
};

/** Other ways to use this package; only what they add to a call is of interest. */
export const WAYS = [
  {
    name: `${OURS}, module-level`,
    module: 'ours',
    arg: { moduleLevel: true },
    about: 'this package through its module-level functions, which find the session of the partition at each call',
  },
  {
    name: `${OURS}, hooks`,
    module: 'ours',
    arg: { hooks: true },
    about: 'this package with a log hook and a metrics hook, in a loop that never lets them be called',
  },
];

/** What Node and this harness cost by themselves. */
export const BARE = { name: 'none', module: 'none' };

export function open(contender) {
  return modules[contender.module].open(contender.arg ?? {});
}
