// SPDX-License-Identifier: Apache-2.0

package lockedmem

import (
	"syscall"
	"unsafe"
)

// Called by hand: golang.org/x/sys/windows imports net, which the core must not link.
var (
	kernel32     = syscall.NewLazyDLL("kernel32.dll")
	virtualAlloc = kernel32.NewProc("VirtualAlloc")
	virtualLock  = kernel32.NewProc("VirtualLock")
	virtualFree  = kernel32.NewProc("VirtualFree")
)

const (
	page = 4096

	memCommit     = 0x1000
	memReserve    = 0x2000
	memRelease    = 0x8000
	pageNoAccess  = 0x01
	pageReadWrite = 0x04
)

// allocate reserves size bytes between two pages that are never committed. lockErr says that they could not be locked.
func allocate(size int) (mem []byte, lockErr, err error) {
	base, _, err := virtualAlloc.Call(0, uintptr(size+2*page), memReserve, pageNoAccess)
	if base == 0 {
		return nil, nil, err
	}
	start, _, err := virtualAlloc.Call(base+page, uintptr(size), memCommit, pageReadWrite)
	if start == 0 {
		_, _, _ = virtualFree.Call(base, 0, memRelease)
		return nil, nil, err
	}
	mem = unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&start))), size) // not from the Go heap, so no uintptr rule is broken
	if locked, _, err := virtualLock.Call(start, uintptr(size)); locked == 0 {
		lockErr = err
	}
	return mem, lockErr, nil
}

func release(mem []byte) {
	_, _, _ = virtualFree.Call(uintptr(unsafe.Pointer(&mem[0]))-page, 0, memRelease)
}

func limitHint() string {
	return "the limit is the process's minimum working set, see SetProcessWorkingSetSize"
}
