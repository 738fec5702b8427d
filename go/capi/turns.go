// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"container/list"
	"context"
	"runtime"
	"sync"

	"asherah-napi/envelope"
)

// Calls with large inputs take turns: a few of each environment are worked at, in the order of arrival, and the next begins
// when the environment has taken a result. So results do not pile up while it has no time for them, and neither another
// environment's calls nor its own small ones, done on its thread, wait behind thousands.

// largeFrom is the size of an input (bytes) above which a call takes turns. Up to it lib/operations.ts does the call at once
// if it can; what comes here then waits for keys and is little work.
const largeFrom = 64 << 10

// turnsAtOnce is one for each processor, and one for a result on its way. docs/async.md has the measurements.
var turnsAtOnce = runtime.GOMAXPROCS(0) + 1

var turns = turnTable{byEnv: map[uint64]*line{}}

type turnTable struct {
	mu    sync.Mutex
	byEnv map[uint64]*line // none of an environment that has ended: there nobody waits any more
}

type line struct {
	taken   int
	waiting list.List // of *turn
}

// turn is a large call's context and place in the line; an envelope.Waiter.
type turn struct {
	context.Context
	env   uint64
	has   bool          // of the call's own thread
	place *list.Element // nil: not waiting
	come  chan struct{} // closed when it is this call's turn
}

// join lines a call up. Called on the environment's own thread, so that the order is that of the calls.
func (t *turnTable) join(ctx context.Context, env uint64) *turn {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byEnv[env] == nil {
		t.byEnv[env] = &line{}
	}
	own := &turn{Context: ctx, env: env}
	t.lineUp(own)
	return own
}

func (t *turnTable) lineUp(own *turn) {
	own.come = make(chan struct{})
	l := t.byEnv[own.env]
	if l == nil {
		close(own.come)
		return
	}
	own.place = l.waiting.PushBack(own)
	l.callNext()
}

func (l *line) callNext() {
	for l.taken < turnsAtOnce && l.waiting.Len() > 0 {
		l.taken++
		l.call(l.waiting.Front())
	}
}

func (l *line) call(place *list.Element) {
	next := l.waiting.Remove(place).(*turn)
	next.place = nil
	close(next.come)
}

// await waits for the turn. With an error the call has none.
func (own *turn) await() error {
	select {
	case <-own.come:
		own.has = true
		return nil
	case <-own.Done():
	}
	turns.mu.Lock()
	isWaiting := own.place != nil
	if isWaiting {
		turns.byEnv[own.env].waiting.Remove(own.place)
	}
	turns.mu.Unlock()
	if !isWaiting { // it came at the same moment
		turns.end(own.env)
	}
	return envelope.ErrCancelled
}

// Leave gives the turn to the next call, while this one waits for keys.
func (own *turn) Leave() {
	own.has = false
	turns.end(own.env)
}

// Return waits for another turn.
func (own *turn) Return() error {
	turns.mu.Lock()
	turns.lineUp(own)
	turns.mu.Unlock()
	return own.await()
}

// end ends a turn of an environment, of whichever call.
func (t *turnTable) end(env uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if l := t.byEnv[env]; l != nil {
		l.taken--
		l.callNext()
	}
}

// closeEnv lets all go on that wait in an environment that ended: it takes no results any more.
func (t *turnTable) closeEnv(env uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l := t.byEnv[env]
	delete(t.byEnv, env)
	for l != nil && l.waiting.Len() > 0 {
		l.call(l.waiting.Front())
	}
}
