// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"math"
	"strconv"
	"time"

	"asherah-napi/fault"
	"asherah-napi/waiting"
)

// The one rule of staleness. A key older than the check interval is refreshed in the background by whoever uses it first,
// while everybody goes on with it; after twice the interval a call waits for the refresh. So a revocation is seen within
// two intervals. Where the metastore can't be reached, keys go on being used until they expire, with a warning for each
// refresh that failed; MaxKeyStaleness makes that an error after a time.
// A synchronous call whose keys come from JavaScript waits after once the interval: nobody serves the background while its
// thread is held up. Where it would wait for a promise, it goes on as if the metastore could not be reached.
// (The Go library reloads inline, under the lock that every encryption takes.)

// valid says whether k may be used for encryption.
func (f *Factory) valid(k *key, now moment) bool {
	if !k.valid(now, f.maxSeals) {
		return false
	}
	return !f.tooStale(k, now) && (k.parent == nil || !f.tooStale(k.parent, now))
}

func (f *Factory) tooStale(k *key, now moment) bool {
	return f.MaxKeyStaleness != 0 && now.mono-k.loadedAt.Load() > int64(f.MaxKeyStaleness)
}

// tend starts the refreshes of k, a key of level l, and of its system key that are due. False: the caller must wait for one.
func (f *Factory) tend(ctx context.Context, l *level, k *key, now moment) bool {
	// Read before the refreshes begin: one that ends meanwhile would make k look fresh to a caller who checked it before.
	wait := k.waitFrom(ctx)
	if k.parent != nil {
		wait = min(wait, k.parent.waitFrom(ctx))
	}
	if now.mono >= k.staleAt.Load() {
		l.flights.start("latest "+k.id, func(ctx context.Context) (*key, error) { return l.loadLatest(ctx, k.id) })
	}
	if p := k.parent; p != nil {
		if now.mono >= p.staleAt.Load() {
			f.system.flights.start(refreshName(p), func(ctx context.Context) (*key, error) { return nil, f.system.refreshExact(ctx, p) })
		}
	}
	return now.mono < wait
}

// awaitRefresh waits for the refreshes that tend said must be waited for. Their outcome is in the keys.
func (f *Factory) awaitRefresh(ctx context.Context, l *level, k *key, now moment) {
	if now.mono >= k.waitFrom(ctx) {
		if fresh, err := l.flights.wait(ctx, "latest "+k.id, func(ctx context.Context) (*key, error) { return l.loadLatest(ctx, k.id) }); err == nil {
			fresh.release()
		}
	}
	if p := k.parent; p != nil && now.mono >= p.waitFrom(ctx) {
		_, _ = f.system.flights.wait(ctx, refreshName(p), func(ctx context.Context) (*key, error) { return nil, f.system.refreshExact(ctx, p) })
	}
}

// waitFrom is when a call must wait for a refresh.
func (k *key) waitFrom(ctx context.Context) int64 {
	if waiting.InCall(ctx) {
		return k.staleAt.Load()
	}
	return k.waitAt.Load()
}

func refreshName(k *key) string { return "refresh " + strconv.FormatInt(k.created, 10) + " " + k.id }

// refreshExact asks whether this very key was revoked.
func (l *level) refreshExact(ctx context.Context, k *key) error {
	row, err := l.load(ctx, k.meta())
	if err != nil {
		l.f.refreshFailed(k, err)
		return err
	}
	l.refreshed(k, l.f.now(), row.Revoked)
	l.f.complete(k)
	return nil
}

// refreshFailed notes it in the key, which is tried again after a tenth of the check interval (1 s to 1 min), and warns.
func (f *Factory) refreshFailed(k *key, err error) {
	if f.closed.Load() {
		return
	}
	f.failures.Add(1)
	k.refreshFailed(f.now(), min(max(f.CheckInterval/10, time.Second), time.Minute), f.RequestTimeout)
	f.Warn(fault.WarnRefreshFailed, "key "+k.id+" could not be refreshed and goes on being used: "+err.Error())
}

// staleError says so when it is for MaxKeyStaleness that the cached key was not good enough.
func (f *Factory) staleError(cached *key, err error) error {
	if !f.tooStale(cached, f.now()) {
		return err
	}
	return fault.Wrap(fault.KeyStale, err, "maxKeyStaleness: key %s was last checked %d s ago", cached.id,
		int64(math.Round(time.Duration(f.now().mono-cached.loadedAt.Load()).Seconds())))
}
