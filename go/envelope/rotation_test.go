// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"asherah-napi/record"
)

func TestDatesAreTruncatedToAMinute(t *testing.T) {
	b := newHarness(t, newStore(), nil)
	b.clock.Store(59)
	b.encrypt(testSession(t, b.Factory, "p"))
	b.wantDates(ik, 0)
	b.wantDates(sk, 0)
}

func TestKeysThatLiveLessThanAMinuteAreDatedMoreFinely(t *testing.T) {
	b := newHarness(t, newStore(), func(c *Config) { c.ExpireAfter = 10 * time.Second })
	s := testSession(t, b.Factory, "p")
	b.clock.Store(59)
	first := b.encrypt(s)
	b.wantDates(ik, 50)
	b.clock.Store(61)
	second := b.encrypt(s)
	b.wantDates(ik, 50, 60)
	b.wantDates(sk, 50, 60)
	b.mustDecrypt(s, first, second)
}

func TestExpiredKeysAreReplacedAndStillDecrypt(t *testing.T) {
	b := newHarness(t, newStore(), nil)
	s := testSession(t, b.Factory, "p")
	first := b.encrypt(s)
	b.clock.Store(90*24*3600 - 1)
	b.encrypt(s)
	b.wantDates(ik, 0)
	b.clock.Store(90 * 24 * 3600)
	second := b.encrypt(s)
	b.wantDates(ik, 0, 90*24*3600)
	b.wantDates(sk, 0, 90*24*3600)
	b.mustDecrypt(s, first, second)
	other := newHarness(t, b.store, nil)
	other.clock.Store(b.clock.Load())
	other.mustDecrypt(testSession(t, other.Factory, "p"), first, second)
}

// Revoked within the minute it was made: the Go library would go on with the revoked key until the next minute, for its
// new one gets the same date.
func TestAKeyRevokedInItsOwnMinuteIsReplaced(t *testing.T) {
	store := newStore()
	a := newHarness(t, store, nil)
	a.encrypt(testSession(t, a.Factory, "p"))
	store.edit(ik, func(r *record.KeyRecord) { r.Revoked = true })
	b := newHarness(t, store, nil)
	b.encrypt(testSession(t, b.Factory, "p"))
	b.wantDates(ik, 0, 1)
}

func TestARevokedKeyFromAFastClockIsReplacedByALaterOne(t *testing.T) {
	store := newStore()
	fast := newHarness(t, store, nil)
	fast.clock.Store(3 * 24 * 3600)
	fast.encrypt(testSession(t, fast.Factory, "p"))
	store.edit(ik, func(r *record.KeyRecord) { r.Revoked = true })
	b := newHarness(t, store, nil)
	s := testSession(t, b.Factory, "p")
	b.encrypt(s)
	b.wantDates(ik, 3*24*3600, 3*24*3600+1)
	third := newHarness(t, store, nil)
	third.encrypt(testSession(t, third.Factory, "p"))
	third.wantDates(ik, 3*24*3600, 3*24*3600+1) // found and used, not replaced once more
}

func TestTheWinnerOfARaceIsUsedUnlessItIsUnusable(t *testing.T) {
	for _, c := range []struct {
		name    string
		clock   int64 // of the other process
		revoke  bool
		want    []int64
		created int64
	}{
		{"valid", 0, false, []int64{0}, 0},
		{"revoked", 0, true, []int64{0, 1}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := newStore()
			b := newHarness(t, store, nil)
			raced := false
			store.before = func(id string, _ int64) {
				if id != ik || raced {
					return
				}
				raced = true
				other := newHarness(t, store, nil)
				other.clock.Store(c.clock)
				other.encrypt(testSession(t, other.Factory, "p"))
				if c.revoke {
					store.edit(ik, func(r *record.KeyRecord) { r.Revoked = true })
				}
			}
			s := testSession(t, b.Factory, "p")
			text := b.encrypt(s)
			b.wantDates(ik, c.want...)
			if k := s.encryptKey.Load(); k.created != start+c.created {
				t.Fatalf("encrypts with the key of %d", k.created-start)
			}
			other := newHarness(t, store, nil)
			other.mustDecrypt(testSession(t, other.Factory, "p"), text)
		})
	}
}

// The row that was there first is this minute's, revoked; the latest is an hour ahead and valid. The Go library would use it.
func TestAWinnerFromAFastClockIsFollowedByALaterKey(t *testing.T) {
	store := newStore()
	b := newHarness(t, store, nil)
	raced := false
	store.before = func(id string, _ int64) {
		if id != ik || raced {
			return
		}
		raced = true
		for _, clock := range []int64{0, 3600} {
			other := newHarness(t, store, nil)
			other.clock.Store(clock)
			other.encrypt(testSession(t, other.Factory, "p"))
			if clock == 0 {
				store.edit(ik, func(r *record.KeyRecord) { r.Revoked = true })
			}
		}
	}
	b.encrypt(testSession(t, b.Factory, "p"))
	b.wantDates(ik, 0, 3600, 3601)
}

func TestTheClockGoingBackLosesNothing(t *testing.T) {
	b := newHarness(t, newStore(), nil)
	s := testSession(t, b.Factory, "p")
	b.clock.Store(7200)
	first := b.encrypt(s)
	b.back.Store(3600 * 24)
	second := b.encrypt(s)
	other := testSession(t, b.Factory, "q")
	third := b.encrypt(other)
	b.mustDecrypt(s, first, second)
	b.mustDecrypt(other, third)
	b.wantDates(ik, 7200)
}

func TestAnIntermediateKeyRetiresAfterItsSeals(t *testing.T) {
	b := newHarness(t, newStore(), func(c *Config) { c.maxSeals = 10 })
	s := testSession(t, b.Factory, "p")
	var texts []string
	for range 25 {
		texts = append(texts, b.encrypt(s))
	}
	b.wantDates(ik, 0, 1, 2)
	b.mustDecrypt(s, texts...)
}

func TestColdKeysAreLoadedOnceForAllWhoWait(t *testing.T) {
	store := newStore()
	seed := newHarness(t, store, nil)
	text := seed.encrypt(testSession(t, seed.Factory, "p"))
	b := newHarness(t, store, nil)
	store.loads.Store(0)
	var wg sync.WaitGroup
	for range 1000 {
		wg.Go(func() {
			s, err := b.Session("p")
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if _, err := encrypt(s, "data"); err != nil {
				t.Error(err)
			}
			if got, err := decrypt(s, text); err != nil || got != "data" {
				t.Error(got, err)
			}
		})
	}
	wg.Wait()
	if n := store.loads.Load(); n > 4 { // latest and exact of both keys at the most
		t.Errorf("%d loads", n)
	}
	if n := store.stores.Load(); n != 2 {
		t.Errorf("%d stores", n)
	}
}

func TestACacheOfOneServesManyPartitionsAtOnce(t *testing.T) {
	b := newHarness(t, newStore(), func(c *Config) { c.IntermediateKeyCacheMaxSize, c.SystemKeyCacheMaxSize = 1, 1 })
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 200 {
				s, err := b.Session(fmt.Sprint("p", (i+j)%5))
				if err != nil {
					t.Error(err)
					return
				}
				text, err := encrypt(s, "data")
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := decrypt(s, text); err != nil || got != "data" {
					t.Error(got, err)
				}
				s.Close()
			}
		})
	}
	wg.Wait()
	if got := b.Stats(); got.IntermediateKeys != 1 || got.SystemKeys != 1 || got.Sessions != 0 {
		t.Errorf("%+v", got)
	}
}
