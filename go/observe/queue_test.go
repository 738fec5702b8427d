// SPDX-License-Identifier: Apache-2.0

package observe

import (
	"encoding/json"
	"sync"
	"testing"
	"time"

	"asherah-napi/fault"
)

type batch struct {
	Events  []map[string]any
	Ended   []uint64
	Dropped int
}

func take(t *testing.T, q *Queue) (b batch) {
	t.Helper()
	out := make([]byte, 1<<20)
	if n := q.Take(out); n > 0 {
		if err := json.Unmarshal(out[:n], &b); err != nil {
			t.Fatalf("%v: %s", err, out[:n])
		}
	}
	return b
}

func sinkTo(q *Queue, w Wants) *Sink {
	s := new(Sink)
	s.Route(7, []Target{{q, w}})
	return s
}

func TestAnEventIsTheJSONThatLibReads(t *testing.T) {
	q := NewQueue(func() {})
	s := sinkTo(q, Metrics|Logs(Warn))
	s.Took(Encrypt, 5, fault.Closed, "")
	s.Took(Load, 6, "", "mysql")
	s.Took(KMSDecrypt, 7, "", "us-west-2")
	s.Count(CacheStale, SystemKeys)
	s.Log(Info, OfKey, "", "not wanted")
	s.Log(Error, OfKey, fault.KMS, "a \"quoted\"\nline \xff")
	q.End(7)
	out := make([]byte, 1000)
	const want = `{"events":[{"factory":7,"metric":{"type":"encrypt","durationNs":5,"errorCode":"ERR_ASHERAH_CLOSED"}},` +
		`{"factory":7,"metric":{"type":"load","durationNs":6,"metastore":"mysql"}},` +
		`{"factory":7,"metric":{"type":"kms_decrypt","durationNs":7,"region":"us-west-2"}},` +
		`{"factory":7,"metric":{"type":"cache_stale","name":"system"}},` +
		`{"factory":7,"log":{"level":"error","message":"a \"quoted\"\nline \ufffd","target":"asherah.key","code":"ERR_ASHERAH_KMS"}}],` +
		`"ended":[7],"dropped":0}`
	if got := string(out[:q.Take(out)]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// A text that does not fit is kept, and what comes meanwhile is told afterwards, with a wake-up of its own.
func TestNothingIsLostBetweenTwoLooks(t *testing.T) {
	wakes := 0
	q := NewQueue(func() { wakes++ })
	s := sinkTo(q, Metrics)
	s.Count(CacheHit, SystemKeys)
	s.Count(CacheHit, SystemKeys)
	need := q.Take(make([]byte, 3))
	if need >= 0 || wakes != 1 {
		t.Fatalf("%d bytes needed, %d wake-ups", need, wakes)
	}
	s.Count(CacheMiss, SystemKeys)
	if b := take(t, q); len(b.Events) != 2 || wakes != 2 {
		t.Fatalf("%d events, %d wake-ups", len(b.Events), wakes)
	}
	if b := take(t, q); len(b.Events) != 1 || wakes != 2 {
		t.Fatalf("%d events, %d wake-ups", len(b.Events), wakes)
	}
	s.Count(CacheMiss, SystemKeys)
	if wakes != 3 {
		t.Fatalf("%d wake-ups", wakes)
	}
}

func TestAFullQueueDropsTheNewestAndNeverTheEnd(t *testing.T) {
	q := NewQueue(func() {})
	s := sinkTo(q, Metrics)
	var all sync.WaitGroup
	const threads, each = 8, 1000
	for range threads {
		all.Go(func() {
			for range each {
				s.Took(Encrypt, time.Microsecond, "", "")
			}
		})
	}
	all.Wait()
	q.End(7)
	b := take(t, q)
	if len(b.Events) != Capacity || b.Dropped != threads*each-Capacity || len(b.Ended) != 1 {
		t.Fatalf("%d events, %d dropped, %v ended", len(b.Events), b.Dropped, b.Ended)
	}
	s.Count(CacheHit, SystemKeys)
	if b = take(t, q); len(b.Events) != 1 || b.Dropped != 0 {
		t.Fatalf("then %d events, %d dropped", len(b.Events), b.Dropped)
	}
}

func TestNotingAnEventAllocatesNothing(t *testing.T) {
	q := NewQueue(func() {})
	s := sinkTo(q, Metrics)
	out := make([]byte, 1<<20)
	note := func() {
		for range 100 {
			s.Took(Encrypt, time.Microsecond, "", "")
			s.Count(CacheHit, IntermediateKeys)
		}
	}
	for range 2 { // both of the two buffers
		for range Capacity / 200 {
			note()
		}
		q.Take(out)
	}
	if n := testing.AllocsPerRun(10, note); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestASinkWithoutListenersIsQuiet(t *testing.T) {
	var none *Sink
	none.Log(Error, OfKey, "", "x")
	none.Count(CacheHit, SystemKeys)
	q := NewQueue(func() { t.Error("woken") })
	s := sinkTo(q, Logs(Info))
	if none.WantsMetrics() || s.WantsMetrics() || s.WantsLog(Debug) || !s.WantsLog(Info) || !s.WantsLog(Error) {
		t.Error("what is wanted is not what was asked for")
	}
	if Logs(0) != 0 {
		t.Error("level 0 wants nothing")
	}
	s.Route(7, nil)
	s.Log(Error, OfKey, "", "x")
	q.Close()
	q.End(1)
	sinkTo(q, Metrics).Count(CacheHit, SystemKeys)
}
