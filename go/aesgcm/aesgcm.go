// SPDX-License-Identifier: Apache-2.0

// Package aesgcm is AES-256-GCM as every Asherah uses it: ciphertext || 16-byte tag || 12-byte random nonce, no additional
// data. Keys are expanded into memory that the caller provides (locked memory, package lockedmem), so that a key schedule
// never lies on the garbage-collected heap.
//
// There are two ways to expand a key, chosen when building. inplace.go runs the standard library's own code on the
// caller's memory, which Go has no public call for; plain.go uses crypto/aes and crypto/cipher as they come, keeps the raw
// key in the caller's memory and expands it for each call, on the heap. docs/design.md says what the first gains.
package aesgcm

import (
	"crypto/rand"
	"errors"
)

const (
	KeySize   = 32
	NonceSize = 12
	TagSize   = 16
	// Overhead is what sealing adds to a plaintext.
	Overhead = TagSize + NonceSize
	// MemorySize is the room a Key needs, a multiple of 64.
	MemorySize = 768
)

// ErrAuthentication says that a ciphertext was not made with this key, or was changed.
var ErrAuthentication = errors.New("message authentication failed")

// Seal writes the sealed plaintext to dst[:len(plaintext)+Overhead] under the nonce given. dst must have that length and
// must not overlap plaintext. A nonce must never be used twice with one key.
func (k *Key) Seal(dst []byte, nonce *[NonceSize]byte, plaintext []byte) {
	n := len(plaintext) + TagSize
	k.seal(dst[:0:n], nonce[:], plaintext)
	copy(dst[n:n+NonceSize], nonce[:])
}

// Open decrypts what Seal made and writes the plaintext, len(sealed)-Overhead bytes, to dst, which may be sealed[:0].
// On failure dst is wiped.
func (k *Key) Open(dst, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrAuthentication
	}
	n := len(sealed) - NonceSize
	return k.open(dst[:0:len(sealed)-Overhead], sealed[n:], sealed[:n])
}

// Random fills b from the operating system's generator, or FIPS 140's where that is on; it never fails (crypto/rand).
func Random(b []byte) {
	rand.Read(b)
}
