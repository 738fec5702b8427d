// SPDX-License-Identifier: Apache-2.0

//go:build unix && !linux

package lockedmem

// advise does nothing: macOS has no call to keep memory out of core dumps, which it does not write by default.
func advise([]byte) error { return nil }
