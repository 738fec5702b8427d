// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"time"

	"asherah-napi/fault"
	"asherah-napi/record"
)

// A KMS of several regions may have left one out of a system key, which is then lost while the others are away. Such a key
// is replaced before its time, as soon as the missing region answers again: by a new one that all regions encrypted. The
// intermediate keys below it follow. (The Go library goes on with it until it expires.)

// incompletePeriod is the age from which a system key is replaced for this reason, and what the date of the new one is
// truncated to. So those of all processes that make one within the same hour have one date, and only one can be stored.
const incompletePeriod = 3600 // seconds

// complete sees to it that k is replaced, if it is an incomplete system key of the age for it, and not more often than
// once per check interval. It is called for keys that are to encrypt, and does not wait: the work goes on beside the call,
// and while it fails k stays in use.
func (f *Factory) complete(k *key) {
	if !k.incomplete || k.replaced.Load() || k.revoked.Load() || k.id != f.systemKeyID() {
		return
	}
	now := f.now()
	due := k.completeAt.Load()
	if now.unix < k.created+incompletePeriod || now.unix >= k.expires || now.mono < due || !k.completeAt.CompareAndSwap(due, now.mono+int64(f.CheckInterval)) {
		return
	}
	f.system.flights.start("complete "+k.id, func(ctx context.Context) (*key, error) {
		later, err := f.system.createComplete(ctx, k.meta())
		if later != nil {
			k.replaced.Store(true)
		}
		return later, err // the error is the KMS's, which has warned of the region already, or the metastore's
	})
}

// createComplete returns a valid system key that is later than old and that the metastore holds: another process's, or
// a new one, from all regions of the KMS. Nil: there is none.
func (l *level) createComplete(ctx context.Context, old record.KeyMeta) (*key, error) {
	if k, isLatest, err := l.later(ctx, old); k != nil || !isLatest || err != nil {
		return k, err
	}
	now := l.f.now()
	created := now.unix - now.unix%incompletePeriod // later than old, which is as old as the period at least
	if now.unix >= created+int64(l.f.ExpireAfter/time.Second) {
		return nil, nil
	}
	k, row, err := l.generate(ctx, old.ID, created, func(ctx context.Context, row *record.KeyRecord, raw []byte) (_ *key, err error) {
		if row.Key, err = l.f.completer.EncryptKeyComplete(ctx, raw); err != nil {
			return nil, fault.Wrap(fault.KMS, err, "the KMS can't encrypt a new system key %s in all regions", old.ID)
		}
		return nil, nil
	})
	if err != nil {
		return nil, err
	}
	stored, err := l.f.store.Store(ctx, old.ID, created, row)
	if err != nil || !stored {
		k.release()
		if err != nil {
			return nil, l.f.storeError(err, "a new "+l.name+" "+old.ID)
		}
		k, _, err = l.later(ctx, old)
		return k, err
	}
	l.stored(k)
	return l.add(k, true), nil
}

// later returns the latest key if it is later than old, and valid; and whether old is the latest itself.
func (l *level) later(ctx context.Context, old record.KeyMeta) (k *key, isLatest bool, err error) {
	row, err := l.f.store.LoadLatest(ctx, old.ID)
	if err != nil {
		return nil, false, l.f.storeError(err, "the latest "+l.name+" "+old.ID)
	}
	if row == nil || row.Created <= old.Created {
		return nil, row != nil && row.Created == old.Created, nil
	}
	if k, err = l.openValid(ctx, old.ID, row); k == nil || err != nil {
		return nil, false, err
	}
	return l.add(k, true), false, nil
}
