// SPDX-License-Identifier: Apache-2.0

//go:build !amd64 && !arm64

package aesgcm

// ClearRegisters does nothing: nothing is released for these architectures, and wasm has no such registers.
func ClearRegisters() {}
