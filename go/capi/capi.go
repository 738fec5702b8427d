// SPDX-License-Identifier: Apache-2.0

// Package capi is the engine's side of the C boundary: the functions of src-cpp/asherah.h. It turns handles into objects,
// pointers into slices and panics into errors, and leaves everything else to package envelope.
package capi

/*
#cgo CFLAGS: -I${SRCDIR}/../../src-cpp
#include <stdlib.h>
#include "asherah.h"

static inline void host_warning(asherah_host *h, uint64_t env, uint64_t factory, char *code, char *message) {
  h->warning(env, factory, code, message);
}
*/
import "C"

import (
	"errors"
	"sync"
	"unsafe"

	"asherah-napi/aesgcm"
	"asherah-napi/envelope"
	"asherah-napi/fault"
	"asherah-napi/observe"
	"asherah-napi/provider"
)

type factory struct {
	env         uint64
	number      uint64 // set once, before anybody hears of it
	envelope    *envelope.Factory
	credentials Credentials      // nil: none come from JavaScript
	provider    *provider.Client // nil: neither KMS nor metastore is one of JavaScript
	sqliteFile  string           // "": none
	sink        *observe.Sink
	describe    string // for logs

	// Of listenerTable, under its lock.
	watch      *watch
	wasWatched bool
	isDetached bool

	mu       sync.Mutex
	sessions map[uint64]*session // nil once closed
}

type session struct {
	*envelope.Session
	env     uint64 // that opened it; of another thread than the factory's where that is the static instance
	number  uint64
	factory *factory
}

var (
	started   sync.Once
	startErr  error
	openParts OpenFunc
	host      C.asherah_host
	factories handles[*factory]
	sessions  handles[*session]
)

// Start is asherah_start with the parts of the addon at hand.
func Start(open OpenFunc, h unsafe.Pointer, e unsafe.Pointer) (status int32) {
	defer recoverTo((*C.asherah_error)(e), func() { status = -1 })
	started.Do(func() {
		openParts, host = open, *(*C.asherah_host)(h)
		startErr = aesgcm.Check()
	})
	if startErr != nil {
		setError((*C.asherah_error)(e), fault.Wrap(fault.Internal, startErr, "the addon's self-test failed"))
		return -1
	}
	return 0
}

func bytesOf(p *C.uint8_t, n C.size_t) []byte {
	return unsafe.Slice((*byte)(p), int(n))
}

var errClosedFactory = fault.New(fault.Closed, "the factory is closed; make a new one")
var errClosedSession = fault.New(fault.Closed, "the session or its factory is closed; open a new one")

//export asherah_factory_open
func asherah_factory_open(env C.uint64_t, config *C.uint8_t, configLen C.size_t, masterKey *C.uint8_t, masterKeyLen C.size_t, e *C.asherah_error) (number C.uint64_t) {
	defer recoverTo(e, func() { number = 0 })
	n, err := openFactory(uint64(env), bytesOf(config, configLen), bytesOf(masterKey, masterKeyLen))
	if err != nil {
		setError(e, err)
	}
	return C.uint64_t(n)
}

func openFactory(env uint64, text, masterKey []byte) (uint64, error) {
	config, err := parseConfig(text)
	if err != nil {
		return 0, err
	}
	f := &factory{env: env, sessions: map[uint64]*session{}, sink: new(observe.Sink), describe: config.describe()}
	tell, known := f.teller()
	warn := func(code fault.Code, message string) {
		tell(string(code), message)
		f.sink.Log(observe.Warn, targetOf(code), code, message)
	}
	f.provider = providerOf(config, env)
	opened, err := openParts(config, Surroundings{
		MasterKey:       masterKey,
		Warn:            warn,
		Sink:            f.sink,
		Provider:        f.provider,
		WantCredentials: func() { tell(C.ASHERAH_WANTS_CREDENTIALS, "") },
	})
	if err != nil {
		return 0, err
	}
	f.credentials = opened.Credentials
	if store, ok := opened.Metastore.(interface{ Region() string }); ok && config.Metastore.RegionSuffix {
		config.RegionSuffix = store.Region()
	}
	f.envelope = envelope.NewFactory(config.envelope(warn, f.sink), opened.Metastore, opened.KMS)
	if config.Metastore.Type == "sqlite" {
		f.sqliteFile = sqliteFiles.add(config.Metastore.Path)
	}
	f.number = factories.add(f)
	if f.provider != nil {
		f.provider.SetFactory(f.number)
	}
	known(f.number)
	if f.number == 0 {
		f.close()
		return 0, fault.New(fault.InvalidArgument, "too many factories are open; close some")
	}
	listeners.attach(f)
	return f.number, nil
}

// targetOf says which part of the engine a warning is from.
func targetOf(code fault.Code) string {
	switch code {
	case fault.WarnRefreshFailed:
		return observe.OfKey
	case fault.WarnKMSRegionFailed:
		return observe.OfKMS
	case fault.WarnPlainConnection:
		return observe.OfMetastore
	}
	return observe.OfFactory
}

// teller returns how the factory's events reach the host, once its number is known: an event names it.
func (f *factory) teller() (tell func(code, message string), known func(number uint64)) {
	var number uint64
	isKnown := make(chan struct{})
	tell = func(code, message string) {
		post := func() {
			defer func() { _ = recover() }()
			<-isKnown
			warn(f.env, number, code, message)
		}
		select {
		case <-isKnown:
			// At once: a program that does nothing after this call must hear it too. The host only queues it.
			post()
		default:
			go post()
		}
	}
	return tell, func(n uint64) {
		number = n
		close(isKnown)
	}
}

