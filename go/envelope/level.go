// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"asherah-napi/aesgcm"
	"asherah-napi/fault"
	"asherah-napi/observe"
	"asherah-napi/record"
)

// level is one of the two floors of the hierarchy that live in the metastore: system keys or intermediate keys. Finding,
// refreshing and making keys goes alike on both; unwrap and wrap are what differs, the parent: the KMS, or a system key.
type level struct {
	f        *Factory
	name     string // for messages
	observed string // for measurements
	cache    *cache
	flights  flights

	// unwrap decrypts row's key into raw, which is locked memory, and returns the parent (nil: the KMS).
	unwrap func(ctx context.Context, row *record.KeyRecord, raw []byte) (parent *key, err error)
	// wrap encrypts raw and puts the ciphertext and the parent's name in row.
	wrap wrapper
}

type wrapper func(ctx context.Context, row *record.KeyRecord, raw []byte) (parent *key, err error)

// maxCreateAttempts bounds how often a new key that lost to another process's, itself unusable, is followed by another.
const maxCreateAttempts = 8

// exact returns the key with this id and created date, for decryption: its age and revocation do not matter.
func (l *level) exact(ctx context.Context, meta record.KeyMeta) (*key, error) {
	k := l.cache.get(meta)
	l.looked(k, true) // age does not matter here
	if k != nil {
		return k, nil
	}
	return l.flights.wait(ctx, "exact "+strconv.FormatInt(meta.Created, 10)+" "+meta.ID, func(ctx context.Context) (*key, error) {
		row, err := l.load(ctx, meta)
		if err != nil {
			return nil, err
		}
		k, err := l.open(ctx, meta.ID, row)
		if err != nil {
			return nil, err
		}
		return l.add(k, false), nil
	})
}

// latest returns a key to encrypt with: valid, and known to be so within twice the check interval wherever the metastore
// answers.
func (l *level) latest(ctx context.Context, id string) (*key, error) {
	for waited := false; ; waited = true {
		now := l.f.now()
		k := l.cache.getLatest(id)
		if k != nil && !l.f.valid(k, now) {
			k.release()
			k = nil
		}
		if !waited {
			l.looked(k, k != nil && k.fresh(now))
		}
		if k == nil {
			return l.flights.wait(ctx, "latest "+id, func(ctx context.Context) (*key, error) { return l.loadLatest(ctx, id) })
		}
		if l.f.tend(ctx, l, k, now) || waited { // one wait is all that anybody owes to a metastore
			if l.f.valid(k, now) { // still, see keyForEncrypt
				return k, nil
			}
		} else {
			l.f.awaitRefresh(ctx, l, k, now)
		}
		k.release()
	}
}

// loadLatest asks the metastore for the latest key and makes a new one if there is none that is valid.
func (l *level) loadLatest(ctx context.Context, id string) (k *key, err error) {
	if cached := l.cache.getLatest(id); cached != nil {
		defer func() {
			if err != nil {
				l.f.refreshFailed(cached, err)
				err = l.f.staleError(cached, err)
			}
			cached.release()
		}()
	}
	row, err := l.f.store.LoadLatest(ctx, id)
	if err != nil {
		return nil, l.f.storeError(err, "the latest "+l.name+" "+id)
	}
	if row != nil {
		k, err := l.openValid(ctx, id, row)
		if err != nil {
			return nil, err
		}
		if k != nil {
			k = l.add(k, true)
			l.f.complete(k)
			return k, nil
		}
	}
	return l.create(ctx, id, row)
}

// openValid returns row's key if it may be used for encryption, nil if it may not.
func (l *level) openValid(ctx context.Context, id string, row *record.KeyRecord) (*key, error) {
	now := l.f.now()
	if row.Revoked || now.unix >= row.Created+int64(l.f.ExpireAfter/time.Second) {
		if cached := l.cache.get(record.KeyMeta{ID: id, Created: row.Created}); cached != nil {
			l.refreshed(cached, now, row.Revoked)
			cached.release()
		}
		return nil, nil
	}
	k, err := l.open(ctx, id, row)
	if err != nil {
		return nil, err
	}
	if p := k.parent; p != nil && (now.mono >= p.staleAt.Load() || l.f.tooStale(p, now)) {
		_ = l.f.system.refreshExact(ctx, p) // its failure leaves the parent as valid as it was
	}
	if k.parent != nil {
		l.f.complete(k.parent)
	}
	if !l.f.valid(k, now) {
		k.release()
		return nil, nil
	}
	return k, nil
}

// create makes a key and stores it. When another process stores one of the same date first, the Go library uses that one
// whatever it is; we use it only if it is valid and not from a clock that is fast, and make another otherwise.
// A new key's date is later than that of the latest row, or nobody would find it: the latest may be from a fast clock, or
// from this minute and revoked already.
func (l *level) create(ctx context.Context, id string, latest *record.KeyRecord) (*key, error) {
	precision := min(int64(time.Minute), int64(l.f.ExpireAfter)) / int64(time.Second)
	for range maxCreateAttempts {
		now := l.f.now()
		created := now.unix - now.unix%precision
		if latest != nil {
			created = max(created, latest.Created+1)
		}
		k, row, err := l.generate(ctx, id, created, l.wrap)
		if err != nil {
			return nil, err
		}
		stored, err := l.f.store.Store(ctx, id, created, row)
		if err != nil {
			k.release()
			return nil, l.f.storeError(err, "a new "+l.name+" "+id)
		}
		if stored {
			l.stored(k)
			return l.add(k, true), nil
		}
		k.release()
		if latest, err = l.f.store.LoadLatest(ctx, id); err != nil {
			return nil, l.f.storeError(err, "the latest "+l.name+" "+id)
		}
		if latest == nil {
			return nil, fault.New(fault.Metastore, "the metastore refuses %s %s as a duplicate but holds none", l.name, id)
		}
		if latest.Created > max(now.unix+precision, created) { // one of the date we wanted ourselves is as good as ours
			continue
		}
		winner, err := l.openValid(ctx, id, latest)
		if err != nil {
			return nil, err
		}
		if winner != nil {
			return l.add(winner, true), nil
		}
	}
	return nil, fault.New(fault.Metastore, "no valid %s %s could be stored in %d attempts", l.name, id, maxCreateAttempts)
}

