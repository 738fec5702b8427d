// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"fmt"
	"time"

	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/observe"
	"asherah-napi/record"
)

// What the engine tells of itself. Of a call that finds its keys at hand, session.go asks once whether anybody listens; the
// rest is beside work that takes many times as long.

// called tells of one call that ended.
func (f *Factory) called(kind observe.Kind, watched bool, began moment, err error) {
	if err == ErrCold || err == ErrCancelled {
		return
	}
	var code fault.Code
	if err != nil {
		code = fault.CodeOf(err)
	}
	if watched {
		f.Sink.Took(kind, time.Duration(f.now().mono-began.mono), code, "")
	}
	if isTrouble(code) {
		f.Sink.Log(observe.Error, observe.OfCall, code, err.Error())
	}
}

// isTrouble says whether an error is one of the surroundings. The others are the caller's own.
func isTrouble(code fault.Code) bool {
	switch code {
	case fault.Metastore, fault.MetastoreBusy, fault.MetastoreReadOnly, fault.MetastoreFull, fault.KMS, fault.KeyStale,
		fault.InvalidKeyRecord, fault.LockedMemory, fault.Internal:
		return true
	}
	return false
}

// backgroundFailed tells of a load that nobody waits for.
func (f *Factory) backgroundFailed(name string, err error) {
	if code := fault.CodeOf(err); isTrouble(code) && !f.closed.Load() {
		f.Sink.Log(observe.Error, observe.OfKey, code, "in the background ("+name+"): "+err.Error())
	}
}

// logKey tells what became of a key.
func (l *level) logKey(lo observe.Level, k *key, what string) {
	if l.f.Sink.WantsLog(lo) {
		l.f.Sink.Log(lo, observe.OfKey, "", fmt.Sprintf("%s %s created at %d: %s", l.name, k.id, k.created, what))
	}
}

// stored tells of a new key that the metastore took.
func (l *level) stored(k *key) {
	l.f.created.Add(1)
	l.f.Sink.Count(observe.Rotation, l.observed)
	l.logKey(observe.Info, k, "made and stored")
}

// looked tells how a look into the cache ended. fresh is asked only where a key was found.
func (l *level) looked(k *key, fresh bool) {
	if !l.f.Sink.WantsMetrics() {
		return
	}
	switch {
	case k == nil:
		l.f.Sink.Count(observe.CacheMiss, l.observed)
	case fresh:
		l.f.Sink.Count(observe.CacheHit, l.observed)
	default:
		l.f.Sink.Count(observe.CacheStale, l.observed)
	}
}

// observedStore is the metastore, with its calls told.
type observedStore struct {
	metastore.Metastore
	sink *observe.Sink
	name string
}

func (s *observedStore) Load(ctx context.Context, id string, created int64) (row *record.KeyRecord, err error) {
	err = s.took(observe.Load, func() error {
		row, err = s.Metastore.Load(ctx, id, created)
		return err
	})
	return row, err
}

func (s *observedStore) LoadLatest(ctx context.Context, id string) (row *record.KeyRecord, err error) {
	err = s.took(observe.Load, func() error {
		row, err = s.Metastore.LoadLatest(ctx, id)
		return err
	})
	return row, err
}

func (s *observedStore) Store(ctx context.Context, id string, created int64, key *record.KeyRecord) (stored bool, err error) {
	err = s.took(observe.Store, func() error {
		stored, err = s.Metastore.Store(ctx, id, created, key)
		return err
	})
	return stored, err
}

func (s *observedStore) took(kind observe.Kind, call func() error) error {
	if !s.sink.WantsMetrics() {
		return call()
	}
	began := time.Now()
	err := call()
	var code fault.Code
	if err != nil {
		code = codeOr(fault.Metastore, err)
	}
	s.sink.Took(kind, time.Since(began), code, s.name)
	return err
}