func warn(env, factory uint64, code, message string) {
	c, m := C.CString(code), C.CString(message)
	defer C.free(unsafe.Pointer(c))
	defer C.free(unsafe.Pointer(m))
	C.host_warning(&host, C.uint64_t(env), C.uint64_t(factory), c, m)
}

//export asherah_factory_close
func asherah_factory_close(number C.uint64_t) {
	defer recoverTo(nil, func() {})
	if f, ok := static.remove(uint64(number)); ok {
		f.close()
	}
}

func (f *factory) close() {
	f.mu.Lock()
	open := f.sessions
	f.sessions = nil
	f.mu.Unlock()
	for number := range open {
		sessions.remove(number)
	}
	f.envelope.Close()
	if f.credentials != nil {
		f.credentials.Close()
	}
	if f.sqliteFile != "" {
		sqliteFiles.remove(f.sqliteFile)
	}
	listeners.detach(f)
}

//export asherah_env_close
func asherah_env_close(env C.uint64_t) {
	defer recoverTo(nil, func() {})
	closeEnv(uint64(env))
}

func closeEnv(env uint64) {
	turns.closeEnv(env)
	listeners.close(func(_ uint64, l *listener) bool { return l.env == env })
	for number, f := range factories.all() {
		if f.env == env {
			if f, ok := static.removeUnlessStatic(number); ok {
				f.close()
				continue
			}
		}
		f.closeSessionsOf(env)
	}
	desks.close(env)
}

// closeSessionsOf closes the sessions that an environment leaves open in a factory which outlives it.
func (f *factory) closeSessionsOf(env uint64) {
	var left []uint64
	f.mu.Lock()
	for number, s := range f.sessions {
		if s.env == env {
			left = append(left, number)
		}
	}
	f.mu.Unlock()
	for _, number := range left {
		closeSession(number)
	}
}

//export asherah_session_open
func asherah_session_open(env, factory C.uint64_t, partition *C.uint8_t, partitionLen C.size_t, e *C.asherah_error) (number C.uint64_t) {
	defer recoverTo(e, func() { number = 0 })
	n, err := openSession(uint64(env), uint64(factory), string(bytesOf(partition, partitionLen)))
	if err != nil {
		setError(e, err)
	}
	return C.uint64_t(n)
}

func openSession(env, number uint64, partition string) (uint64, error) {
	f, ok := factories.get(number)
	if !ok {
		return 0, errClosedFactory
	}
	inner, err := f.envelope.Session(partition)
	if err != nil {
		return 0, err
	}
	s := &session{Session: inner, env: env, factory: f}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sessions == nil {
		inner.Close()
		return 0, errClosedFactory
	}
	s.number = sessions.add(s)
	if s.number == 0 {
		inner.Close()
		return 0, fault.New(fault.InvalidArgument, "too many sessions are open; close some")
	}
	f.sessions[s.number] = s
	return s.number, nil
}

//export asherah_session_close
func asherah_session_close(number C.uint64_t) {
	defer recoverTo(nil, func() {})
	closeSession(uint64(number))
}

func closeSession(number uint64) {
	if s, ok := sessions.remove(number); ok {
		s.factory.mu.Lock()
		delete(s.factory.sessions, s.number)
		s.factory.mu.Unlock()
		s.Close()
	}
}

//export asherah_encrypt
func asherah_encrypt(number C.uint64_t, flags C.int32_t, in *C.uint8_t, inLen C.size_t, out *C.uint8_t, outCap C.size_t, e *C.asherah_error) (n C.int64_t) {
	defer recoverTo(e, func() { n = C.ASHERAH_FAILED })
	s, ok := sessions.get(uint64(number))
	if !ok {
		return failed(e, errClosedSession)
	}
	if room := s.RecordRoom(int(inLen)); room > int(outCap) {
		return C.int64_t(-room)
	}
	ctx, cold := s.terms(flags)
	size, err := s.Encrypt(ctx, cold, bytesOf(in, inLen), bytesOf(out, outCap))
	if err != nil {
		return failed(e, err)
	}
	return textLength(s, size)
}

func textLength(s *session, size int) C.int64_t {
	if s.ASCII() {
		return C.int64_t(size)
	}
	return C.int64_t(size) | C.ASHERAH_NOT_ASCII
}

//export asherah_decrypt
func asherah_decrypt(number C.uint64_t, flags C.int32_t, in *C.uint8_t, inLen C.size_t, out *C.uint8_t, outCap C.size_t, e *C.asherah_error) (n C.int64_t) {
	defer recoverTo(e, func() { n = C.ASHERAH_FAILED })
	s, ok := sessions.get(uint64(number))
	if !ok {
		return failed(e, errClosedSession)
	}
	ctx, cold := s.terms(flags)
	size, err := s.Decrypt(ctx, cold, bytesOf(in, inLen), bytesOf(out, outCap))
	if err != nil {
		return failed(e, err)
	}
	return C.int64_t(size)
}

func failed(e *C.asherah_error, err error) C.int64_t {
	if errors.Is(err, envelope.ErrCold) {
		return C.ASHERAH_COLD
	}
	setError(e, err)
	return C.ASHERAH_FAILED
}

//export asherah_stats
func asherah_stats(number C.uint64_t, out *C.uint8_t, outCap C.size_t) (n C.int64_t) {
	defer recoverTo(nil, func() { n = C.ASHERAH_FAILED })
	text := statsOf(uint64(number))
	if len(text) > int(outCap) {
		return C.int64_t(-len(text))
	}
	return C.int64_t(copy(bytesOf(out, outCap), text))
}
