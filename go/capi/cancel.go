// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"context"
	"sync"
)

// calls are the asynchronous calls under way that may be cancelled.
var calls = cancellable{byName: map[callName]context.CancelFunc{}}

type cancellable struct {
	mu     sync.Mutex
	byName map[callName]context.CancelFunc
}

// callName is a call's number among those of its environment; 0 is the number of all that can't be cancelled.
type callName struct{ env, number uint64 }

// begin returns the context of a call, and what has to be called at its end.
func (c *cancellable) begin(env, number uint64) (context.Context, func()) {
	if number == 0 {
		return context.Background(), func() {}
	}
	name := callName{env, number}
	ctx, cancel := context.WithCancel(context.Background())
	c.mu.Lock()
	c.byName[name] = cancel
	c.mu.Unlock()
	return ctx, func() {
		c.mu.Lock()
		delete(c.byName, name)
		c.mu.Unlock()
		cancel()
	}
}

func (c *cancellable) cancel(env, number uint64) {
	c.mu.Lock()
	cancel := c.byName[callName{env, number}]
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
