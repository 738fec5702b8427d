// SPDX-License-Identifier: Apache-2.0

package capi

/*
#include "asherah.h"

static inline void host_requested(asherah_host *h, uint64_t env) { h->requested(env); }
static inline void host_sync_done(asherah_host *h, asherah_job *job) { h->sync_done(job); }
*/
import "C"

import (
	"sync"

	"asherah-napi/fault"
	"asherah-napi/provider"
	"asherah-napi/waiting"
)

// desks are where requests to functions in JavaScript wait, one for each environment that has such functions.
var desks deskTable

type deskTable struct {
	mu    sync.Mutex
	byEnv map[uint64]*provider.Desk
}

// of returns the desk of an environment, which it makes at the first time.
func (t *deskTable) of(env uint64) *provider.Desk {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.byEnv[env]
	if d == nil {
		d = provider.NewDesk(env, func() { C.host_requested(&host, C.uint64_t(env)) })
		if t.byEnv == nil {
			t.byEnv = map[uint64]*provider.Desk{}
		}
		t.byEnv[env] = d
	}
	return d
}

func (t *deskTable) get(env uint64) *provider.Desk {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byEnv[env]
}

func (t *deskTable) close(env uint64) {
	t.mu.Lock()
	d := t.byEnv[env]
	delete(t.byEnv, env)
	t.mu.Unlock()
	if d != nil {
		d.Close()
	}
}

// providerOf is what asks the functions of a configuration; nil: it has none.
func providerOf(config *Config, env uint64) *provider.Client {
	if config.KMS.Type != "provider" && config.Metastore.Type != "provider" {
		return nil
	}
	return provider.NewClient(desks.of(env))
}

// firstTry is the context of what a synchronous call does before it is known to need more. It never waits.
var firstTry = waiting.Call(0)

//export asherah_submit_sync
func asherah_submit_sync(env C.uint64_t, job *C.asherah_job) {
	ctx := waiting.Call(uint64(env)) // here, before its thread serves anything
	go func() {
		run(ctx, job)
		C.host_sync_done(&host, job)
	}()
}

//export asherah_request_take
func asherah_request_take(env C.uint64_t, request *C.asherah_request, out *C.uint8_t, outCap C.size_t) (n C.int64_t) {
	defer recoverTo(nil, func() { n = 0 })
	d := desks.get(uint64(env))
	if d == nil {
		return 0
	}
	taken, size := d.Take(bytesOf(out, outCap))
	*request = C.asherah_request{
		number:   C.uint64_t(taken.Number),
		factory:  C.uint64_t(taken.Factory),
		kind:     C.int32_t(taken.Kind),
		created:  C.int64_t(taken.Created),
		id_len:   C.size_t(taken.ID),
		body_len: C.size_t(taken.Body),
	}
	return C.int64_t(size)
}

//export asherah_request_answer
func asherah_request_answer(env, request C.uint64_t, outcome C.int32_t, data *C.uint8_t, dataLen C.size_t, thrown C.uint64_t, e *C.asherah_error) (status C.int32_t) {
	defer recoverTo(e, func() { status = -1 })
	if outcome < C.int32_t(provider.Value) || outcome > C.int32_t(provider.Promise) {
		setError(e, fault.New(fault.InvalidArgument, "outcome: expected %d to %d, got %d", provider.Value, provider.Promise, int(outcome)))
		return -1
	}
	if d := desks.get(uint64(env)); d != nil {
		d.Answer(uint64(request), provider.Outcome(outcome), bytesOf(data, dataLen), uint64(thrown))
	}
	return 0
}
