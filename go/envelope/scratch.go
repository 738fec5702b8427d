// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"sync/atomic"
	"unsafe"

	"asherah-napi/aesgcm"
	"asherah-napi/lockedmem"
	"asherah-napi/record"
)

// scratch is where one call keeps its data row key: locked memory, wiped when the call ends.
type scratch struct {
	slot   *lockedmem.Slot
	cipher aesgcm.Key
	random *[56]byte // data row key, nonce for its sealing, nonce for the data's

	sealedKey [record.KeySize + record.DecodeSlack]byte // a ciphertext; here because on the stack it would escape
}

// A few stay at hand, for all factories, so that a call need not take the arena's lock. Threads begin to look at
// different places, or they would fight over the first.
var idle [16]atomic.Pointer[scratch]

func (f *Factory) takeScratch() (*scratch, error) {
	if sc := idle[place()].Swap(nil); sc != nil {
		return sc, nil
	}
	sc := &scratch{}
	return sc, sc.wake(f)
}

// sleep lets go of the locked memory while a call waits for a key: thousands may wait, and there may be little of it.
func (sc *scratch) sleep() {
	sc.slot.Free()
	sc.slot = nil
}

func (sc *scratch) wake(f *Factory) error {
	slot, err := f.slot()
	if err != nil {
		return err
	}
	sc.slot, sc.random = slot, (*[56]byte)(slot.Scratch())
	sc.cipher.Attach(slot.Key())
	return nil
}

func (sc *scratch) giveBack() {
	if sc.slot == nil { // the call failed asleep
		return
	}
	sc.slot.Wipe()
	aesgcm.ClearRegisters()
	if !idle[place()].CompareAndSwap(nil, sc) {
		sc.slot.Free()
	}
}

// place tells threads apart well enough by where their stacks are.
func place() int {
	var here byte
	return int(uintptr(unsafe.Pointer(&here)) >> 13 % uintptr(len(idle)))
}
