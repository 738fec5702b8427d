// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"errors"
	"sync"

	"asherah-napi/aesgcm"
	"asherah-napi/fault"
	"asherah-napi/lockedmem"
)

// Static keeps one master key in this process's locked memory. Whoever reads the configuration can decrypt everything, so
// it suits tests, development, and machines whose secrets come from elsewhere. Format as in the Go library
// (appencryption/pkg/kms, StaticKMS): the system key sealed under the master key.
type Static struct {
	mu   sync.RWMutex // Close waits for calls in flight
	slot *lockedmem.Slot
	key  aesgcm.Key
}

// NewStatic takes a copy of masterKey, 32 bytes, into a slot, which it then owns.
func NewStatic(masterKey []byte, slot *lockedmem.Slot) (*Static, error) {
	if len(masterKey) != aesgcm.KeySize {
		slot.Free()
		return nil, fault.New(fault.InvalidConfig, "staticMasterKeyHex: expected %d bytes, got %d", aesgcm.KeySize, len(masterKey))
	}
	s := &Static{slot: slot}
	s.key.Attach(slot.Key())
	raw := (*[aesgcm.KeySize]byte)(slot.Scratch())
	copy(raw[:], masterKey)
	s.key.Expand(raw)
	clear(raw[:])
	aesgcm.ClearRegisters()
	return s, nil
}

var errStaticClosed = fault.New(fault.Closed, "the static KMS is closed")

func (s *Static) EncryptKey(_ context.Context, raw []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.slot == nil {
		return nil, errStaticClosed
	}
	var nonce [aesgcm.NonceSize]byte
	aesgcm.Random(nonce[:])
	sealed := make([]byte, len(raw)+aesgcm.Overhead)
	s.key.Seal(sealed, &nonce, raw)
	return sealed, nil
}

func (s *Static) DecryptKey(_ context.Context, encrypted, raw []byte) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.slot == nil {
		return errStaticClosed
	}
	if len(encrypted) != len(raw)+aesgcm.Overhead {
		return errors.New("it has the wrong length for a key that a static master key encrypted")
	}
	if _, err := s.key.Open(raw, encrypted); err != nil {
		return errors.New("it was encrypted by another master key, or changed")
	}
	return nil
}

func (s *Static) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.slot != nil {
		s.slot.Free()
		s.slot = nil
	}
}
