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

	"asherah-napi/fault"
)

//export asherah_submit
func asherah_submit(job *C.asherah_job) {
	go func() {
		run(job)
		C.host_job_done(&host, job)
	}()
}

func run(job *C.asherah_job) {
	defer recoverTo(&job.error, func() { job.result = C.ASHERAH_FAILED })
	s, ok := sessions.get(uint64(job.session))
	if !ok {
		job.result = failed(&job.error, errClosedSession)
		return
	}
	in := bytesOf(job.in, job.in_len)
	var size int
	var err error
	switch job.op {
	case C.ASHERAH_OP_ENCRYPT:
		if err = allocate(job, s.RecordRoom(len(in))); err == nil {
			size, err = s.Encrypt(context.Background(), false, in, bytesOf(job.out, C.size_t(s.RecordRoom(len(in)))))
		}
	case C.ASHERAH_OP_DECRYPT:
		var room int
		if room, err = s.Decrypt(context.Background(), false, in, nil); err == nil && room < 0 {
			if err = allocate(job, -room); err == nil {
				size, err = s.Decrypt(context.Background(), false, in, bytesOf(job.out, C.size_t(-room)))
			}
		}
	default:
		err = fault.New(fault.Internal, "unknown operation %d", int(job.op))
	}
	switch {
	case err != nil:
		job.result = failed(&job.error, err)
	case job.op == C.ASHERAH_OP_ENCRYPT:
		job.result = textLength(s, size)
	default:
		job.result = C.int64_t(size)
	}
}

func allocate(job *C.asherah_job, size int) error {
	// calloc: where a call fails, nothing of another's memory may be taken for its output
	if job.out = (*C.uint8_t)(C.calloc(1, C.size_t(max(size, 1)))); job.out == nil {
		return fault.New(fault.TooLarge, "no memory for a result of %d bytes", size)
	}
	return nil
}
