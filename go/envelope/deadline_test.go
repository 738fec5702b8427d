// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"asherah-napi/fault"
	"asherah-napi/kms"
)

const testTimeout = 200 * time.Millisecond

func TestAStoreThatHangsFailsColdCallsWithinTheirDeadline(t *testing.T) {
	b := newHarness(t, newStore(), func(c *Config) { c.RequestTimeout = testTimeout })
	b.store.hangs.Store(true)
	s := testSession(t, b.Factory, "p")
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() {
			began := time.Now()
			_, err := encrypt(s, "data")
			if fault.CodeOf(err) != fault.Metastore || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "metastore: the latest intermediate key "+ik) {
				t.Error(err)
			}
			if took := time.Since(began); took > 10*testTimeout {
				t.Errorf("it took %s", took)
			}
		})
	}
	calls.Wait()
	if n := b.store.loads.Load(); n != 1 {
		t.Errorf("%d requests, want the one that all wait for", n)
	}
	b.store.hangs.Store(false)
	b.mustDecrypt(s, b.encrypt(s)) // at once, in the same session
}

// hangingKMS answers nothing, and says that it was the KMS when its time is up.
type hangingKMS struct{ kms.KMS }

func (hangingKMS) DecryptKey(ctx context.Context, _, _ []byte) error {
	<-ctx.Done()
	return fault.Wrap(fault.KMS, ctx.Err(), "kms far-away-1")
}

func TestAKMSThatHangsIsWhatAColdCallNames(t *testing.T) {
	store := newStore()
	warm := newHarness(t, store, nil)
	text := warm.encrypt(testSession(t, warm.Factory, "p"))
	b := newHarness(t, store, func(c *Config) { c.RequestTimeout = testTimeout })
	b.Factory.kms = hangingKMS{b.Factory.kms}
	s := testSession(t, b.Factory, "p")
	for range 5 { // the intermediate key's load waits for the system key's: whose time is up first?
		if _, err := decrypt(s, text); fault.CodeOf(err) != fault.KMS || !strings.Contains(err.Error(), "far-away-1") {
			t.Error(err)
		}
	}
}

func TestAStoreThatHangsHoldsUpNoWarmCallAfterTheFirst(t *testing.T) {
	const timeout = 40 * time.Millisecond
	b := newHarness(t, newStore(), func(c *Config) { c.RequestTimeout = timeout })
	s := testSession(t, b.Factory, "p")
	first := b.encrypt(s)
	b.store.hangs.Store(true)
	waited := 0
	for second := int64(2 * 3600); second < 2*3600+1800; second += 20 { // nobody used it before, so the first call waits
		b.clock.Store(second)
		began := time.Now()
		b.mustDecrypt(s, b.encrypt(s), first)
		if time.Since(began) > timeout/2 {
			waited++
		}
		b.settle() // 20 seconds are longer than any attempt
	}
	if waited > 1 || b.warn.Load() < 20 {
		t.Fatalf("%d calls waited, %d warnings", waited, b.warn.Load())
	}
}
