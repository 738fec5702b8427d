// SPDX-License-Identifier: Apache-2.0

package capi

/*
#include "asherah.h"

static inline void host_wake(asherah_host *h, uint64_t env, uint64_t listener) { h->wake(env, listener); }
*/
import "C"

import (
	"sync"

	"asherah-napi/fault"
	"asherah-napi/observe"
)

// listeners are those in JavaScript who hear of events: who hears what of which factory is decided here, whenever something
// of it changes, and written down in the factory's Sink (package observe).
var listeners listenerTable

type listenerTable struct {
	mu    sync.Mutex
	last  uint64
	table map[uint64]*listener
}

type listener struct {
	env   uint64
	wants observe.Wants // of the factories of its environment and of the static instance, but for own watches
	queue *observe.Queue
}

// watch is what lib asked to hear of one factory.
type watch struct {
	listener *listener
	wants    observe.Wants
	own      observe.Wants // of these nobody else hears
}

func (t *listenerTable) open(env uint64, wake func(env, number uint64)) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	number := t.last
	if t.table == nil {
		t.table = map[uint64]*listener{}
	}
	t.table[number] = &listener{env: env, queue: observe.NewQueue(func() { wake(env, number) })}
	return number
}

func (t *listenerTable) get(number uint64) *listener {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.table[number]
}

func (t *listenerTable) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.table)
}

// close ends the listeners that are meant, and the watches of theirs.
func (t *listenerTable) close(meant func(number uint64, l *listener) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.table)
	for number, l := range t.table {
		if meant(number, l) {
			delete(t.table, number)
			l.queue.Close()
			for _, f := range factories.all() {
				if f.watch != nil && f.watch.listener == l {
					f.watch = nil
				}
			}
		}
	}
	if len(t.table) != before {
		t.routeAll()
	}
}

// hear sets what a listener hears of all factories that concern it.
func (t *listenerTable) hear(number uint64, wants observe.Wants) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.table[number]; l != nil {
		l.wants = wants
		t.routeAll()
	}
}

// watch sets what a listener hears of one factory, which its own environment must have opened. Of the first watch the
// factory tells that it is open: its listeners are not known before.
func (t *listenerTable) watch(number uint64, f *factory, wants, own observe.Wants) {
	t.mu.Lock()
	l := t.table[number]
	if l == nil || l.env != f.env || f.isDetached {
		t.mu.Unlock()
		return
	}
	f.watch = &watch{l, wants, own}
	t.route(f)
	isFirst := !f.wasWatched
	f.wasWatched = true
	t.mu.Unlock()
	if isFirst {
		f.sink.Log(observe.Info, observe.OfFactory, "", "opened a factory: "+f.describe)
	}
}

// attach makes a new factory heard.
func (t *listenerTable) attach(f *factory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.route(f)
}

// unwatch ends a listener's watch of a factory.
func (t *listenerTable) unwatch(number uint64, f *factory) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.watch != nil && f.watch.listener == t.table[number] {
		t.endWatch(f)
		t.route(f)
	}
}

// endWatch tells the listener that it heard the last of a factory.
func (t *listenerTable) endWatch(f *factory) {
	if f.watch != nil {
		f.watch.listener.queue.End(f.number)
		f.watch = nil
	}
}

// detach ends what is told of a factory, after its last words.
func (t *listenerTable) detach(f *factory) {
	f.sink.Log(observe.Info, observe.OfFactory, "", "closed a factory: "+f.describe)
	t.mu.Lock()
	defer t.mu.Unlock()
	f.isDetached = true
	f.sink.Route(f.number, nil)
	t.endWatch(f)
}

func (t *listenerTable) routeAll() {
	for _, f := range factories.all() {
		t.route(f)
	}
}

// route is the rule of who hears a factory.
func (t *listenerTable) route(f *factory) {
	if f.isDetached {
		return
	}
	var targets []observe.Target
	isStatic := static.number.Load() == f.number
	for _, l := range t.table {
		var wants observe.Wants
		if l.env == f.env || isStatic {
			wants = l.wants
		}
		if f.watch != nil {
			wants &^= f.watch.own
			if f.watch.listener == l {
				wants |= f.watch.wants
			}
		}
		if wants != 0 {
			targets = append(targets, observe.Target{Queue: l.queue, Wants: wants})
		}
	}
	f.sink.Route(f.number, targets)
}

//export asherah_listener_open
func asherah_listener_open(env C.uint64_t) (number C.uint64_t) {
	defer recoverTo(nil, func() { number = 0 })
	return C.uint64_t(listeners.open(uint64(env), func(env, number uint64) {
		C.host_wake(&host, C.uint64_t(env), C.uint64_t(number))
	}))
}

//export asherah_listener_close
func asherah_listener_close(number C.uint64_t) {
	defer recoverTo(nil, func() {})
	listeners.close(func(n uint64, _ *listener) bool { return n == uint64(number) })
}

//export asherah_listener_watch
func asherah_listener_watch(number, factory C.uint64_t, level, flags C.int32_t, e *C.asherah_error) (status C.int32_t) {
	defer recoverTo(e, func() { status = -1 })
	if level < 0 || level > C.int32_t(observe.Error) {
		setError(e, fault.New(fault.InvalidArgument, "level: expected 0 to %d, got %d", observe.Error, int(level)))
		return -1
	}
	wants := observe.Logs(observe.Level(level))
	var own observe.Wants
	if flags&C.ASHERAH_WATCH_METRICS != 0 {
		wants |= observe.Metrics
		own |= observe.Metrics
	}
	if flags&C.ASHERAH_WATCH_OWN_LOG != 0 {
		own |= observe.AllLogs
	}
	if factory == 0 {
		listeners.hear(uint64(number), wants)
	} else if f, ok := factories.get(uint64(factory)); ok {
		listeners.watch(uint64(number), f, wants, own)
	}
	return 0
}

//export asherah_listener_unwatch
func asherah_listener_unwatch(number, factory C.uint64_t) {
	defer recoverTo(nil, func() {})
	if f, ok := factories.get(uint64(factory)); ok {
		listeners.unwatch(uint64(number), f)
	}
}

//export asherah_listener_take
func asherah_listener_take(number C.uint64_t, out *C.uint8_t, outCap C.size_t) (n C.int64_t) {
	defer recoverTo(nil, func() { n = 0 })
	if l := listeners.get(uint64(number)); l != nil {
		return C.int64_t(l.queue.Take(bytesOf(out, outCap)))
	}
	return 0
}
