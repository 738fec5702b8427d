// SPDX-License-Identifier: Apache-2.0

// Package kms defines who guards the system keys, with the implementation that needs no service: Static.
package kms

import "context"

// KMS encrypts system keys under a master key. Implementations are safe for concurrent use. Raw keys are 32 bytes in
// locked memory; implementations must not copy them to memory that isn't.
type KMS interface {
	// EncryptKey returns what the metastore will hold.
	EncryptKey(ctx context.Context, raw []byte) ([]byte, error)
	// DecryptKey writes the key to raw, exactly len(raw) bytes.
	DecryptKey(ctx context.Context, encrypted, raw []byte) error
	// Close wipes what it holds. Calls that come later fail.
	Close()
}

// Completer is a KMS of several regions, whose answer to EncryptKey may lack one that did not respond.
type Completer interface {
	// Complete says whether every configured region can decrypt what the metastore holds.
	Complete(encrypted []byte) bool
	// EncryptKeyComplete is EncryptKey, but fails where a region is missing from the result.
	EncryptKeyComplete(ctx context.Context, raw []byte) ([]byte, error)
}
