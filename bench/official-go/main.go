// SPDX-License-Identifier: Apache-2.0

// Command official-go puts the official Go library (github.com/godaddy/asherah/go/appencryption) behind the same C
// contract, and so the same C++ layer, as our own engine: what the benchmark then compares is the two engines alone.
// It is a rival, not a product: memory metastore, static KMS, the library's default policy with its session cache on.
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../src-cpp
#include <stdlib.h>
#include <string.h>
#include "asherah.h"

static inline void call_job_done(asherah_host *host, asherah_job *job) { host->job_done(job); }
*/
import "C"

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/godaddy/asherah/go/appencryption"
	"github.com/godaddy/asherah/go/appencryption/pkg/crypto/aead"
	"github.com/godaddy/asherah/go/appencryption/pkg/kms"
	"github.com/godaddy/asherah/go/appencryption/pkg/persistence"
)

type session struct {
	*appencryption.Session
	overhead int // length of a record around the base64 of its data
}

type factory struct {
	*appencryption.SessionFactory
	env C.uint64_t
}

var (
	host      C.asherah_host
	last      atomic.Uint64
	factories sync.Map // handle -> *factory
	sessions  sync.Map // handle -> *session
)

func main() {}

// fail writes err where the caller looks for it, cut to fit.
func fail(out *C.asherah_error, err error) C.int64_t {
	put := func(dst []C.char, text string) {
		n := copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), len(dst)-1), text)
		dst[n] = 0
	}
	put(out.code[:], "ERR_OFFICIAL_GO")
	put(out.message[:], err.Error())
	out.cause[0], out.thrown = 0, 0
	return C.ASHERAH_FAILED
}

// caught turns a panic into an error, so that a fault of the library does not end the process that measures it.
func caught(run func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return run()
}

func view(p *C.uint8_t, n C.size_t) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(p)), int(n)) }

//export asherah_start
func asherah_start(table *C.asherah_host, _ *C.asherah_error) C.int32_t {
	host = *table
	return 0
}

//export asherah_factory_open
func asherah_factory_open(env C.uint64_t, config *C.uint8_t, configLen C.size_t, key *C.uint8_t, keyLen C.size_t, out *C.asherah_error) C.uint64_t {
	var handle uint64
	err := caught(func() error {
		var c struct{ ServiceName, ProductID string }
		if err := json.Unmarshal(view(config, configLen), &c); err != nil {
			return err
		}
		crypto := aead.NewAES256GCM()
		static, err := kms.NewStatic(string(view(key, keyLen)), crypto)
		if err != nil {
			return err
		}
		f := appencryption.NewSessionFactory(&appencryption.Config{
			Service: c.ServiceName,
			Product: c.ProductID,
			Policy:  appencryption.NewCryptoPolicy(appencryption.WithSessionCache()),
		}, persistence.NewMemoryMetastore(), static, crypto, appencryption.WithMetrics(false))
		handle = last.Add(1)
		factories.Store(handle, &factory{f, env})
		return nil
	})
	if err != nil {
		fail(out, err)
	}
	return C.uint64_t(handle)
}

//export asherah_factory_close
func asherah_factory_close(handle C.uint64_t) {
	if f, ok := factories.LoadAndDelete(uint64(handle)); ok {
		_ = caught(f.(*factory).Close)
	}
}

//export asherah_env_close
func asherah_env_close(env C.uint64_t) {
	factories.Range(func(handle, f any) bool {
		if f.(*factory).env == env {
			asherah_factory_close(C.uint64_t(handle.(uint64)))
		}
		return true
	})
}

//export asherah_session_open
func asherah_session_open(_, handle C.uint64_t, partition *C.uint8_t, partitionLen C.size_t, out *C.asherah_error) C.uint64_t {
	var opened uint64
	err := caught(func() error {
		f, ok := factories.Load(uint64(handle))
		if !ok {
			return errors.New("the factory is closed")
		}
		s, err := f.(*factory).GetSession(string(view(partition, partitionLen)))
		if err != nil {
			return err
		}
		// The library tells no size in advance; a record of no data shows what stands around the data.
		empty, err := seal(s, nil)
		if err != nil {
			return err
		}
		opened = last.Add(1)
		sessions.Store(opened, &session{s, len(empty) - sealedLen(0)})
		return nil
	})
	if err != nil {
		fail(out, err)
	}
	return C.uint64_t(opened)
}

//export asherah_session_close
func asherah_session_close(handle C.uint64_t) {
	if s, ok := sessions.LoadAndDelete(uint64(handle)); ok {
		_ = caught(s.(*session).Close)
	}
}

// sealedLen is the length of base64(ciphertext, tag, nonce) for n bytes of data.
func sealedLen(n int) int { return base64.StdEncoding.EncodedLen(n + 16 + 12) }

func seal(s *appencryption.Session, data []byte) ([]byte, error) {
	record, err := s.Encrypt(context.Background(), data)
	if err != nil {
		return nil, err
	}
	return json.Marshal(record)
}

func open(s *appencryption.Session, text []byte) ([]byte, error) {
	var record appencryption.DataRowRecord
	if err := json.Unmarshal(text, &record); err != nil {
		return nil, err
	}
	return s.Decrypt(context.Background(), record)
}

