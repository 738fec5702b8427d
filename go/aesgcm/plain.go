// SPDX-License-Identifier: Apache-2.0

//go:build !(asherah_inplace && go1.26 && !go1.28 && (amd64 || arm64))

package aesgcm

import (
	"crypto/aes"
	"crypto/cipher"
)

// Mode says which way of expanding keys was built in.
const Mode = "plain"

// Key is a raw key in the caller's memory. Its zero value has no memory yet.
type Key struct {
	raw *[KeySize]byte
}

// Attach gives the key its memory: MemorySize bytes outside the Go heap.
func (k *Key) Attach(mem []byte) {
	k.raw = (*[KeySize]byte)(mem)
}

// Expand makes raw the key in use. The caller wipes raw.
func (k *Key) Expand(raw *[KeySize]byte) {
	*k.raw = *raw
}

func (k *Key) aead() cipher.AEAD {
	block, err := aes.NewCipher(k.raw[:])
	if err != nil {
		panic("aesgcm: internal error: " + err.Error())
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("aesgcm: internal error: " + err.Error())
	}
	return aead
}

func (k *Key) seal(dst, nonce, plaintext []byte) {
	k.aead().Seal(dst, nonce, plaintext, nil)
}

func (k *Key) open(dst, nonce, sealed []byte) ([]byte, error) {
	out, err := k.aead().Open(dst, nonce, sealed, nil)
	if err != nil {
		return nil, ErrAuthentication
	}
	return out, nil
}

// Check tests the cipher against the public constructors. It must succeed before the first Attach.
func Check() error { return compare() }
