// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"sync/atomic"
	"time"

	"asherah-napi/aesgcm"
	"asherah-napi/lockedmem"
	"asherah-napi/record"
)

// key is a system or intermediate key that is at hand: expanded, in locked memory.
//
// It is counted: the cache, every session that keeps it and every operation that uses it hold one reference each, and
// the last one to let go wipes it. So no key is wiped under work in flight.
type key struct {
	id      string
	created int64 // Unix seconds
	parent  *key  // the system key of an intermediate key, for its validity only: its memory may be gone
	expires int64 // Unix seconds

	incomplete bool         // a system key that not every region of the KMS can decrypt
	completeAt atomic.Int64 // when its replacement may be tried again, in nanoseconds of the monotonic clock

	slot   *lockedmem.Slot
	cipher aesgcm.Key
	refs   atomic.Int64

	revoked    atomic.Bool
	superseded atomic.Bool  // the metastore has a later one to encrypt with
	replaced   atomic.Bool  // a system key that is incomplete, and there is a later one (complete.go)
	seals      atomic.Int64 // data row keys sealed by this process

	// When the metastore was last asked, and from when on it is to be asked again, and waited for. In nanoseconds of the
	// factory's monotonic clock.
	loadedAt, staleAt, waitAt atomic.Int64
}

// moment is one reading of both clocks: Unix seconds, which key dates are in, and nanoseconds that never go back.
type moment struct {
	unix int64
	mono int64
}

func (k *key) acquire() bool {
	for {
		n := k.refs.Load()
		if n == 0 {
			return false
		}
		if k.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (k *key) release() {
	if k.refs.Add(-1) == 0 {
		k.slot.Free()
	}
}

// valid is the Go library's rule for encryption (envelope.go, isKeyInvalid): neither revoked nor expired, the system key
// included. Ours adds that a key retires after maxSeals, and one whose system key was incomplete once that is replaced.
func (k *key) valid(now moment, maxSeals int64) bool {
	if k.revoked.Load() || k.superseded.Load() || now.unix >= k.expires || k.seals.Load() >= maxSeals {
		return false
	}
	return k.parent == nil || (!k.parent.revoked.Load() && !k.parent.replaced.Load() && now.unix < k.parent.expires)
}

// fresh says that the metastore need not be asked about k or its system key yet.
func (k *key) fresh(now moment) bool {
	return now.mono < k.staleAt.Load() && (k.parent == nil || now.mono < k.parent.staleAt.Load())
}

// refreshed notes an answer of the metastore.
func (k *key) refreshed(now moment, interval time.Duration, revoked bool) {
	if revoked { // never taken back: a row restored from a backup must not revive a key
		k.revoked.Store(true)
	}
	k.loadedAt.Store(now.mono)
	k.staleAt.Store(now.mono + int64(interval))
	k.waitAt.Store(now.mono + 2*int64(interval))
}

// refreshFailed puts the next attempt off, so that calls go on with the key at hand meanwhile. They do not wait for that
// attempt either, but for one that was not over by then: an outage must not hold up a call per attempt.
func (k *key) refreshFailed(now moment, retry, timeout time.Duration) {
	next := now.mono + int64(retry)
	k.staleAt.Store(next)
	if wait := next + int64(retry+timeout); k.waitAt.Load() < wait {
		k.waitAt.Store(wait)
	}
}

func (k *key) meta() record.KeyMeta { return record.KeyMeta{ID: k.id, Created: k.created} }
