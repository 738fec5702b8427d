// SPDX-License-Identifier: Apache-2.0

// Package observe carries what the engine tells about itself, measurements and log lines, to those who asked to hear it.
//
// Each factory has a Sink, to which its parts tell; a Sink hands on to any number of Queues, each of which belongs to one
// listener in JavaScript. Who listens to what, package capi decides. While nobody does, a Sink costs one atomic load.
// No event holds key material or plaintext.
package observe

import (
	"sync/atomic"
	"time"

	"asherah-napi/fault"
)

// Kind is what a measurement is of. The names are those of MetricsEvent in lib/hooks.ts.
type Kind uint8

const (
	Encrypt Kind = iota + 1 // timed: one call
	Decrypt
	Store // timed: one call of the metastore
	Load
	KMSEncrypt // timed: one call of the KMS, of one region where it has several
	KMSDecrypt
	CacheHit // counted, by level
	CacheMiss
	CacheStale // found, but due to be refreshed
	Rotation   // a new key was stored
)

var kindNames = [...]string{Encrypt: "encrypt", Decrypt: "decrypt", Store: "store", Load: "load",
	KMSEncrypt: "kms_encrypt", KMSDecrypt: "kms_decrypt",
	CacheHit: "cache_hit", CacheMiss: "cache_miss", CacheStale: "cache_stale", Rotation: "rotation"}

// Names of the two levels of keys that are counted.
const (
	SystemKeys       = "system"
	IntermediateKeys = "intermediate"
)

// Level is how grave a log line is. The numbers are those of asherah_watch.
type Level uint8

const (
	Trace Level = iota + 1
	Debug
	Info
	Warn
	Error
)

var levelNames = [...]string{Trace: "trace", Debug: "debug", Info: "info", Warn: "warn", Error: "error"}

// Targets of log lines: which part of the engine speaks.
const (
	OfCall      = "asherah.call"
	OfFactory   = "asherah.factory"
	OfKey       = "asherah.key"
	OfMetastore = "asherah.metastore"
	OfKMS       = "asherah.kms"
)

// Wants is a set of what to hear.
type Wants uint32

// Metrics wants every measurement.
const Metrics Wants = 1

// Logs wants the lines of a level and all above it. Level 0: none.
func Logs(lowest Level) Wants {
	var w Wants
	for level := lowest; lowest != 0 && level <= Error; level++ {
		w |= level.bit()
	}
	return w
}

// AllLogs wants every line.
var AllLogs = Logs(Trace)

func (l Level) bit() Wants { return 1 << l }

// Target is a listener, and what it hears of one factory.
type Target struct {
	Queue *Queue
	Wants Wants
}

// Sink is where one factory tells. A nil one has no listeners.
type Sink struct {
	wants   atomic.Uint32 // of all targets together
	targets atomic.Pointer[route]
}

type route struct {
	factory uint64
	targets []Target
}

// Route makes these the listeners. factory is the number that events name.
func (s *Sink) Route(factory uint64, targets []Target) {
	var all Wants
	for _, t := range targets {
		all |= t.Wants
	}
	s.targets.Store(&route{factory, targets})
	s.wants.Store(uint32(all))
}

// WantsMetrics says whether anybody hears measurements; one atomic load.
func (s *Sink) WantsMetrics() bool { return s.wanted(Metrics) }

// WantsLog says whether anybody hears lines of this level. Ask first where a line costs something to make.
func (s *Sink) WantsLog(level Level) bool { return s.wanted(level.bit()) }

func (s *Sink) wanted(w Wants) bool { return s != nil && Wants(s.wants.Load())&w != 0 }

// Took tells of something timed. code is "" where it succeeded. detail: the metastore's type, or the KMS's region, or "".
func (s *Sink) Took(kind Kind, time time.Duration, code fault.Code, detail string) {
	s.put(Metrics, event{kind: kind, time: time, code: code, detail: detail})
}

// Count tells of something counted, of one level of keys.
func (s *Sink) Count(kind Kind, level string) {
	s.put(Metrics, event{kind: kind, detail: level})
}

// Log tells a line; code is "" where the line has none.
func (s *Sink) Log(level Level, target string, code fault.Code, message string) {
	s.put(level.bit(), event{level: level, detail: target, code: code, message: message})
}

func (s *Sink) put(w Wants, e event) {
	if s == nil {
		return
	}
	r := s.targets.Load()
	if r == nil {
		return
	}
	e.factory = r.factory
	for _, t := range r.targets {
		if t.Wants&w != 0 {
			t.Queue.put(e)
		}
	}
}
