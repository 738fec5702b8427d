// SPDX-License-Identifier: Apache-2.0

package aesgcm

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"testing"
)

func newKey(t testing.TB, raw *[KeySize]byte) *Key {
	t.Helper()
	if err := Check(); err != nil {
		t.Fatal(err)
	}
	key := new(Key)
	key.Attach(make([]byte, MemorySize))
	key.Expand(raw)
	return key
}

// Both builds must agree with the public constructors for every length around the assembly's block loops.
func TestAgreesWithTheStandardLibrary(t *testing.T) {
	raw := [KeySize]byte{1, 2, 3}
	key := newKey(t, &raw)
	block, _ := aes.NewCipher(raw[:])
	aead, _ := cipher.NewGCM(block)
	for n := range 600 {
		plaintext := bytes.Repeat([]byte{byte(n)}, n)
		nonce := [NonceSize]byte{byte(n), byte(n >> 8)}
		sealed := make([]byte, n+Overhead)
		key.Seal(sealed, &nonce, plaintext)
		want := append(aead.Seal(nil, nonce[:], plaintext, nil), nonce[:]...)
		if !bytes.Equal(sealed, want) {
			t.Fatalf("%d bytes: sealed differs", n)
		}
		opened, err := key.Open(sealed[:0], sealed) // in place, as the engine does
		if err != nil || !bytes.Equal(opened, plaintext) {
			t.Fatalf("%d bytes: opened differs: %v", n, err)
		}
	}
}

func TestChangedCiphertextIsRefusedAndWiped(t *testing.T) {
	raw := [KeySize]byte{9}
	key := newKey(t, &raw)
	plaintext := []byte("a secret of some length")
	sealed := make([]byte, len(plaintext)+Overhead)
	key.Seal(sealed, &[NonceSize]byte{7}, plaintext)
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x80
		dst := make([]byte, len(plaintext))
		if _, err := key.Open(dst, bad); err == nil {
			t.Fatalf("byte %d changed: accepted", i)
		}
		if !bytes.Equal(dst, make([]byte, len(dst))) {
			t.Fatalf("byte %d changed: plaintext left behind", i)
		}
	}
	for n := range Overhead {
		if _, err := key.Open(nil, sealed[:n]); err == nil {
			t.Fatalf("%d bytes accepted", n)
		}
	}
}

func TestHotPathDoesNotAllocate(t *testing.T) {
	if Mode == "plain" {
		t.Log("the plain constructors allocate; nothing to check")
		return
	}
	raw := [KeySize]byte{1}
	key := newKey(t, &raw)
	in, out := make([]byte, 64), make([]byte, 64+Overhead)
	var nonce [NonceSize]byte
	if n := testing.AllocsPerRun(100, func() { key.Expand(&raw); key.Seal(out, &nonce, in); key.Open(in, out) }); n != 0 {
		t.Fatalf("%v allocations a call", n)
	}
}

func BenchmarkExpandAndSeal64(b *testing.B) {
	raw := [KeySize]byte{1}
	key := newKey(b, &raw)
	in, out := make([]byte, 64), make([]byte, 64+Overhead)
	var nonce [NonceSize]byte
	b.ReportAllocs()
	for b.Loop() {
		key.Expand(&raw)
		key.Seal(out, &nonce, in)
	}
}
