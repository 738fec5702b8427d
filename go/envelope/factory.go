// SPDX-License-Identifier: Apache-2.0

// Package envelope is the engine: the key hierarchy, its caches, its rotation, and the two operations on data.
//
// A record's data is sealed under a data row key of its own; that key under the intermediate key of its partition; that
// one under the service's system key; and that one by the KMS. The read path is Session (session.go) -> level
// (level.go: finding, refreshing and making keys) -> Metastore and KMS. Rules are those of the Go library
// (github.com/godaddy/asherah/go/appencryption v0.9.0), and where ours differ, the comment says so.
package envelope

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"asherah-napi/fault"
	"asherah-napi/kms"
	"asherah-napi/lockedmem"
	"asherah-napi/metastore"
	"asherah-napi/observe"
)

// Config is what a factory needs to know. lib/config.ts has checked it; the fields are named as its options are.
type Config struct {
	Service, Product            string
	RegionSuffix                string
	RecoveryRegionSuffixes      []string
	ExpireAfter                 time.Duration
	CheckInterval               time.Duration
	MaxKeyStaleness             time.Duration // 0: no limit
	RequestTimeout              time.Duration // of a call, for all that it waits for; 0: no limit
	IntermediateKeyCacheMaxSize int
	SystemKeyCacheMaxSize       int
	RequireLockedMemory         bool
	Warn                        func(code fault.Code, message string) // any thread
	Sink                        *observe.Sink                         // nil: nobody listens
	MetastoreName               string                                // for measurements

	// Tests set these two.
	now      func() moment
	maxSeals int64
}

// defaultMaxSeals is after how many data row keys one process stops using an intermediate key: with random 96-bit nonces
// the chance that two of 2^32 are equal is 2^-33 (NIST SP 800-38D, 8.3, allows 2^32), and several processes share a key.
const defaultMaxSeals = 1 << 31

// Factory makes the sessions of one service and product.
type Factory struct {
	Config
	store        observedStore
	kms          kms.KMS
	completer    kms.Completer // kms, if it is one
	system       level
	intermediate level

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	closed atomic.Bool

	mu       sync.Mutex
	sessions map[*Session]struct{}

	warnedLock sync.Once
	created    atomic.Int64 // key rows stored
	failures   atomic.Int64 // refreshes that failed
}

// NewFactory takes ownership of the metastore and the KMS and does no I/O.
func NewFactory(config Config, store metastore.Metastore, master kms.KMS) *Factory {
	if config.now == nil {
		start := time.Now()
		config.now = func() moment {
			now := time.Now()
			return moment{now.Unix(), int64(now.Sub(start))}
		}
	}
	if config.maxSeals == 0 {
		config.maxSeals = defaultMaxSeals
	}
	f := &Factory{Config: config, store: observedStore{store, config.Sink, config.MetastoreName}, kms: master, sessions: map[*Session]struct{}{}}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.completer, _ = master.(kms.Completer)
	f.system = newSystemLevel(f)
	f.intermediate = newIntermediateLevel(f)
	return f
}

var errClosed = fault.New(fault.Closed, "the session or its factory is closed; open a new one")

// Close wipes all keys, closes all sessions, the KMS and the metastore. Calls in flight end with a result or
// fault.Closed; the keys they use are wiped when they end. It may be called twice.
func (f *Factory) Close() {
	if f.closed.Swap(true) {
		return
	}
	f.cancel()
	f.mu.Lock()
	sessions := f.sessions
	f.sessions = nil
	f.mu.Unlock()
	for s := range sessions {
		s.letGo()
	}
	f.intermediate.cache.close()
	f.system.cache.close()
	f.kms.Close()
	_ = f.store.Close() // nothing of ours is left unwritten: every Store that returned is durable
}

// slot is the memory for one key.
func (f *Factory) slot() (*lockedmem.Slot, error) {
	s, err := lockedmem.Get(f.RequireLockedMemory)
	if err != nil {
		return nil, fault.Wrap(fault.LockedMemory, err, "lockedMemory")
	}
	if failure := lockedmem.LockFailure(); failure != nil {
		f.warnedLock.Do(func() {
			f.Warn(fault.WarnMemoryNotLocked, "key memory can't be locked and may be swapped to disk: "+failure.Error())
		})
	}
	return s, nil
}

// Stats are counts for tests and diagnostics.
type Stats struct {
	IntermediateKeys int   `json:"intermediateKeys"` // cached
	SystemKeys       int   `json:"systemKeys"`       // cached
	Sessions         int   `json:"sessions"`
	Evicted          int64 `json:"evicted"`    // keys that left a full cache
	KeysStored       int64 `json:"keysStored"` // rows written to the metastore
	RefreshFailures  int64 `json:"refreshFailures"`
}

func (f *Factory) Stats() Stats {
	f.mu.Lock()
	sessions := len(f.sessions)
	f.mu.Unlock()
	return Stats{
		IntermediateKeys: f.intermediate.cache.len(),
		SystemKeys:       f.system.cache.len(),
		Sessions:         sessions,
		Evicted:          f.intermediate.cache.evictions() + f.system.cache.evictions(),
		KeysStored:       f.created.Load(),
		RefreshFailures:  f.failures.Load(),
	}
}
