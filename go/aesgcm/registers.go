// SPDX-License-Identifier: Apache-2.0

//go:build amd64 || arm64

package aesgcm

// ClearRegisters zeroes the vector registers, where the ciphers' assembly leaves round keys and blocks. Call it last when keys were
// used: the registers of a thread that sleeps afterwards are part of a core dump, and of the frame the kernel writes to
// ordinary memory when a signal arrives.
//
//go:noescape
func ClearRegisters()
