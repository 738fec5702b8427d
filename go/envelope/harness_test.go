// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"asherah-napi/fault"
	"asherah-napi/record"
)

// harness is a factory over a metastore that a test can watch, break and edit, under a clock that a test sets.
type harness struct {
	*Factory
	t     *testing.T
	store *watchedStore
	clock atomic.Int64 // seconds since start
	back  atomic.Int64 // by how much the wall clock was set back
	warn  atomic.Int64
}

const start = 1_800_000_000 // a full minute

type watchedStore struct {
	mu     sync.Mutex
	rows   map[string][]record.KeyRecord
	loads  atomic.Int64
	stores atomic.Int64
	broken atomic.Pointer[error]
	hangs  atomic.Bool                    // a server that takes the question and never answers
	before func(id string, created int64) // called before a Store
}

// asked counts a question, and answers it as a store in trouble does.
func (w *watchedStore) asked(ctx context.Context) error {
	w.loads.Add(1)
	if err := w.broken.Load(); err != nil {
		return *err
	}
	if w.hangs.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (w *watchedStore) Load(ctx context.Context, id string, created int64) (*record.KeyRecord, error) {
	if err := w.asked(ctx); err != nil {
		return nil, err
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

func (w *watchedStore) LoadLatest(ctx context.Context, id string) (*record.KeyRecord, error) {
	if err := w.asked(ctx); err != nil {
		return nil, err
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

func (w *watchedStore) Close() error { return nil }

func newStore() *watchedStore { return &watchedStore{rows: map[string][]record.KeyRecord{}} }

func newHarness(t *testing.T, store *watchedStore, change func(*Config)) *harness {
	b := &harness{t: t, store: store}
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

func (b *harness) encrypt(s *Session) string {
	b.t.Helper()
	text, err := encrypt(s, "data")
	if err != nil {
		b.t.Fatal(err)
	}
	return text
}

func encrypt(s *Session, data string) (string, error) {
	out := make([]byte, s.RecordRoom(len(data)))
	n, err := s.Encrypt(context.Background(), nil, []byte(data), out)
	return string(out[:n]), err
}

func decrypt(s *Session, text string) (string, error) {
	out := make([]byte, len(text))
	n, err := s.Decrypt(context.Background(), nil, []byte(text), out)
	if err != nil {
		return "", err
	}
	return string(out[:n]), nil
}

func (b *harness) mustDecrypt(s *Session, texts ...string) {
	b.t.Helper()
	for _, text := range texts {
		if got, err := decrypt(s, text); err != nil || got != "data" {
			b.t.Fatalf("%q, %v", got, err)
		}
	}
}

// settle waits until no refresh is under way.
func (b *harness) settle() {
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

func (b *harness) wantDates(id string, want ...int64) {
	b.t.Helper()
	if got := b.store.dates(id); !slices.Equal(got, want) {
		b.t.Fatalf("%s created at %v, want %v", id, got, want)
	}
}
