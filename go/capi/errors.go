// SPDX-License-Identifier: Apache-2.0

package capi

/*
#include "asherah.h"
*/
import "C"

import (
	"errors"
	"unicode/utf8"

	"asherah-napi/fault"
	"asherah-napi/provider"
)

// recoverTo ends a panic at the boundary; it would end the process.
func recoverTo(e *C.asherah_error, failed func()) {
	if r := recover(); r != nil {
		setError(e, fault.New(fault.Internal, "a panic in the engine, please report it: %v", r))
		failed()
	}
}

func setError(e *C.asherah_error, err error) {
	if e == nil {
		return
	}
	put(e.code[:], string(fault.CodeOf(err)))
	put(e.message[:], err.Error())
	put(e.cause[:], causeOf(err))
	e.thrown = 0
	if t := (*provider.Thrown)(nil); errors.As(err, &t) {
		e.thrown = C.uint64_t(t.Number)
	}
}

// causeOf is what others said: the first error in the chain that is none of ours.
func causeOf(err error) string {
	for err != nil {
		if _, ours := err.(*fault.Error); !ours {
			return err.Error()
		}
		err = errors.Unwrap(err)
	}
	return ""
}

// put copies text and a NUL to dst, cut at a character.
func put(dst []C.char, text string) {
	if len(text) > len(dst)-1 {
		n := len(dst) - 1
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	for i := range len(text) {
		dst[i] = C.char(text[i])
	}
	dst[len(text)] = 0
}
