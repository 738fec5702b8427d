// SPDX-License-Identifier: Apache-2.0

// Package metastoretest is what every metastore must do, as a test.
package metastoretest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/record"
)

// Run checks an implementation that can hold every row. open gives an empty store, which Run closes.
func Run(t *testing.T, open func(t *testing.T) metastore.Metastore) {
	RunWithin(t, func(string, int64) bool { return false }, open)
}

// Refuses says whether a store can't hold rows of this id and date. It must refuse them, and find none of them, nor
// another's row in their place.
type Refuses func(id string, created int64) bool

// RunWithin is Run for an implementation that has limits.
func RunWithin(t *testing.T, refuses Refuses, open func(t *testing.T) metastore.Metastore) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, metastore.Metastore)
	}{
		{"an empty store has no rows and says so without an error", emptyStore},
		{"a row comes back as it was stored", roundTrip},
		{"a second row of the same id and date is refused and the first one kept", duplicate},
		{"latest is the greatest date, whatever the order of storing", refuses.latest},
		{"ids that look alike stay apart", refuses.awkwardIDs},
		{"of many writers of one row exactly one wins, and all see its row", race},
		{"a row is visible to everybody once Store returned", visibility},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := open(t)
			t.Cleanup(func() {
				if err := m.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			test.run(t, m)
		})
	}
}

const day int64 = 1_795_362_660 // a full minute

func key(fill byte, created int64) *record.KeyRecord {
	return &record.KeyRecord{Created: created, Key: bytes.Repeat([]byte{fill}, 60)}
}

func mustStore(t *testing.T, m metastore.Metastore, id string, created int64, k *record.KeyRecord) {
	t.Helper()
	stored, err := m.Store(context.Background(), id, created, k)
	if err != nil || !stored {
		t.Fatalf("Store(%q, %d) = %v, %v; want true", id, created, stored, err)
	}
}

// store is mustStore for a row that the store can hold; it says whether it can.
func (refuses Refuses) store(t *testing.T, m metastore.Metastore, id string, created int64, k *record.KeyRecord) bool {
	t.Helper()
	if !refuses(id, created) {
		mustStore(t, m, id, created, k)
		return true
	}
	stored, err := m.Store(context.Background(), id, created, k)
	if stored || fault.CodeOf(err) != fault.Metastore {
		t.Fatalf("Store(%q, %d) = %v, %v; want it refused", id, created, stored, err)
	}
	if got, _ := m.Load(context.Background(), id, created); got != nil {
		t.Fatalf("Load(%q, %d) = %v after it was refused", id, created, got)
	}
	return false
}

func mustBe(t *testing.T, got *record.KeyRecord, err error, want *record.KeyRecord) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	show := func(k *record.KeyRecord) string {
		if k == nil {
			return "no row"
		}
		return string(record.AppendKeyRecord(nil, k))
	}
	if show(got) != show(want) {
		t.Fatalf("got %s\nwant %s", show(got), show(want))
	}
}

func emptyStore(t *testing.T, m metastore.Metastore) {
	got, err := m.Load(context.Background(), "_SK_a_b", day)
	mustBe(t, got, err, nil)
	got, err = m.LoadLatest(context.Background(), "_SK_a_b")
	mustBe(t, got, err, nil)
}

func roundTrip(t *testing.T, m metastore.Metastore) {
	ctx := context.Background()
	system := key(1, day)
	intermediate := key(2, day)
	intermediate.ParentKeyMeta = &record.KeyMeta{ID: "_SK_a&b_<c>\"\\\u2028é", Created: day}
	revoked := key(3, day)
	revoked.Revoked = true
	mustStore(t, m, intermediate.ParentKeyMeta.ID, day, system) // a store may insist on it
	for id, want := range map[string]*record.KeyRecord{"s": system, "i": intermediate, "r": revoked} {
		mustStore(t, m, id, day, want)
		got, err := m.Load(ctx, id, day)
		mustBe(t, got, err, want)
		got, err = m.LoadLatest(ctx, id)
		mustBe(t, got, err, want)
		got, err = m.Load(ctx, id, day+1)
		mustBe(t, got, err, nil)
	}
}

