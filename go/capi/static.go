// SPDX-License-Identifier: Apache-2.0

package capi

/*
#include "asherah.h"
*/
import "C"

import (
	"sync"
	"sync/atomic"
)

// static is the instance that the package's module-level functions use: one of the factories, shared by all threads of the
// process. It does not end with the environment that opened it.
var static staticInstance

type staticInstance struct {
	mu       sync.Mutex    // of setting, and of taking factories out of the table: none is both
	number   atomic.Uint64 // of the factory; 0: there is none
	settings string
}

// set makes an open factory the instance. False: there is one already.
func (s *staticInstance) set(number uint64, settings string) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := factories.get(number); !ok {
		return false, errClosedFactory
	}
	if s.number.Load() != 0 {
		return false, nil
	}
	s.settings = settings
	s.number.Store(number)
	return true, nil
}

// settingsOf returns what set was given, as long as this factory is the instance.
func (s *staticInstance) settingsOf(number uint64) (settings string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.settings, number != 0 && s.number.Load() == number
}

// remove takes a factory out of the table, for its caller to close.
func (s *staticInstance) remove(number uint64) (*factory, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number.CompareAndSwap(number, 0) {
		s.settings = ""
	}
	return factories.remove(number)
}

// removeUnlessStatic is remove for a factory whose environment ends.
func (s *staticInstance) removeUnlessStatic(number uint64) (*factory, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.number.Load() == number {
		return nil, false
	}
	return factories.remove(number)
}

//export asherah_static_set
func asherah_static_set(number C.uint64_t, settings *C.uint8_t, settingsLen C.size_t, e *C.asherah_error) (result C.int32_t) {
	defer recoverTo(e, func() { result = -1 })
	done, err := static.set(uint64(number), string(bytesOf(settings, settingsLen)))
	if f, ok := factories.get(uint64(number)); ok && done {
		listeners.attach(f) // now all threads may hear of it
	}
	if err != nil {
		setError(e, err)
		return -1
	}
	if !done {
		return 0
	}
	return 1
}

//export asherah_static_factory
func asherah_static_factory() C.uint64_t {
	return C.uint64_t(static.number.Load())
}

//export asherah_static_settings
func asherah_static_settings(number C.uint64_t, out *C.uint8_t, outCap C.size_t) (n C.int64_t) {
	defer recoverTo(nil, func() { n = C.ASHERAH_FAILED })
	settings, ok := static.settingsOf(uint64(number))
	switch {
	case !ok:
		return C.ASHERAH_FAILED
	case len(settings) > int(outCap):
		return C.int64_t(-len(settings))
	default:
		return C.int64_t(copy(bytesOf(out, outCap), settings))
	}
}
