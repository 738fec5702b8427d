// SPDX-License-Identifier: Apache-2.0

// Package waiting knows what synchronous calls wait for, so that none waits in vain: for a function in JavaScript that can
// only go on when the call's own thread is free.
//
// A call waits for loads of keys, a load for other loads or for one request to JavaScript, and each for one thing at a time.
// So from every call a chain leads to at most one request. The call waits in vain for a request of its own thread that became
// a promise, or that was taken before the call began: the call is then inside of that function.
package waiting

import (
	"context"
	"sync"
)

var (
	mu   sync.Mutex // of all that is below: chains are short, and only keys that are not at hand make some
	last uint64     // calls and taken requests have one numbering, which says which was first
)

// Waiter is a load of a key, or a synchronous call. The zero value is a load.
type Waiter struct {
	env, began uint64 // of a call: the environment whose thread it holds up, and its number

	load    *Waiter  // what it waits for; at most one of the two
	request *Request //

	waiters map[*Waiter]struct{} // those that wait for this load
	vain    chan struct{}        // of a call that waits: closed when it does so in vain
	by      *Request             // why
}

// Request is one to a function in JavaScript.
type Request struct {
	Env  uint64 // whose thread it is for
	Name string // the function's: "kms.encryptKey"

	waiter   *Waiter
	taken    uint64
	promised bool
}

type contextKey struct{}

// Call returns the context of a synchronous call that holds up the thread of an environment.
func Call(env uint64) context.Context {
	mu.Lock()
	defer mu.Unlock()
	last++
	return With(context.Background(), &Waiter{env: env, began: last})
}

// With returns the context of a waiter's work.
func With(ctx context.Context, w *Waiter) context.Context {
	return context.WithValue(ctx, contextKey{}, w)
}

func of(ctx context.Context) *Waiter {
	w, _ := ctx.Value(contextKey{}).(*Waiter)
	return w
}

// InCall says whether ctx is that of a synchronous call.
func InCall(ctx context.Context) bool {
	w := of(ctx)
	return w != nil && w.began != 0
}

// ForLoad notes that whose context it is waits for a load, until done. vain is closed when that is in vain.
func ForLoad(ctx context.Context, load *Waiter) (vain <-chan struct{}, done func()) {
	w := of(ctx)
	if w == nil {
		return nil, func() {}
	}
	mu.Lock()
	defer mu.Unlock()
	w.load = load
	if load.waiters == nil {
		load.waiters = map[*Waiter]struct{}{}
	}
	load.waiters[w] = struct{}{}
	if w.began != 0 {
		w.vain = make(chan struct{})
		vain = w.vain
	}
	end := w
	for end.load != nil {
		end = end.load
	}
	if end.request != nil {
		w.tell(end.request)
	}
	return vain, func() {
		mu.Lock()
		defer mu.Unlock()
		w.load, w.vain = nil, nil
		delete(load.waiters, w)
	}
}

// ForRequest notes that whose context it is waits for r, until done. r is not taken yet.
func ForRequest(ctx context.Context, r *Request) (done func()) {
	w := of(ctx)
	if w == nil {
		return func() {}
	}
	mu.Lock()
	defer mu.Unlock()
	w.request, r.waiter = r, w
	return func() {
		mu.Lock()
		defer mu.Unlock()
		w.request, r.waiter = nil, nil
	}
}

// Taken notes that the thread has begun to serve r: calls that begin from now on do so inside of it, until it is answered.
func (r *Request) Taken() {
	mu.Lock()
	defer mu.Unlock()
	last++
	r.taken = last
}

// Promised notes that r will be answered when its thread is free.
func (r *Request) Promised() {
	mu.Lock()
	defer mu.Unlock()
	r.promised = true
	if r.waiter != nil {
		r.waiter.tell(r)
	}
}

// IsTaken says whether the thread has begun to serve it.
func (r *Request) IsTaken() bool {
	mu.Lock()
	defer mu.Unlock()
	return r.taken != 0
}

// tell ends the waits in vain for r, of w and of all that wait for w. Under mu.
func (w *Waiter) tell(r *Request) {
	if w.vain != nil && w.env == r.Env && r.taken != 0 && (r.promised || r.taken < w.began) {
		close(w.vain)
		w.vain, w.by = nil, r
	}
	for other := range w.waiters {
		other.tell(r)
	}
}

// Why says for which function a call waited in vain, and whether that is a promise; otherwise the call was made inside of it.
func Why(ctx context.Context) (function string, isPromise bool) {
	mu.Lock()
	defer mu.Unlock()
	by := of(ctx).by
	return by.Name, by.promised
}
