// SPDX-License-Identifier: Apache-2.0

package capi

/*
#include "asherah.h"
*/
import "C"

// reserve is what a handler of the host's may need that interrupts a call: the kernel's frame has up to 4 KB with AVX-512, and
// 8 more with AMX. With this, a stack has 64 KB, of which a call uses some.
const reserve = 40 << 10

//export asherah_prepare_thread
func asherah_prepare_thread() {
	defer recoverTo(nil, func() {})
	growStack()
}

// growStack has a frame that makes the goroutine's stack grow. It stays so: CMakeLists.txt links with gcshrinkstackoff, and
// all calls of a thread run on one goroutine.
//
//go:noinline
func growStack() byte {
	var frame [reserve]byte
	for i := range frame {
		frame[i] = byte(i)
	}
	return frame[len(frame)/3]
}
