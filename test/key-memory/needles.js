// SPDX-License-Identifier: Apache-2.0
// What a key looks like in memory, and a fast search for many keys at once.
const { createDecipheriv } = require('node:crypto');

/** Decrypts `ciphertext || tag (16) || nonce (12)`, the one form of everything that Asherah encrypts. */
function open(key, blob) {
  const decipher = createDecipheriv('aes-256-gcm', key, blob.subarray(-12));
  decipher.setAuthTag(blob.subarray(-28, -12));
  return Buffer.concat([decipher.update(blob.subarray(0, -28)), decipher.final()]);
}

/** The AES S-box, computed as FIPS 197 section 5.1.1 defines it. */
const SBOX = (() => {
  const rotate = (x, n) => ((x << n) | (x >> (8 - n))) & 0xff;
  const sbox = new Uint8Array(256);
  let p = 1;
  let q = 1;
  do {
    p = (p ^ (p << 1) ^ (p & 0x80 ? 0x1b : 0)) & 0xff; // times 3, a generator
    q ^= q << 1; // divided by 3
    q ^= q << 2;
    q ^= q << 4;
    q &= 0xff;
    if (q & 0x80) q ^= 0x09;
    sbox[p] = q ^ rotate(q, 1) ^ rotate(q, 2) ^ rotate(q, 3) ^ rotate(q, 4) ^ 0x63;
  } while (p !== 1);
  sbox[0] = 0x63;
  return sbox;
})();

/** The 15 round keys of AES-256 in 240 bytes (FIPS 197 section 5.2). The first two are the key itself. */
function expand(key) {
  const w = Buffer.alloc(240);
  key.copy(w);
  let rcon = 1;
  for (let at = 32; at < 240; at += 4) {
    let word = [...w.subarray(at - 4, at)];
    if (at % 32 === 0) {
      word = [SBOX[word[1]] ^ rcon, SBOX[word[2]], SBOX[word[3]], SBOX[word[0]]];
      rcon <<= 1;
    } else if (at % 32 === 16) {
      word = word.map((byte) => SBOX[byte]);
    }
    for (let i = 0; i < 4; i++) w[at + i] = w[at - 32 + i] ^ word[i];
  }
  return w;
}

/**
 * The 16-byte pieces that betray a key: its two halves, and three of the round keys derived from it. Each also with the
 * bytes of its 32-bit words swapped, as code without AES instructions stores them.
 */
function pieces(key) {
  const schedule = expand(key);
  const list = [];
  for (const round of [0, 1, 2, 7, 13]) {
    const bytes = schedule.subarray(round * 16, round * 16 + 16);
    const what = round < 2 ? `half ${round + 1} of the key` : `round key ${round}`;
    list.push({ what, bytes }, { what: `${what}, swapped`, bytes: Buffer.from(bytes).swap32() });
  }
  return list;
}

/**
 * An index of all pieces of many keys.
 *
 * Memory is looked at in aligned words of 8 bytes: whatever the alignment of a 16-byte piece, one of the eight words that
 * begin in its first 8 bytes is aligned. A bitmap over the low bits of a word turns nearly all words away at
 * about a nanosecond each, so that thousands of keys cost no more than one.
 */
class Needles {
  #bits;
  #mask;
  #words = new Map();

  /** @param {{name: string, key: Buffer}[]} keys */
  constructor(keys) {
    const size = 2 ** Math.max(20, Math.ceil(Math.log2(keys.length * 80 * 32)));
    this.#mask = size - 1;
    this.#bits = new Int32Array(size / 32);
    for (const { name, key } of keys) {
      for (const { what, bytes } of pieces(key)) {
        for (let offset = 0; offset < 8; offset++) {
          const low = bytes.readUInt32LE(offset);
          const high = bytes.readUInt32LE(offset + 4);
          this.#bits[(low & this.#mask) >>> 5] |= 1 << (low & 31);
          const entries = this.#words.get(low) ?? [];
          entries.push({ high, what: `${name}: ${what}` });
          this.#words.set(low, entries);
        }
      }
    }
  }

  /** @returns {{what: string, offset: number}[]} what is found in `length` bytes of `memory`, an 8-byte aligned buffer */
  find(memory, length) {
    const words = new Uint32Array(memory.buffer, memory.byteOffset, length >>> 2);
    const bits = this.#bits;
    const mask = this.#mask;
    const hits = [];
    for (let i = 0; i < words.length; i += 2) {
      const low = words[i];
      if (low === 0 || ((bits[(low & mask) >>> 5] >>> (low & 31)) & 1) === 0) continue;
      for (const { high, what } of this.#words.get(low) ?? []) {
        if (high === words[i + 1]) hits.push({ what, offset: i * 4 });
      }
    }
    return hits;
  }
}

module.exports = { Needles, expand, open };