// run is one call: need is the room its result may take.
func run(handle C.uint64_t, op func(*appencryption.Session, []byte) ([]byte, error), need func(*session) int,
	in []byte, room func(n int) []byte, out *C.asherah_error) (n C.int64_t) {
	if err := caught(func() error {
		s, ok := sessions.Load(uint64(handle))
		if !ok {
			return errors.New("the session is closed")
		}
		dst := room(need(s.(*session)))
		if dst == nil {
			n = -C.int64_t(need(s.(*session)))
			return nil
		}
		result, err := op(s.(*session).Session, in)
		if err != nil {
			return err
		}
		if len(result) > len(dst) {
			return fmt.Errorf("a result of %d bytes where %d were expected", len(result), len(dst))
		}
		n = C.int64_t(copy(dst, result))
		return nil
	}); err != nil {
		return fail(out, err)
	}
	return n
}

func encryptNeed(in []byte) func(*session) int {
	return func(s *session) int { return s.overhead + sealedLen(len(in)) }
}

func decryptNeed(in []byte) func(*session) int {
	return func(*session) int { return max(1, base64.StdEncoding.DecodedLen(len(in))) }
}

func given(out []byte) func(int) []byte {
	return func(n int) []byte {
		if n > len(out) {
			return nil
		}
		return out
	}
}

//export asherah_encrypt
func asherah_encrypt(handle C.uint64_t, _ C.int32_t, in *C.uint8_t, inLen C.size_t, out *C.uint8_t, outCap C.size_t, e *C.asherah_error) C.int64_t {
	data := view(in, inLen)
	return run(handle, seal, encryptNeed(data), data, given(view(out, outCap)), e)
}

//export asherah_decrypt
func asherah_decrypt(handle C.uint64_t, _ C.int32_t, in *C.uint8_t, inLen C.size_t, out *C.uint8_t, outCap C.size_t, e *C.asherah_error) C.int64_t {
	text := view(in, inLen)
	return run(handle, open, decryptNeed(text), text, given(view(out, outCap)), e)
}

//export asherah_submit
func asherah_submit(job *C.asherah_job) {
	go func() {
		in := view(job.in, job.in_len)
		room := func(n int) []byte {
			job.out = (*C.uint8_t)(C.malloc(C.size_t(n)))
			return view(job.out, C.size_t(n))
		}
		if job.op == C.ASHERAH_OP_ENCRYPT {
			job.result = run(job.handle, seal, encryptNeed(in), in, room, &job.error)
		} else { // the benchmark asks for nothing else
			job.result = run(job.handle, open, decryptNeed(in), in, room, &job.error)
		}
		C.call_job_done(&host, job)
	}()
}

//export asherah_stats
func asherah_stats(_ C.uint64_t, out *C.uint8_t, outCap C.size_t) C.int64_t {
	const text = `{"engine":"official-go"}`
	if int(outCap) < len(text) {
		return -C.int64_t(len(text))
	}
	return C.int64_t(copy(view(out, outCap), text))
}

// What the benchmark does not use: no signal comes, no call is cancelled or takes turns, nothing is asked of AWS or JavaScript,
// no factory has a file, none is shared, and nobody listens.

//export asherah_cancel
func asherah_cancel(C.uint64_t, C.uint64_t) {}

//export asherah_turn_end
func asherah_turn_end(C.uint64_t) {}

//export asherah_prepare_thread
func asherah_prepare_thread() {}

//export asherah_set_credentials
func asherah_set_credentials(C.uint64_t, *C.uint8_t, C.size_t, *C.asherah_error) C.int32_t { return 0 }

//export asherah_has_sqlite_file
func asherah_has_sqlite_file(*C.uint8_t, C.size_t) C.int32_t { return 0 }

//export asherah_submit_sync
func asherah_submit_sync(C.uint64_t, *C.asherah_job) { panic("no call of this library asks for it") }

//export asherah_request_take
func asherah_request_take(C.uint64_t, *C.asherah_request, *C.uint8_t, C.size_t) C.int64_t { return 0 }

//export asherah_request_answer
func asherah_request_answer(C.uint64_t, C.uint64_t, C.int32_t, *C.uint8_t, C.size_t, C.uint64_t, *C.asherah_error) C.int32_t {
	return 0
}

//export asherah_static_set
func asherah_static_set(C.uint64_t, *C.uint8_t, C.size_t, *C.asherah_error) C.int32_t { return 0 }

//export asherah_static_factory
func asherah_static_factory() C.uint64_t { return 0 }

//export asherah_static_settings
func asherah_static_settings(C.uint64_t, *C.uint8_t, C.size_t) C.int64_t { return C.ASHERAH_FAILED }

//export asherah_listener_open
func asherah_listener_open(C.uint64_t) C.uint64_t { return 0 }

//export asherah_listener_close
func asherah_listener_close(C.uint64_t) {}

//export asherah_listener_watch
func asherah_listener_watch(C.uint64_t, C.uint64_t, C.int32_t, C.int32_t, *C.asherah_error) C.int32_t {
	return 0
}

//export asherah_listener_take
func asherah_listener_take(C.uint64_t, *C.uint8_t, C.size_t) C.int64_t { return 0 }

//export asherah_listener_unwatch
func asherah_listener_unwatch(C.uint64_t, C.uint64_t) {}
