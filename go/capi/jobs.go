// SPDX-License-Identifier: Apache-2.0

package capi

/*
#include <stdlib.h>
#include "asherah.h"

static inline void host_job_done(asherah_host *h, asherah_job *job) { h->job_done(job); }
*/
import "C"

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"asherah-napi/envelope"
	"asherah-napi/fault"
)

var underWay atomic.Int64

//export asherah_submit
func asherah_submit(job *C.asherah_job) {
	ctx, done := calls.begin(uint64(job.env), uint64(job.call))
	var own *turn
	if job.in_len > largeFrom {
		own = turns.join(ctx, uint64(job.env))
	}
	underWay.Add(1)
	go func() {
		if own == nil {
			run(ctx, job)
		} else {
			runInTurn(own, job)
		}
		done()
		underWay.Add(-1)
		C.host_job_done(&host, job)
	}()
}

func runInTurn(own *turn, job *C.asherah_job) {
	if own.await() != nil {
		job.result = C.ASHERAH_CANCELLED
		return
	}
	run(own, job)
	if own.has {
		job.has_turn = 1 // until the environment has taken the result
	}
}

//export asherah_turn_end
func asherah_turn_end(env C.uint64_t) {
	defer recoverTo(nil, func() {})
	turns.end(uint64(env))
}

//export asherah_cancel
func asherah_cancel(env, call C.uint64_t) {
	defer recoverTo(nil, func() {})
	calls.cancel(uint64(env), uint64(call))
}

func run(ctx context.Context, job *C.asherah_job) {
	defer recoverTo(&job.error, func() { job.result = C.ASHERAH_FAILED })
	var err error
	switch job.op {
	case C.ASHERAH_OP_ENCRYPT, C.ASHERAH_OP_DECRYPT:
		err = runForSession(ctx, job)
	case C.ASHERAH_OP_VERIFY, C.ASHERAH_OP_CREATE_SCHEMA:
		err = runForFactory(job)
	default:
		err = fault.New(fault.Internal, "unknown operation %d", int(job.op))
	}
	switch {
	case err == envelope.ErrCancelled:
		job.result = C.ASHERAH_CANCELLED
	case err != nil:
		job.result = failed(&job.error, err)
	}
}

func runForSession(ctx context.Context, job *C.asherah_job) error {
	s, ok := sessions.get(uint64(job.handle))
	if !ok {
		return errClosedSession
	}
	in := bytesOf(job.in, job.in_len)
	if job.op == C.ASHERAH_OP_ENCRYPT {
		room := s.RecordRoom(len(in))
		if err := allocate(job, room); err != nil {
			return err
		}
		size, err := s.Encrypt(ctx, nil, in, bytesOf(job.out, C.size_t(room)))
		job.result = textLength(s, size)
		return err
	}
	room, err := s.Decrypt(ctx, nil, in, nil)
	if err == nil && room < 0 {
		if err = allocate(job, -room); err != nil {
			return err
		}
		room, err = s.Decrypt(ctx, nil, in, bytesOf(job.out, C.size_t(-room)))
	}
	job.result = C.int64_t(room)
	return err
}

// runForFactory does what is about the servers behind a factory, not about data.
func runForFactory(job *C.asherah_job) error {
	f, ok := factories.get(uint64(job.handle))
	if !ok {
		return errClosedFactory
	}
	var result any
	var err error
	if job.op == C.ASHERAH_OP_VERIFY {
		result = f.envelope.Verify()
	} else if result, err = f.envelope.CreateSchema(); err != nil {
		return err
	}
	text, err := json.Marshal(result)
	if err != nil {
		return err
	}
	if err := allocate(job, len(text)); err != nil {
		return err
	}
	job.result = C.int64_t(copy(bytesOf(job.out, C.size_t(len(text))), text))
	return nil
}

func allocate(job *C.asherah_job, size int) error {
	// calloc: where a call fails, nothing of another's memory may be taken for its output
	if job.out = (*C.uint8_t)(C.calloc(1, C.size_t(max(size, 1)))); job.out == nil {
		return fault.New(fault.TooLarge, "no memory for a result of %d bytes", size)
	}
	return nil
}
