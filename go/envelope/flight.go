// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"sync"

	"asherah-napi/fault"
	"asherah-napi/waiting"
)

// flights let any number of callers wait for one load of a key. Not x/sync/singleflight: the key is handed over with a
// reference for each waiter, and a panic becomes their error instead of the end of the process.
type flights struct {
	f       *Factory
	mu      sync.Mutex
	current map[string]*flight
}

type flight struct {
	done    chan struct{}
	waiter  waiting.Waiter
	waiters int  // who will get a reference
	landed  bool // key and err are set, the references handed over
	key     *key
	err     error
}

// start runs load on a goroutine unless it is under way under this name. load returns a key with one reference, or nil.
func (f *flights) start(name string, load func(context.Context) (*key, error)) {
	if fl, first := f.join(name, 0); first {
		go func() {
			defer func() { _ = recover() }()
			f.run(context.Background(), name, fl, load)
			if fl.err != nil {
				f.f.backgroundFailed(name, fl.err)
			}
		}()
	}
}

// wait does the same and waits for the outcome: the key with a reference for the caller. A first caller that can't be
// cancelled runs load itself: to wake another thread and be woken by it takes many times as long as to load a key from memory.
func (f *flights) wait(ctx context.Context, name string, load func(context.Context) (*key, error)) (*key, error) {
	fl, first := f.join(name, 1)
	switch {
	case first && ctx.Done() == nil:
		f.run(ctx, name, fl, load)
	case first:
		go f.run(ctx, name, fl, load)
	}
	vain, arrived := waiting.ForLoad(ctx, &fl.waiter)
	defer arrived()
	select {
	case <-fl.done:
		return fl.key, fl.err
	case <-vain:
		f.leave(fl)
		return nil, wouldBlock(ctx)
	case <-ctx.Done():
		f.leave(fl)
		return nil, f.f.tooLate(ctx.Err())
	}
}

// join returns the flight of this name, and whether it is a new one, which the caller has to run.
func (f *flights) join(name string, waiters int) (fl *flight, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fl = f.current[name]
	if fl == nil {
		first = true
		fl = &flight{done: make(chan struct{})}
		if f.current == nil {
			f.current = map[string]*flight{}
		}
		f.current[name] = fl
	}
	fl.waiters += waiters
	return fl, first
}

// run loads for all who wait. Of the first of them it has the deadline alone: others may wait on when he is cancelled.
func (f *flights) run(first context.Context, name string, fl *flight, load func(context.Context) (*key, error)) {
	ctx, done := f.f.loadContext(first)
	key, err := recovered(waiting.With(ctx, &fl.waiter), load)
	done()
	f.mu.Lock()
	delete(f.current, name)
	fl.key, fl.err, fl.landed = key, err, true
	if key != nil {
		for range fl.waiters {
			key.acquire()
		}
	}
	f.mu.Unlock()
	close(fl.done)
	if key != nil {
		key.release()
	}
}

// wouldBlock is the error of a synchronous call that waited in vain.
func wouldBlock(ctx context.Context) error {
	function, isPromise := waiting.Why(ctx)
	got := "a synchronous call from inside of it"
	if isPromise {
		got = "a promise"
	}
	return fault.New(fault.WouldBlock, "%s: expected a result at once, for a synchronous call, got %s. "+
		"Use the asynchronous method, or await one of this partition first, which brings its keys into memory.", function, got)
}

// leave gives up the caller's reference, handed over or still to be.
func (f *flights) leave(fl *flight) {
	f.mu.Lock()
	landed := fl.landed
	if !landed {
		fl.waiters--
	}
	f.mu.Unlock()
	if landed && fl.key != nil {
		fl.key.release()
	}
}

func recovered(ctx context.Context, load func(context.Context) (*key, error)) (k *key, err error) {
	defer func() {
		if r := recover(); r != nil {
			k, err = nil, fault.New(fault.Internal, "a panic while loading a key: %v", r)
		}
	}()
	return load(ctx)
}
