// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"asherah-napi/fault"
	"asherah-napi/record"
)

func TestLockIsWaitedForAndThenReported(t *testing.T) {
	for _, journal := range []string{"WAL", "DELETE"} { // in the second mode readers meet the lock too
		path := filepath.Join(t.TempDir(), "keys.db")
		first := open(t, path)
		mustStore(t, first, "before")
		_ = first.Close()
		other := raw(t, path)
		mustExec(t, other, "PRAGMA journal_mode = "+journal)
		s, err := New(path, 300*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		mustExec(t, other, "BEGIN EXCLUSIVE")
		start := time.Now()
		stored, err := s.Store(ctx, "k"+journal, minute, &record.KeyRecord{Created: minute})
		mustFail(t, err, fault.MetastoreBusy, "locked", "300ms", "sqliteBusyTimeout")
		if took := time.Since(start); stored || took < 300*time.Millisecond || took > 30*time.Second {
			t.Fatalf("%v after %s", stored, took)
		}
		if journal == "DELETE" {
			_, err = s.Load(ctx, "before", minute)
			mustFail(t, err, fault.MetastoreBusy)
		}
		released := make(chan struct{})
		time.AfterFunc(100*time.Millisecond, func() {
			defer close(released)
			_, _ = other.Exec("ROLLBACK")
		})
		patient, err := New(path, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		mustLoad(t, patient, "before", true)
		_ = patient.Close()
		<-released
		mustLoad(t, s, "k"+journal, false)
		mustStore(t, s, "k"+journal)
		_ = s.Close()
	}
}

func TestCancelledWait(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	s := open(t, path)
	mustStore(t, s, "before")
	other := raw(t, path)
	mustExec(t, other, "BEGIN EXCLUSIVE")
	limited, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.Store(limited, "k", minute, &record.KeyRecord{})
	if !errors.Is(err, context.DeadlineExceeded) || fault.CodeOf(err) != fault.Metastore || time.Since(start) > 4*time.Second {
		t.Fatal(err, time.Since(start))
	}
}

// Waiters must not stand in a queue where each waits for the time-outs of those before it.
func TestManyWaitersTimeOutTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	mustStore(t, open(t, path), "before")
	other := raw(t, path)
	mustExec(t, other, "BEGIN EXCLUSIVE")
	s, err := New(path, 300*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start := time.Now()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if _, err := s.Store(ctx, fmt.Sprint(i), minute, &record.KeyRecord{}); fault.CodeOf(err) != fault.MetastoreBusy {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if took := time.Since(start); took > 5*time.Second {
		t.Fatal(took)
	}
}

// The first use by many at once: creating the file, switching it to WAL (which fails at once under a lock, whatever the
// busy time-out) and creating the table.
func TestManyFirstUsers(t *testing.T) {
	for range 10 {
		path := filepath.Join(t.TempDir(), "keys.db")
		var all sync.WaitGroup
		for i := range 8 {
			s := open(t, path) // connections of different pools lock each other out as processes do
			all.Go(func() {
				if stored, err := s.Store(ctx, fmt.Sprint(i), minute, &record.KeyRecord{Created: minute}); !stored || err != nil {
					t.Errorf("%v, %v", stored, err)
				}
			})
		}
		all.Wait()
		last := open(t, path)
		for i := range 8 {
			mustLoad(t, last, fmt.Sprint(i), true)
		}
	}
}

// Close while calls run: each ends with a result or fault.Closed, and none is left hanging.
func TestCloseDuringCalls(t *testing.T) {
	for range 20 {
		s := open(t, filepath.Join(t.TempDir(), "keys.db"))
		mustStore(t, s, "k")
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for n := range 50 {
					_, err := s.Store(ctx, fmt.Sprint(i, n), minute, &record.KeyRecord{})
					if err == nil {
						_, err = s.Load(ctx, "k", minute)
					}
					if err != nil {
						if fault.CodeOf(err) != fault.Closed {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		time.Sleep(2 * time.Millisecond)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
	}
}
