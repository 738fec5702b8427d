// SPDX-License-Identifier: Apache-2.0

//go:build asherah_inplace && go1.26 && !go1.28 && (amd64 || arm64)

package aesgcm

import (
	"crypto/aes"
	"crypto/cipher"
	"fmt"
	"reflect"
	"unsafe"
	_ "unsafe" // go:linkname
)

// Mode says which way of expanding keys was built in.
const Mode = "in place"

// The two functions behind aes.NewCipher and cipher.NewGCM that fill in an object their caller allocated. They are private
// to the standard library; -ldflags=-checklinkname=0 lets the linker bind them. What ships is built by one pinned Go
// release, the build constraint above names those this was tried with, and Check compares with the public constructors
// before the first key is used, so a change in Go shows at start-up and never as a wrong ciphertext.
//
// Both objects are one memory block here: newGCM copies the cipher to its first field, that is, onto itself.

//go:linkname aesNewOutlined crypto/internal/fips140/aes.newOutlined
func aesNewOutlined(block unsafe.Pointer, key []byte) (unsafe.Pointer, error)

//go:linkname gcmNewGCM crypto/internal/fips140/aes/gcm.newGCM
func gcmNewGCM(gcm, block unsafe.Pointer, nonceSize, tagSize int) (unsafe.Pointer, error)

const (
	blockSize = 488 // aes.Block: rounds, two schedules of 60 words
	gcmSize   = 760 // gcm.GCM: Block, two sizes, the GHASH product table
)

var gcmType reflect.Type // gcm.GCM, once Check has seen that it is what we take it for

// Key is an expanded key. Its zero value has no memory yet.
type Key struct {
	aead cipher.AEAD
	mem  unsafe.Pointer
}

// Attach gives the key its memory: MemorySize bytes outside the Go heap, aligned to 8.
func (k *Key) Attach(mem []byte) {
	k.mem = unsafe.Pointer(&mem[:MemorySize][0])
	k.aead = reflect.NewAt(gcmType, k.mem).Interface().(cipher.AEAD)
}

// Expand makes raw the key in use. The caller wipes raw.
func (k *Key) Expand(raw *[KeySize]byte) {
	if _, err := aesNewOutlined(k.mem, raw[:]); err != nil {
		panic("aesgcm: internal error: " + err.Error())
	}
	if _, err := gcmNewGCM(k.mem, k.mem, NonceSize, TagSize); err != nil {
		panic("aesgcm: internal error: " + err.Error())
	}
}

func (k *Key) seal(dst, nonce, plaintext []byte) {
	k.aead.Seal(dst, nonce, plaintext, nil)
}

func (k *Key) open(dst, nonce, sealed []byte) ([]byte, error) {
	out, err := k.aead.Open(dst, nonce, sealed, nil)
	if err != nil {
		return nil, ErrAuthentication
	}
	return out, nil
}

// Check tests that this Go release is laid out as assumed and that both ways give the same bytes. It must succeed before
// the first Attach.
func Check() error {
	block, err := aes.NewCipher(make([]byte, KeySize))
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	b, g := reflect.TypeOf(block), reflect.TypeOf(aead)
	for _, t := range []struct {
		is   reflect.Type
		name string
		size uintptr
	}{{b, "*aes.Block", blockSize}, {g, "*gcm.GCM", gcmSize}} {
		if t.is.String() != t.name || t.is.Elem().Size() != t.size || hasPointers(t.is.Elem()) {
			return fmt.Errorf("this Go release's %s is not what this addon was written for; build it without the tag asherah_inplace", t.is)
		}
	}
	gcmType = g.Elem()
	return compare()
}

func hasPointers(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Array:
		return t.Len() > 0 && hasPointers(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasPointers(t.Field(i).Type) {
				return true
			}
		}
		return false
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return false
	default:
		return true
	}
}
