// SPDX-License-Identifier: Apache-2.0

package lockedmem

import (
	"unsafe"

	"golang.org/x/sys/windows"
)

const page = 4096

// allocate reserves size bytes between two pages that are never committed. lockErr says that they could not be locked.
func allocate(size int) (mem []byte, lockErr, err error) {
	base, err := windows.VirtualAlloc(0, uintptr(size+2*page), windows.MEM_RESERVE, windows.PAGE_NOACCESS)
	if err != nil {
		return nil, nil, err
	}
	start, err := windows.VirtualAlloc(base+page, uintptr(size), windows.MEM_COMMIT, windows.PAGE_READWRITE)
	if err != nil {
		_ = windows.VirtualFree(base, 0, windows.MEM_RELEASE)
		return nil, nil, err
	}
	mem = unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&start))), size) // not from the Go heap, so no uintptr rule is broken
	return mem, windows.VirtualLock(start, uintptr(size)), nil
}

func release(mem []byte) {
	_ = windows.VirtualFree(uintptr(unsafe.Pointer(&mem[0]))-page, 0, windows.MEM_RELEASE)
}

func limitHint() string {
	return "the limit is the process's minimum working set, see SetProcessWorkingSetSize"
}
