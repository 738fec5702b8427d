// SPDX-License-Identifier: Apache-2.0

package capi

/*
#include "asherah.h"
*/
import "C"

import (
	"context"
	"encoding/json"
	"time"

	"asherah-napi/envelope"
	"asherah-napi/fault"
)

// Credentials are those of a cloud account that a function in JavaScript provides.
type Credentials interface {
	// Set gives credentials. Zero expires: they don't.
	Set(accessKeyID, secretAccessKey, sessionToken string, expires time.Time)
	// Fail says why there are none.
	Fail(message string)
	// Ready says whether there are some that have not expired.
	Ready() bool
	Close()
}

// answer is the JSON that lib/credentials.ts writes for asherah_set_credentials: credentials, or why there are none.
type answer struct {
	AccessKeyID     string `json:"accessKeyId"`
	SecretAccessKey string `json:"secretAccessKey"`
	SessionToken    string `json:"sessionToken"`
	ExpiresMs       int64  `json:"expiresMs"` // Unix milliseconds; 0: never
	Failure         string `json:"failure"`
}

//export asherah_set_credentials
func asherah_set_credentials(number C.uint64_t, text *C.uint8_t, textLen C.size_t, e *C.asherah_error) (status C.int32_t) {
	defer recoverTo(e, func() { status = -1 })
	var a answer
	if err := json.Unmarshal(bytesOf(text, textLen), &a); err != nil {
		setError(e, fault.New(fault.InvalidArgument, "credentials: expected JSON as lib/credentials.ts writes it")) // err would quote it
		return -1
	}
	f, ok := factories.get(uint64(number))
	switch {
	case !ok || f.credentials == nil: // closed meanwhile
	case a.Failure != "":
		f.credentials.Fail(a.Failure)
	case a.ExpiresMs != 0:
		f.credentials.Set(a.AccessKeyID, a.SecretAccessKey, a.SessionToken, time.UnixMilli(a.ExpiresMs))
	default:
		f.credentials.Set(a.AccessKeyID, a.SecretAccessKey, a.SessionToken, time.Time{})
	}
	return 0
}

// A synchronous call holds up the thread that the credentials function runs on. While there are none yet, it could only
// wait in vain, so it does what needs none, or fails at once.

func (s *session) waitsInVain() bool {
	return s.factory.credentials != nil && !s.factory.credentials.Ready()
}

// terms are those of a synchronous call: its context, and the error if it would have to ask a server; nil: it may.
func (s *session) terms(flags C.int32_t) (ctx context.Context, cold error) {
	switch {
	case flags&C.ASHERAH_HOT_ONLY != 0:
		return context.Background(), envelope.ErrCold
	case s.waitsInVain():
		return context.Background(), errNoCredentials
	case s.factory.provider != nil: // then asherah_submit_sync is the call
		return firstTry, envelope.ErrCold
	}
	return context.Background(), nil
}

var errNoCredentials = fault.New(fault.KMS, "awsCredentials: expected credentials, got none so far, and a synchronous call can't wait for the function that provides them. "+
	"Use the asynchronous method, or await factory.verify() first.")
