// SPDX-License-Identifier: Apache-2.0

package aesgcm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"unsafe"
)

// compare seals under a fixed key, which protects nothing, with a Key and with the public constructors, and wants the
// same bytes from both, and the plaintext back.
func compare() error {
	words := make([]uint64, MemorySize/8) // uint64s, for their alignment
	mem := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), MemorySize)
	var raw [KeySize]byte
	var nonce [NonceSize]byte
	for i := range raw {
		raw[i] = byte(i*7 + 1)
	}
	plaintext := bytes.Repeat([]byte("asherah-napi "), 41) // more than the 8-block loops of the assembly

	var key Key
	key.Attach(mem)
	key.Expand(&raw)
	sealed := make([]byte, len(plaintext)+Overhead)
	key.Seal(sealed, &nonce, plaintext)

	block, err := aes.NewCipher(raw[:])
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	if !bytes.Equal(append(aead.Seal(nil, nonce[:], plaintext, nil), nonce[:]...), sealed) {
		return errors.New("AES-GCM self-test: two ways of sealing gave different bytes")
	}
	dst := make([]byte, len(plaintext))
	opened, err := key.Open(dst, sealed)
	if err != nil || !bytes.Equal(opened, plaintext) {
		return errors.New("AES-GCM self-test: opening did not give the plaintext back")
	}
	sealed[0] ^= 1
	if _, err := key.Open(dst, sealed); err == nil {
		return errors.New("AES-GCM self-test: a changed ciphertext was accepted")
	}
	return nil
}
