// SPDX-License-Identifier: Apache-2.0

package lockedmem

import (
	"errors"

	"golang.org/x/sys/unix"
)

// advise keeps the memory out of core dumps and empties it in forked children.
func advise(mem []byte) error {
	if err := unix.Madvise(mem, unix.MADV_DONTDUMP); err != nil {
		return err
	}
	// Since Linux 4.14; before, a child that forks without exec keeps a copy, as it does of all other memory.
	if err := unix.Madvise(mem, unix.MADV_WIPEONFORK); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return nil
}
