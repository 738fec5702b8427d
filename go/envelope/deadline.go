// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"errors"
	"time"

	"asherah-napi/fault"
)

// RequestTimeout is how long a call may wait for servers. One load of a key asks several in turn, and several callers may
// wait for it, so there are two deadlines: the load's own, shared by all requests it makes, and the caller's. The load's is
// a little earlier, so that who started it is told what did not answer, and not only that time is up.

// loadTimeout ends a load a twentieth earlier, and short ones, where that would be lost in the time that a driver needs to
// give up and a loaded machine to wake a thread, up to 200 ms.
func loadTimeout(call time.Duration) time.Duration {
	return call - max(call/20, min(call/5, 200*time.Millisecond))
}

func (f *Factory) loadContext(first context.Context) (context.Context, context.CancelFunc) {
	if f.RequestTimeout == 0 {
		return f.ctx, func() {}
	}
	call := f.RequestTimeout
	// Who has used up half of his time was slowed down by other things than this load, which then goes on for the next call.
	if deadline, ok := first.Deadline(); ok && time.Until(deadline) > call/2 {
		call = min(call, time.Until(deadline))
	}
	return context.WithTimeout(f.ctx, loadTimeout(call))
}

func (f *Factory) callContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.RequestTimeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, f.RequestTimeout)
}

// ErrCancelled says that the caller's context was cancelled while the call waited. Of such a call nobody is told.
var ErrCancelled = errors.New("the call was cancelled")

// tooLate is the error of a caller who can't wait for a load any longer.
func (f *Factory) tooLate(err error) error {
	if err == context.Canceled {
		return ErrCancelled
	}
	return fault.Wrap(fault.Metastore, err, "requestTimeout: neither metastore nor KMS gave a key within %s", f.RequestTimeout.Round(time.Millisecond))
}
