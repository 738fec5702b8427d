// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/record"
)

// bench is a factory over a metastore that a test can watch, break and edit, under a clock that a test sets.
type bench struct {
	*Factory
	t     *testing.T
	store *watchedStore
	clock atomic.Int64 // seconds since start
	back  atomic.Int64 // by how much the wall clock was set back
	warn  atomic.Int64
}

const start = 1_800_000_000 // a full minute

type watchedStore struct {
	metastore.Memory
	mu     sync.Mutex
	rows   map[string][]record.KeyRecord
	loads  atomic.Int64
	stores atomic.Int64
	broken atomic.Pointer[error]
	before func(id string, created int64) // called before a Store
}

func (w *watchedStore) Load(_ context.Context, id string, created int64) (*record.KeyRecord, error) {
	w.loads.Add(1)
	if err := w.broken.Load(); err != nil {
		return nil, *err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range w.rows[id] {
		if row.Created == created {
			return &row, nil
		}
	}
	return nil, nil
}

func (w *watchedStore) LoadLatest(_ context.Context, id string) (*record.KeyRecord, error) {
	w.loads.Add(1)
	if err := w.broken.Load(); err != nil {
		return nil, *err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var latest *record.KeyRecord
	for _, row := range w.rows[id] {
		if latest == nil || row.Created > latest.Created {
			latest = &row
		}
	}
	return latest, nil
}

func (w *watchedStore) Store(_ context.Context, id string, created int64, key *record.KeyRecord) (bool, error) {
	if w.before != nil {
		w.before(id, created)
	}
	w.stores.Add(1)
	if err := w.broken.Load(); err != nil {
		return false, *err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if slices.ContainsFunc(w.rows[id], func(r record.KeyRecord) bool { return r.Created == created }) {
		return false, nil
	}
	w.rows[id] = append(w.rows[id], *key)
	return true, nil
}

func (w *watchedStore) edit(id string, change func(*record.KeyRecord)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.rows[id] {
		change(&w.rows[id][i])
	}
}

func (w *watchedStore) dates(id string) []int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []int64
	for _, row := range w.rows[id] {
		all = append(all, row.Created-start)
	}
	slices.Sort(all)
	return all
}

func newStore() *watchedStore { return &watchedStore{rows: map[string][]record.KeyRecord{}} }

func newBench(t *testing.T, store *watchedStore, change func(*Config)) *bench {
	b := &bench{t: t, store: store}
	config := testConfig()
	config.now = func() moment {
		s := b.clock.Load()
		return moment{start + s - b.back.Load(), s * int64(time.Second)}
	}
	config.Warn = func(fault.Code, string) { b.warn.Add(1) }
	if change != nil {
		change(&config)
	}
	b.Factory = testFactory(t, config, store)
	return b
}

func (b *bench) encrypt(s *Session) string {
	b.t.Helper()
	text, err := encrypt(s, "data")
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func encrypt(s *Session, data string) (string, error) {
	out := make([]byte, s.RecordRoom(len(data)))
	n, err := s.Encrypt(context.Background(), false, []byte(data), out)
	return string(out[:n]), err
}

func decrypt(s *Session, text string) (string, error) {
	out := make([]byte, len(text))
	n, err := s.Decrypt(context.Background(), false, []byte(text), out)
	if err != nil {
		return "", err
	}
	return string(out[:n]), nil
}

func (b *bench) mustDecrypt(s *Session, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if got, err := decrypt(s, text); err != nil || got != "data" {
			b.t.Fatalf("%q, %v", got, err)
		}
	}
}

// settle waits until no refresh is under way.
func (b *bench) settle() {
	for _, l := range []*level{&b.intermediate, &b.system} {
		for {
			l.flights.mu.Lock()
			n := len(l.flights.current)
			l.flights.mu.Unlock()
			if n == 0 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

const ik, sk = "_IK_p_svc_prod", "_SK_svc_prod"

func (b *bench) wantDates(id string, want ...int64) {
	b.t.Helper()
	if got := b.store.dates(id); !slices.Equal(got, want) {
		b.t.Fatalf("%s created at %v, want %v", id, got, want)
	}
}

func TestDatesAreTruncatedToAMinute(t *testing.T) {
	b := newBench(t, newStore(), nil)
	b.clock.Store(59)
	b.encrypt(testSession(t, b.Factory, "p"))
	b.wantDates(ik, 0)
	b.wantDates(sk, 0)
}

func TestKeysThatLiveLessThanAMinuteAreDatedMoreFinely(t *testing.T) {
	b := newBench(t, newStore(), func(c *Config) { c.ExpireAfter = 10 * time.Second })
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
	b := newBench(t, newStore(), nil)
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
	other := newBench(t, b.store, nil)
	other.clock.Store(b.clock.Load())
	other.mustDecrypt(testSession(t, other.Factory, "p"), first, second)
}

func TestRevokedKeysAreSeenWithinTwoIntervals(t *testing.T) {
	for _, id := range []string{ik, sk} {
		t.Run(id, func(t *testing.T) {
			b := newBench(t, newStore(), nil)
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
	b := newBench(t, newStore(), nil)
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
	b := newBench(t, newStore(), nil)
	s := testSession(t, b.Factory, "p")
	b.encrypt(s)
	other := newBench(t, b.store, nil)
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

// Revoked within the minute it was made: the Go library would go on with the revoked key until the next minute, for its
// new one gets the same date.
func TestAKeyRevokedInItsOwnMinuteIsReplaced(t *testing.T) {
	store := newStore()
	a := newBench(t, store, nil)
	a.encrypt(testSession(t, a.Factory, "p"))
	store.edit(ik, func(r *record.KeyRecord) { r.Revoked = true })
	b := newBench(t, store, nil)
	b.encrypt(testSession(t, b.Factory, "p"))
	b.wantDates(ik, 0, 1)
}

func TestARevokedKeyFromAFastClockIsReplacedByALaterOne(t *testing.T) {
	store := newStore()
	fast := newBench(t, store, nil)
	fast.clock.Store(3 * 24 * 3600)
	fast.encrypt(testSession(t, fast.Factory, "p"))
	store.edit(ik, func(r *record.KeyRecord) { r.Revoked = true })
	b := newBench(t, store, nil)
	s := testSession(t, b.Factory, "p")
	b.encrypt(s)
	b.wantDates(ik, 3*24*3600, 3*24*3600+1)
	third := newBench(t, store, nil)
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
			b := newBench(t, store, nil)
			raced := false
			store.before = func(id string, _ int64) {
				if id != ik || raced {
					return
				}
				raced = true
				other := newBench(t, store, nil)
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
			other := newBench(t, store, nil)
			other.mustDecrypt(testSession(t, other.Factory, "p"), text)
		})
	}
}

// The row that was there first is this minute's, revoked; the latest is an hour ahead and valid. The Go library would use it.
func TestAWinnerFromAFastClockIsFollowedByALaterKey(t *testing.T) {
	store := newStore()
	b := newBench(t, store, nil)
	raced := false
	store.before = func(id string, _ int64) {
		if id != ik || raced {
			return
		}
		raced = true
		for _, clock := range []int64{0, 3600} {
			other := newBench(t, store, nil)
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
	b := newBench(t, newStore(), nil)
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
	b := newBench(t, newStore(), func(c *Config) { c.maxSeals = 10 })
	s := testSession(t, b.Factory, "p")
	var texts []string
	for range 25 {
		texts = append(texts, b.encrypt(s))
	}
	b.wantDates(ik, 0, 1, 2)
	b.mustDecrypt(s, texts...)
}

func TestKeysAreUsedUntilTheyExpireWhileTheStoreIsDown(t *testing.T) {
	b := newBench(t, newStore(), nil)
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
	b := newBench(t, newStore(), func(c *Config) { c.MaxKeyStaleness = 3 * time.Hour })
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

func TestColdKeysAreLoadedOnceForAllWhoWait(t *testing.T) {
	store := newStore()
	seed := newBench(t, store, nil)
	text := seed.encrypt(testSession(t, seed.Factory, "p"))
	b := newBench(t, store, nil)
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
	b := newBench(t, newStore(), func(c *Config) { c.IntermediateKeyCacheMaxSize, c.SystemKeyCacheMaxSize = 1, 1 })
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
