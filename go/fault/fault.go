// SPDX-License-Identifier: Apache-2.0

// Package fault holds the one error type of the engine: a stable code that programs act on, and a sentence for people.
// The codes are those of docs/errors.md; lib/errors.ts lists the same ones.
package fault

import (
	"errors"
	"fmt"
)

// Code names a kind of failure. It is part of the public API: codes are added, never renamed.
type Code string

const (
	InvalidArgument      Code = "ERR_ASHERAH_INVALID_ARGUMENT"
	InvalidConfig        Code = "ERR_ASHERAH_INVALID_CONFIG"
	InvalidRecord        Code = "ERR_ASHERAH_INVALID_RECORD"
	TooLarge             Code = "ERR_ASHERAH_TOO_LARGE"
	PartitionMismatch    Code = "ERR_ASHERAH_PARTITION_MISMATCH"
	KeyNotFound          Code = "ERR_ASHERAH_KEY_NOT_FOUND"
	AuthenticationFailed Code = "ERR_ASHERAH_AUTHENTICATION_FAILED"
	InvalidKeyRecord     Code = "ERR_ASHERAH_INVALID_KEY_RECORD"
	Closed               Code = "ERR_ASHERAH_CLOSED"
	Metastore            Code = "ERR_ASHERAH_METASTORE"
	MetastoreBusy        Code = "ERR_ASHERAH_METASTORE_BUSY"
	MetastoreReadOnly    Code = "ERR_ASHERAH_METASTORE_READ_ONLY"
	MetastoreFull        Code = "ERR_ASHERAH_METASTORE_FULL"
	KMS                  Code = "ERR_ASHERAH_KMS"
	WouldBlock           Code = "ERR_ASHERAH_WOULD_BLOCK"
	KeyStale             Code = "ERR_ASHERAH_KEY_STALE"
	LockedMemory         Code = "ERR_ASHERAH_LOCKED_MEMORY"
	Internal             Code = "ERR_ASHERAH_INTERNAL"
)

// Codes of warning events: nothing failed for the caller, but somebody should know.
const (
	WarnRefreshFailed   Code = "WARN_ASHERAH_REFRESH_FAILED"
	WarnMemoryNotLocked Code = "WARN_ASHERAH_MEMORY_NOT_LOCKED"
	WarnKMSRegionFailed Code = "WARN_ASHERAH_KMS_REGION_FAILED"
	WarnPlainConnection Code = "WARN_ASHERAH_PLAIN_CONNECTION"
)

// Error is a failure with its code. Message never holds key material or plaintext.
type Error struct {
	Code    Code
	Message string
	Cause   error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Cause }

// New makes an error from a format and its arguments.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an error that carries its cause and ends in the cause's own words.
func Wrap(code Code, cause error, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...) + ": " + cause.Error(), Cause: cause}
}

// CodeOf is the code of the outermost Error in err's chain, Internal when there is none.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Internal
}