func duplicate(t *testing.T, m metastore.Metastore) {
	mustStore(t, m, "k", day, key(1, day))
	stored, err := m.Store(context.Background(), "k", day, key(2, day))
	if stored || err != nil {
		t.Fatalf("second Store = %v, %v; want false", stored, err)
	}
	got, err := m.Load(context.Background(), "k", day)
	mustBe(t, got, err, key(1, day))
}

func (refuses Refuses) latest(t *testing.T, m metastore.Metastore) {
	// before and after the dates at which the number of digits, the year or the sign of 32 bits changes
	dates := []int64{day, 0, 999_999_999, 1_000_000_000, 4_294_967_296, day + 1, 2_147_483_648}
	held := dates[:0:0]
	greatest := int64(-1)
	for _, created := range dates {
		if !refuses.store(t, m, "k", created, key(byte(created), created)) {
			continue
		}
		held = append(held, created)
		greatest = max(greatest, created)
		got, err := m.LoadLatest(context.Background(), "k")
		mustBe(t, got, err, key(byte(greatest), greatest))
	}
	for _, created := range held {
		got, err := m.Load(context.Background(), "k", created)
		mustBe(t, got, err, key(byte(created), created))
	}
}

func (refuses Refuses) awkwardIDs(t *testing.T, m metastore.Metastore) {
	ids := []string{
		"Bob", "bob", "bob ", " bob", "bo_", "bo%", "b'ob", `b"ob`, `b\ob`, "b;--ob", "<>&", "é", "e\u0301", "\u2028", "🔑",
		"_IK_a_b_c", "_IK_a_b_c_us-west-2", "b\x00ob", "b\x00", strings.Repeat("x", 5000), strings.Repeat("x", 5001),
	}
	for i, id := range ids {
		refuses.store(t, m, id, day, key(byte(i), day))
	}
	for i, id := range ids {
		if refuses(id, day) {
			continue
		}
		got, err := m.Load(context.Background(), id, day)
		mustBe(t, got, err, key(byte(i), day))
		got, err = m.LoadLatest(context.Background(), id)
		mustBe(t, got, err, key(byte(i), day))
	}
}

func race(t *testing.T, m metastore.Metastore) {
	const writers, rows = 8, 10
	var mu sync.Mutex
	winners := map[int][]byte{}
	var all sync.WaitGroup
	for w := range byte(writers) {
		all.Go(func() {
			for row := range rows {
				id := fmt.Sprint("k", row)
				stored, err := m.Store(context.Background(), id, day, key(w, day))
				if err != nil {
					t.Error(err)
					return
				}
				if stored {
					mu.Lock()
					winners[row] = append(winners[row], w)
					mu.Unlock()
				}
				if got, err := m.Load(context.Background(), id, day); err != nil || got == nil {
					t.Errorf("Load(%q) after Store = %v, %v", id, got, err)
				}
			}
		})
	}
	all.Wait()
	for row := range rows {
		if len(winners[row]) != 1 {
			t.Fatalf("row %d was stored by %v; want exactly one", row, winners[row])
		}
		got, err := m.Load(context.Background(), fmt.Sprint("k", row), day)
		mustBe(t, got, err, key(winners[row][0], day))
	}
}

func visibility(t *testing.T, m metastore.Metastore) {
	for i := range int64(20) {
		mustStore(t, m, "k", day+i, key(byte(i), day+i))
		var readers sync.WaitGroup
		for range 4 {
			readers.Go(func() {
				got, err := m.LoadLatest(context.Background(), "k")
				if err != nil || got == nil || got.Created < day+i {
					t.Errorf("LoadLatest after Store(%d) = %v, %v", day+i, got, err)
				}
			})
		}
		readers.Wait()
	}
}
