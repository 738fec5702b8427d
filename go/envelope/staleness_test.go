// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"errors"
	"testing"
	"time"

	"asherah-napi/fault"
	"asherah-napi/record"
)

func TestRevokedKeysAreSeenWithinTwoIntervals(t *testing.T) {
	for _, id := range []string{ik, sk} {
		t.Run(id, func(t *testing.T) {
			b := newHarness(t, newStore(), nil)
			s := testSession(t, b.Factory, "p")
			first := b.encrypt(s)
			b.store.edit(id, func(r *record.KeyRecord) { r.Revoked = true })
			b.clock.Store(3599)
			b.encrypt(s)
			b.wantDates(ik, 0)
			b.clock.Store(7200) // nobody used it in between, so this call has to wait for the answer
			second := b.encrypt(s)
			b.wantDates(ik, 0, 7200)
			if id == sk {
				b.wantDates(sk, 0, 7200)
			} else {
				b.wantDates(sk, 0)
			}
			b.mustDecrypt(s, first, second)
		})
	}
}

func TestStaleKeysAreRefreshedInTheBackground(t *testing.T) {
	b := newHarness(t, newStore(), nil)
	s := testSession(t, b.Factory, "p")
	b.encrypt(s)
	b.store.edit(ik, func(r *record.KeyRecord) { r.Revoked = true })
	b.clock.Store(3600)
	b.encrypt(s) // goes on with the old key
	b.settle()
	b.wantDates(ik, 0, 3600) // while the refresh found it revoked
	loads := b.store.loads.Load()
	b.encrypt(s)
	if b.store.loads.Load() != loads {
		t.Fatal("the refreshed key was loaded again")
	}
	if k := s.encryptKey.Load(); k.created != start+3600 {
		t.Fatalf("the session encrypts with the key of %d", k.created-start)
	}
}

func TestAKeyOfAnotherProcessIsTakenOver(t *testing.T) {
	b := newHarness(t, newStore(), nil)
	s := testSession(t, b.Factory, "p")
	b.encrypt(s)
	other := newHarness(t, b.store, nil)
	b.store.edit(ik, func(r *record.KeyRecord) { r.Revoked = true })
	other.clock.Store(600)
	other.encrypt(testSession(t, other.Factory, "p"))
	b.clock.Store(3600)
	b.encrypt(s)
	b.settle()
	b.encrypt(s)
	b.wantDates(ik, 0, 600)
	if k := s.encryptKey.Load(); k.created != start+600 {
		t.Fatalf("the session encrypts with the key of %d", k.created-start)
	}
}

func TestKeysAreUsedUntilTheyExpireWhileTheStoreIsDown(t *testing.T) {
	b := newHarness(t, newStore(), nil)
	s := testSession(t, b.Factory, "p")
	first := b.encrypt(s)
	down := errors.New("connection refused")
	b.store.broken.Store(&down)
	for hour := int64(1); hour < 90*24; hour += 13 {
		b.clock.Store(hour * 3600)
		b.encrypt(s)
		b.settle()
	}
	if b.warn.Load() < 100 {
		t.Fatalf("%d warnings", b.warn.Load())
	}
	b.clock.Store(90 * 24 * 3600)
	if _, err := encrypt(s, "data"); fault.CodeOf(err) != fault.Metastore || !errors.Is(err, down) {
		t.Fatal(err)
	}
	b.mustDecrypt(s, first)
	b.store.broken.Store(nil)
	b.encrypt(s)
}

func TestMaxKeyStalenessMakesItAnError(t *testing.T) {
	b := newHarness(t, newStore(), func(c *Config) { c.MaxKeyStaleness = 3 * time.Hour })
	s := testSession(t, b.Factory, "p")
	b.encrypt(s)
	down := errors.New("connection refused")
	b.store.broken.Store(&down)
	b.clock.Store(3 * 3600)
	b.encrypt(s)
	b.settle()
	b.clock.Store(3*3600 + 1)
	if _, err := encrypt(s, "data"); fault.CodeOf(err) != fault.KeyStale || !errors.Is(err, down) {
		t.Fatal(err)
	}
	b.store.broken.Store(nil)
	b.encrypt(s)
	b.wantDates(ik, 0)
}
