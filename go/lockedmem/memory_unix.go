// SPDX-License-Identifier: Apache-2.0

//go:build unix

package lockedmem

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// allocate maps size bytes between two guard pages. lockErr says that they could not be locked.
func allocate(size int) (mem []byte, lockErr, err error) {
	page := os.Getpagesize()
	size = (size + page - 1) / page * page // macOS on ARM has pages of 16 KiB
	all, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, nil, err
	}
	mem = all[page : page+size : page+size]
	if err := unix.Mprotect(mem, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		_ = unix.Munmap(all)
		return nil, nil, err
	}
	if err := advise(mem); err != nil {
		_ = unix.Munmap(all)
		return nil, nil, err
	}
	return mem, unix.Mlock(mem), nil
}

func release(mem []byte) {
	page := os.Getpagesize()
	_ = unix.MunmapPtr(unsafe.Add(unsafe.Pointer(&mem[0]), -page), uintptr(len(mem)+2*page))
}

func limitHint() string {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return "limit RLIMIT_MEMLOCK"
	}
	return fmt.Sprintf("limit RLIMIT_MEMLOCK: %d bytes; raise it with ulimit -l or the container's ulimits", limit.Cur)
}
