// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"asherah-napi/kms"
	"asherah-napi/record"
)

// regionalKMS is a KMS with a region that may be missing. A last byte of 1 says that a key has it.
type regionalKMS struct {
	kms.KMS
	missing  atomic.Bool
	attempts atomic.Int64 // of EncryptKeyComplete
	before   func()       // called before it ends
}

var errMissing = errors.New("a region does not answer")

func (r *regionalKMS) EncryptKey(ctx context.Context, raw []byte) ([]byte, error) {
	sealed, err := r.KMS.EncryptKey(ctx, raw)
	if r.missing.Load() {
		return append(sealed, 0), err
	}
	return append(sealed, 1), err
}

func (r *regionalKMS) DecryptKey(ctx context.Context, encrypted, raw []byte) error {
	return r.KMS.DecryptKey(ctx, encrypted[:len(encrypted)-1], raw)
}

func (r *regionalKMS) Complete(encrypted []byte) bool { return encrypted[len(encrypted)-1] == 1 }

func (r *regionalKMS) EncryptKeyComplete(ctx context.Context, raw []byte) ([]byte, error) {
	r.attempts.Add(1)
	if r.missing.Load() {
		return nil, errMissing
	}
	if r.before != nil {
		r.before()
	}
	return r.EncryptKey(ctx, raw)
}

func newRegionalHarness(t *testing.T, store *watchedStore) (*harness, *regionalKMS) {
	b := newHarness(t, store, nil)
	master := &regionalKMS{KMS: b.Factory.kms}
	b.Factory.kms, b.Factory.completer = master, master
	return b, master
}

const hour = 3600

// encryptAt encrypts at a time, and waits for what that started.
func (b *harness) encryptAt(s *Session, clock int64) string {
	b.t.Helper()
	b.clock.Store(clock)
	text := b.encrypt(s)
	b.settle()
	return text
}

func TestAnIncompleteSystemKeyIsReplacedOnceTheRegionIsBack(t *testing.T) {
	store := newStore()
	a, master := newRegionalHarness(t, store)
	warm, _ := newRegionalHarness(t, store)
	master.missing.Store(true)
	sa, sw := testSession(t, a.Factory, "p"), testSession(t, warm.Factory, "p")
	texts := []string{a.encryptAt(sa, 600), warm.encryptAt(sw, 600)}
	a.wantDates(sk, 600)

	master.missing.Store(false)
	fresh, _ := newRegionalHarness(t, store)
	texts = append(texts, fresh.encryptAt(testSession(t, fresh.Factory, "p"), hour+599)) // too young
	a.wantDates(sk, 600)

	texts = append(texts, a.encryptAt(sa, hour+1800)) // the refresh finds that it is incomplete, and replaces it
	a.wantDates(sk, 600, hour)
	texts = append(texts, a.encryptAt(sa, hour+1801))
	a.wantDates(ik, 600, hour+1800)
	for i := range int64(5) {
		texts = append(texts, a.encryptAt(sa, (3+i)*hour))
	}

	texts = append(texts, warm.encryptAt(sw, 8*hour), warm.encryptAt(sw, 8*hour+1)) // another process follows
	if k := sw.encryptKey.Load(); k.created != start+hour+1800 {
		t.Errorf("encrypts with the key of %d", k.created-start)
	}
	a.wantDates(sk, 600, hour)
	a.wantDates(ik, 600, hour+1800)

	last, _ := newRegionalHarness(t, store)
	last.mustDecrypt(testSession(t, last.Factory, "p"), texts...)
}

func TestAProcessThatStartsLaterReplacesItToo(t *testing.T) {
	store := newStore()
	a, master := newRegionalHarness(t, store)
	master.missing.Store(true)
	text := a.encryptAt(testSession(t, a.Factory, "p"), 0)

	reader, _ := newRegionalHarness(t, store)
	reader.clock.Store(5 * hour)
	reader.mustDecrypt(testSession(t, reader.Factory, "p"), text)
	reader.settle()
	a.wantDates(sk, 0) // decryption writes nothing

	b, _ := newRegionalHarness(t, store)
	s := testSession(t, b.Factory, "p")
	b.encryptAt(s, 5*hour+1800)
	b.wantDates(sk, 0, 5*hour) // full hours, so that all processes agree
	b.encryptAt(s, 5*hour+1801)
	b.wantDates(ik, 0, 5*hour+1800)
}

func TestWhileTheRegionIsMissingTheOldKeyIsUsed(t *testing.T) {
	b, master := newRegionalHarness(t, newStore())
	master.missing.Store(true)
	s := testSession(t, b.Factory, "p")
	b.encryptAt(s, 0)
	for clock := int64(2 * hour); clock < 4*hour; clock += 60 {
		b.encryptAt(s, clock)
		b.encryptAt(testSession(t, b.Factory, "p"), clock)
	}
	b.wantDates(sk, 0)
	b.wantDates(ik, 0)
	if n := master.attempts.Load(); n < 1 || n > 2*hour/int64(b.CheckInterval.Seconds())+1 {
		t.Errorf("%d attempts in two hours", n)
	}
	if n := b.warn.Load(); n != 0 {
		t.Errorf("%d warnings", n)
	}
	b.store.edit(sk, func(r *record.KeyRecord) { r.Revoked = true }) // and rotation as ever
	b.encryptAt(s, 6*hour)
	b.encryptAt(s, 6*hour+1)
	b.wantDates(sk, 0, 6*hour)
}

func TestManyProcessesReplaceAnIncompleteKeyByOne(t *testing.T) {
	store := newStore()
	first, master := newRegionalHarness(t, store)
	master.missing.Store(true)
	first.encryptAt(testSession(t, first.Factory, "p"), 0)

	const processes = 8
	var ready, all sync.WaitGroup
	ready.Add(processes)
	for i := range int64(processes) {
		b, master := newRegionalHarness(t, store)
		var once sync.Once
		master.before = func() { once.Do(ready.Done); ready.Wait() } // all have seen the old key and no other
		s := testSession(t, b.Factory, "p")
		all.Go(func() {
			b.encryptAt(s, 7*hour+i*60)
			b.encryptAt(s, 7*hour+i*60+1)
		})
	}
	all.Wait()
	first.wantDates(sk, 0, 7*hour)
}

func TestAPanicOfTheKMSWhileReplacingIsSurvived(t *testing.T) {
	b, master := newRegionalHarness(t, newStore())
	master.missing.Store(true)
	s := testSession(t, b.Factory, "p")
	b.encryptAt(s, 0)
	master.missing.Store(false)
	master.before = func() { panic("on a goroutine of its own") }
	b.encryptAt(s, 2*hour)
	b.encryptAt(s, 2*hour+1)
	b.wantDates(sk, 0)
	if used := master.attempts.Load(); used != 1 {
		t.Errorf("%d attempts", used)
	}
}
