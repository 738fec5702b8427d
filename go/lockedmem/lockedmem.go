// SPDX-License-Identifier: Apache-2.0

// Package lockedmem holds key material: memory outside the Go heap that is not swapped (locked), not part of core dumps,
// empty in forked children, between two pages that can't be accessed, and wiped when given back.
//
// It hands out slots of one size, the room of one expanded key and a little scratch beside it. 64 KiB of locked memory,
// a common limit (RLIMIT_MEMLOCK of AWS Lambda and old containers), hold some 76 of them.
package lockedmem

import (
	"fmt"
	"sync"
	"sync/atomic"
)

const (
	// KeySize bytes at the start of a slot are for an expanded key (aesgcm.MemorySize).
	KeySize = 768
	// ScratchSize bytes follow, for raw keys and nonces during a call.
	ScratchSize = 64

	slotSize  = KeySize + ScratchSize
	chunkSize = 16 << 10 // four pages: small enough to use most of a small limit
)

// Slot is the memory of one key.
type Slot struct {
	mem    []byte
	locked bool
}

// Key is the part for an expanded key.
func (s *Slot) Key() []byte { return s.mem[:KeySize:KeySize] }

// Scratch is the part for raw keys and nonces.
func (s *Slot) Scratch() []byte { return s.mem[KeySize:slotSize:slotSize] }

// Wipe zeroes the slot, which stays in use.
func (s *Slot) Wipe() { clear(s.mem) }

// Free wipes the slot and gives it back. Nobody may use it afterwards.
func (s *Slot) Free() {
	clear(s.mem)
	arena.mu.Lock()
	defer arena.mu.Unlock()
	arena.inUse--
	if s.locked {
		arena.locked = append(arena.locked, s)
	} else {
		arena.unlocked = append(arena.unlocked, s)
	}
}

// The limits that matter are the process's, so there is one arena for all factories. Chunks are kept for reuse.
var arena struct {
	mu               sync.Mutex
	locked, unlocked []*Slot // free ones
	inUse            int
	lockFailed       atomic.Pointer[lockError]
}

type lockError struct{ err error }

// Get returns a zeroed slot. Where the operating system refuses to lock memory, it fails if required is set, and
// otherwise returns a slot that has every other protection (LockFailure tells).
func Get(required bool) (*Slot, error) {
	arena.mu.Lock()
	defer arena.mu.Unlock()
	if len(arena.locked) == 0 && (required || len(arena.unlocked) == 0) {
		if err := grow(required); err != nil {
			return nil, err
		}
	}
	free := &arena.locked
	if len(*free) == 0 {
		free = &arena.unlocked
	}
	s := (*free)[len(*free)-1]
	*free = (*free)[:len(*free)-1]
	arena.inUse++
	return s, nil
}

func grow(required bool) error {
	mem, lockErr, err := allocate(chunkSize)
	if err != nil {
		return fmt.Errorf("no memory for keys: %w", err)
	}
	if lockErr != nil {
		arena.lockFailed.CompareAndSwap(nil, &lockError{lockErr})
		if required {
			release(mem)
			return fmt.Errorf("the operating system refuses to lock %d bytes of memory: %w (%s)", chunkSize, lockErr, limitHint())
		}
	}
	free := &arena.locked
	if lockErr != nil {
		free = &arena.unlocked
	}
	for ; len(mem) >= slotSize; mem = mem[slotSize:] {
		*free = append(*free, &Slot{mem: mem[:slotSize:slotSize], locked: lockErr == nil})
	}
	return nil
}

// LockFailure is why some slot could not be locked, with the limit that decides; nil while all are.
func LockFailure() error {
	failed := arena.lockFailed.Load()
	if failed == nil {
		return nil
	}
	return fmt.Errorf("%w (%s)", failed.err, limitHint())
}

// InUse is the number of slots handed out.
func InUse() int {
	arena.mu.Lock()
	defer arena.mu.Unlock()
	return arena.inUse
}