// load reads one row; its absence is an error.
func (l *level) load(ctx context.Context, meta record.KeyMeta) (*record.KeyRecord, error) {
	row, err := l.f.store.Load(ctx, meta.ID, meta.Created)
	if err != nil {
		return nil, l.f.storeError(err, l.name+" "+meta.ID)
	}
	if row == nil {
		return nil, fault.New(fault.KeyNotFound, "the metastore has no %s %s created at %d; was the record made with another metastore, or the row deleted?", l.name, meta.ID, meta.Created)
	}
	row.Created = meta.Created // what the store was asked for; a row that says otherwise was edited
	return row, nil
}

// open returns row's key with a reference for the caller: the cached one, brought up to date, or a new one that is not
// in the cache yet.
func (l *level) open(ctx context.Context, id string, row *record.KeyRecord) (*key, error) {
	now := l.f.now()
	if k := l.cache.get(record.KeyMeta{ID: id, Created: row.Created}); k != nil {
		l.refreshed(k, now, row.Revoked)
		return k, nil
	}
	k, err := l.newKey(id, row, func(raw []byte) (*key, error) {
		parent, err := l.unwrap(ctx, row, raw)
		if err != nil {
			return nil, l.f.closedOr(err)
		}
		return parent, nil
	})
	if err == nil {
		l.logKey(observe.Debug, k, loadedAs(row.Revoked))
	}
	return k, err
}

func loadedAs(revoked bool) string {
	if revoked {
		return "loaded; it is revoked"
	}
	return "loaded"
}

// refreshed notes in a key, and tells, what the metastore says of it now.
func (l *level) refreshed(k *key, now moment, revoked bool) {
	found := revoked && !k.revoked.Load()
	k.refreshed(now, l.f.CheckInterval, revoked)
	if found {
		l.logKey(observe.Debug, k, "found revoked")
	} else {
		l.logKey(observe.Debug, k, "refreshed")
	}
}

// add puts a key in the cache, see there, and tells of the one that had to leave.
func (l *level) add(k *key, latest bool) *key {
	k, evicted := l.cache.add(k, latest)
	if evicted != (record.KeyMeta{}) && l.f.Sink.WantsLog(observe.Debug) {
		l.f.Sink.Log(observe.Debug, observe.OfKey, "", fmt.Sprintf("%s %s created at %d: left the full cache", l.name, evicted.ID, evicted.Created))
	}
	return k
}

func (l *level) generate(ctx context.Context, id string, created int64, wrap wrapper) (*key, *record.KeyRecord, error) {
	row := &record.KeyRecord{Created: created}
	k, err := l.newKey(id, row, func(raw []byte) (*key, error) {
		aesgcm.Random(raw)
		parent, err := wrap(ctx, row, raw)
		if err != nil {
			return nil, l.f.closedOr(err)
		}
		return parent, nil
	})
	return k, row, err
}

// newKey expands the key that fill writes to raw. The raw key exists only during this call, in locked memory.
func (l *level) newKey(id string, row *record.KeyRecord, fill func(raw []byte) (parent *key, err error)) (*key, error) {
	slot, err := l.f.slot()
	if err != nil {
		return nil, err
	}
	defer aesgcm.ClearRegisters()
	raw := (*[aesgcm.KeySize]byte)(slot.Scratch())
	parent, err := fill(raw[:])
	if err != nil {
		slot.Free()
		return nil, err
	}
	k := &key{id: id, created: row.Created, parent: parent, slot: slot, expires: row.Created + int64(l.f.ExpireAfter/time.Second)}
	k.refs.Store(1)
	k.cipher.Attach(slot.Key())
	k.cipher.Expand(raw)
	clear(slot.Scratch())
	k.incomplete = parent == nil && l.f.completer != nil && !l.f.completer.Complete(row.Key)
	k.refreshed(l.f.now(), l.f.CheckInterval, row.Revoked)
	return k, nil
}

// storeError gives an error of the metastore its code, if it has none, and says what was being done.
func (f *Factory) storeError(err error, what string) error {
	if !strings.HasPrefix(err.Error(), "metastore ") { // one of several kinds, which has said so
		what = "metastore: " + what
	}
	return f.closedOr(fault.Wrap(codeOr(fault.Metastore, err), err, "%s", what))
}

// codeOr is the code of err, if it has one, or else the given one.
func codeOr(code fault.Code, err error) fault.Code {
	if e := (*fault.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return code
}

// closedOr is err, unless the factory was closed meanwhile: then that is the reason.
func (f *Factory) closedOr(err error) error {
	if f.closed.Load() {
		return errClosed
	}
	return err
}
