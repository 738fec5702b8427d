// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"asherah-napi/observe"
	"asherah-napi/record"
)

// hear makes the harness's factory tell, and returns what was told since the last call: of measurements type and level or
// error, of lines level and what became of the key.
func hear(t *testing.T, change func(*Config)) (*harness, func() []string) {
	q := observe.NewQueue(func() {})
	sink := new(observe.Sink)
	sink.Route(1, []observe.Target{{Queue: q, Wants: observe.Metrics | observe.AllLogs}})
	b := newHarness(t, newStore(), func(c *Config) {
		c.Sink = sink
		if change != nil {
			change(c)
		}
	})
	return b, func() []string {
		out := make([]byte, 1<<20)
		var batch struct {
			Events []struct{ Metric, Log map[string]any }
		}
		if n := q.Take(out); n > 0 {
			if err := json.Unmarshal(out[:n], &batch); err != nil {
				t.Fatal(err)
			}
		}
		var told []string
		for _, e := range batch.Events {
			var words []string
			for _, name := range []string{"type", "name", "errorCode"} {
				if word, ok := e.Metric[name].(string); ok {
					words = append(words, word)
				}
			}
			if e.Log != nil {
				parts := strings.Split(e.Log["message"].(string), ": ")
				words = append(words, e.Log["level"].(string), parts[len(parts)-1])
			}
			told = append(told, strings.Join(words, " "))
		}
		return told
	}
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("got  %q\nwant %q", got, want)
	}
}

func TestAStaleKeyIsToldUntilItIsRefreshed(t *testing.T) {
	b, heard := hear(t, nil)
	s := testSession(t, b.Factory, "p")
	b.encrypt(s)
	heard()
	b.clock.Add(int64(b.CheckInterval.Seconds()))
	b.encrypt(s)
	b.settle()
	got := heard()
	if !slices.Contains(got, "cache_stale intermediate") || slices.Contains(got, "cache_hit intermediate") {
		t.Fatalf("stale: %q", got)
	}
	if n := len(slices.DeleteFunc(got, func(e string) bool { return e != "debug refreshed" })); n < 2 { // three where the intermediate key's load finds its parent due too
		t.Fatalf("%d keys refreshed", n)
	}
	b.encrypt(s)
	want(t, heard(), "cache_hit intermediate", "encrypt")
}

func TestARevokedKeyAndItsSuccessorAreTold(t *testing.T) {
	b, heard := hear(t, nil)
	s := testSession(t, b.Factory, "p")
	b.encrypt(s)
	heard()
	b.store.edit(ik, func(r *record.KeyRecord) { r.Revoked = true })
	b.clock.Add(2 * int64(b.CheckInterval.Seconds()))
	b.encrypt(s)
	b.settle()
	got := heard()
	for _, event := range []string{"debug found revoked", "info made and stored", "rotation intermediate"} {
		if !slices.Contains(got, event) {
			t.Errorf("no %q in %q", event, got)
		}
	}
	if slices.Contains(got, "rotation system") {
		t.Error("the system key was not revoked")
	}
}

// A failed refresh is nobody's call: it is told as the warning of the cached key's going on, and as an error.
func TestABackgroundFailureIsTold(t *testing.T) {
	b, heard := hear(t, nil)
	s := testSession(t, b.Factory, "p")
	b.encrypt(s)
	heard()
	broken := errors.New("the store is away")
	b.store.broken.Store(&broken)
	b.clock.Add(int64(b.CheckInterval.Seconds()))
	b.encrypt(s)
	b.settle()
	for range 1000 { // told behind the flight's end
		got := heard()
		if slices.Contains(got, "error the store is away") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Error("no error was told")
}

func TestAnAttemptWithColdKeysIsNotTold(t *testing.T) {
	b, heard := hear(t, nil)
	s := testSession(t, b.Factory, "p")
	out := make([]byte, 1000)
	if _, err := s.Encrypt(t.Context(), ErrCold, []byte("data"), out); !errors.Is(err, ErrCold) {
		t.Fatal(err)
	}
	want(t, heard())
	other := errors.New("no credentials")
	if _, err := s.Encrypt(t.Context(), other, []byte("data"), out); err != other {
		t.Fatal(err)
	}
	want(t, heard(), "encrypt ERR_ASHERAH_INTERNAL", "error no credentials")
	text := b.encrypt(s)
	heard()
	if n, err := s.Decrypt(t.Context(), nil, []byte(text), nil); n >= 0 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	want(t, heard()) // asked how much room it needs
	b.mustDecrypt(s, text)
	want(t, heard(), "cache_hit intermediate", "decrypt")
}
