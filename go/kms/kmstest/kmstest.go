// SPDX-License-Identifier: Apache-2.0

// Package kmstest is what every KMS must do, as a test.
package kmstest

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"
	"testing"

	"asherah-napi/fault"
	"asherah-napi/kms"
	"asherah-napi/lockedmem"
)

// Run checks an implementation. open gives a new one under the same master key each time; Run closes it.
func Run(t *testing.T, open func(t *testing.T) kms.KMS) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, open func() kms.KMS)
	}{
		{"a key comes back as it was, also from another instance", roundTrip},
		{"the same key is encrypted differently each time, and never in clear", differently},
		{"a changed ciphertext is refused or gives the right key, never another one", changed},
		{"what is no ciphertext is refused", junk},
		{"1,000 calls at once", concurrent},
		{"calls after Close fail, and calls in flight end", closed},
		{"locked memory is given back", givesBack},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.run(t, func() kms.KMS {
				k := open(t)
				t.Cleanup(k.Close)
				return k
			})
		})
	}
}

func newKey() []byte {
	raw := make([]byte, 32)
	rand.Read(raw)
	return raw
}

func encrypt(t *testing.T, k kms.KMS, raw []byte) []byte {
	t.Helper()
	before := bytes.Clone(raw)
	encrypted, err := k.EncryptKey(context.Background(), raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(raw, before) {
		t.Fatal("EncryptKey changed the key")
	}
	return encrypted
}

func roundTrip(t *testing.T, open func() kms.KMS) {
	raw, got := newKey(), make([]byte, 32)
	encrypted := encrypt(t, open(), raw)
	before := bytes.Clone(encrypted)
	if err := open().DecryptKey(context.Background(), encrypted, got); err != nil || !bytes.Equal(got, raw) {
		t.Fatalf("another key came back, %v", err)
	}
	if !bytes.Equal(encrypted, before) {
		t.Error("DecryptKey changed the ciphertext")
	}
}

func differently(t *testing.T, open func() kms.KMS) {
	k, raw := open(), newKey()
	a, b := encrypt(t, k, raw), encrypt(t, k, raw)
	if bytes.Equal(a, b) || bytes.Contains(a, raw[:8]) {
		t.Error("equal, or in clear")
	}
}

func changed(t *testing.T, open func() kms.KMS) {
	k, raw, got := open(), newKey(), make([]byte, 32)
	encrypted := encrypt(t, k, raw)
	refused := 0
	for i := 0; i < len(encrypted); i += 1 + len(encrypted)/64 {
		other := bytes.Clone(encrypted)
		other[i] ^= 1
		clear(got)
		if err := k.DecryptKey(context.Background(), other, got); err != nil {
			refused++
		} else if !bytes.Equal(got, raw) {
			t.Fatalf("byte %d changed: a wrong key", i)
		}
	}
	if refused == 0 {
		t.Error("no change was noticed")
	}
}

func junk(t *testing.T, open func() kms.KMS) {
	k, got := open(), make([]byte, 32)
	encrypted := encrypt(t, k, newKey())
	for _, text := range [][]byte{nil, {}, {0}, []byte("{}"), []byte("null"), []byte("[]"), []byte(`{"encryptedKey":"","kmsKeks":[]}`),
		encrypted[:len(encrypted)-1], encrypted[:20], append(bytes.Clone(encrypted), 'x'), bytes.Repeat([]byte{0xff}, 60), bytes.Repeat([]byte("{"), 1000)} {
		if err := k.DecryptKey(context.Background(), text, got); err == nil {
			t.Errorf("%.40q is decrypted", text)
		}
	}
}

func concurrent(t *testing.T, open func() kms.KMS) {
	k, raw := open(), newKey()
	encrypted := encrypt(t, k, raw)
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			got := make([]byte, 32)
			if err := k.DecryptKey(context.Background(), encrypted, got); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("another key came back, %v", err)
			}
		})
	}
	all.Wait()
}

func closed(t *testing.T, open func() kms.KMS) {
	k, raw := open(), newKey()
	encrypted := encrypt(t, k, raw)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			got := make([]byte, 32)
			if err := k.DecryptKey(context.Background(), encrypted, got); err == nil && !bytes.Equal(got, raw) || err != nil && fault.CodeOf(err) != fault.Closed {
				t.Errorf("%v", err)
			}
		})
	}
	k.Close()
	all.Wait()
	k.Close()
	if _, err := k.EncryptKey(context.Background(), raw); fault.CodeOf(err) != fault.Closed {
		t.Errorf("EncryptKey: %v", err)
	}
	if err := k.DecryptKey(context.Background(), encrypted, make([]byte, 32)); fault.CodeOf(err) != fault.Closed {
		t.Errorf("DecryptKey: %v", err)
	}
}

func givesBack(t *testing.T, open func() kms.KMS) {
	before := lockedmem.InUse()
	k := open()
	if err := k.DecryptKey(context.Background(), encrypt(t, k, newKey()), make([]byte, 32)); err != nil {
		t.Fatal(err)
	}
	k.Close()
	if n := lockedmem.InUse(); n != before {
		t.Errorf("%d slots more than before", n-before)
	}
}
