// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"asherah-napi/fault"
)

func TestThePreferredRegionIsDown(t *testing.T) {
	for name, c := range map[string]struct {
		fail     func(*fake)
		requests int // at most, to the preferred region by the first call
		waits    bool
	}{
		"refuses":   {(*fake).stop, 0, false},
		"hangs":     {func(f *fake) { f.set(hangs) }, 1, true},
		"resets":    {func(f *fake) { f.set(resets) }, 2, false},
		"denies":    {func(f *fake) { f.set(denies) }, 1, false},
		"throttles": {func(f *fake) { f.set(throttles) }, 2, false},
		"breaks":    {func(f *fake) { f.set(breaks) }, 2, false},
		"shortens":  {func(f *fake) { f.set(shortens) }, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, nil)
			encrypted := w.encrypt()
			before := w.preferred.count("")
			c.fail(w.preferred)

			began := time.Now()
			w.decrypt(encrypted)
			if took := time.Since(began); took > 2*timeout || (took < timeout) == c.waits {
				t.Errorf("the first call took %v", took)
			}
			if n := w.preferred.count("") - before; n > c.requests {
				t.Errorf("%d requests", n)
			}
			if got := w.warned("kms us-west-2 failed"); len(got) != 1 {
				t.Errorf("%q", got)
			}
			before = w.preferred.count("")
			for range 100 {
				w.decrypt(encrypted)
			}
			if n := w.preferred.count("") - before; n != 0 {
				t.Errorf("%d requests to a region that is down", n)
			}
			if got := w.warned(""); len(got) != 0 {
				t.Errorf("%q", got)
			}
		})
	}
}

func TestANewKeyInSpiteOfARegionThatIsDown(t *testing.T) {
	for name, c := range map[string]struct {
		fail  func(*fake)
		cause string
	}{
		"refuses":   {(*fake).stop, "connection refused"},
		"hangs":     {func(f *fake) { f.set(hangs) }, "no answer in time, within 300ms"},
		"denies":    {func(f *fake) { f.set(denies) }, "AccessDeniedException: User: arn:aws:iam::123456789012:user/u is not authorized"},
		"throttles": {func(f *fake) { f.set(throttles) }, "ThrottlingException: Rate exceeded"},
		"breaks":    {func(f *fake) { f.set(breaks) }, "HTTP status 502"},
		"hangs up":  {func(f *fake) { f.set(hangsUp) }, "the request got no answer: EOF"},
	} {
		for _, preferred := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, nil)
				down, up := w.preferred, w.other
				if !preferred {
					down, up = up, down
				}
				c.fail(down)
				began := time.Now()
				encrypted := w.encrypt()
				if took := time.Since(began); took > 2*timeout {
					t.Errorf("it took %v", took)
				}
				if w.Complete(encrypted) || !strings.Contains(string(encrypted), up.region) || strings.Contains(string(encrypted), down.region) {
					t.Errorf("%s", encrypted)
				}
				got := w.warned(string(fault.WarnKMSRegionFailed) + " kms " + down.region + " is left out")
				if len(got) != 1 || !strings.Contains(got[0], c.cause) {
					t.Errorf("%q", got)
				}
				w.decrypt(encrypted)

				for _, encrypt := range []func(context.Context, []byte) ([]byte, error){
					w.EncryptKeyComplete, w.open(func(c *Config) { c.RequireAllRegions = true }).EncryptKey} {
					_, err := encrypt(context.Background(), raw)
					if fault.CodeOf(err) != fault.KMS || !strings.HasPrefix(err.Error(), "kms "+down.region+": ") || !strings.Contains(err.Error(), c.cause) || strings.Contains(err.Error(), "kms "+up.region) {
						t.Errorf("%v", err)
					}
				}
			})
		}
	}
}

func TestARegionThatFailedOnceIsInTheNewKeyAllTheSame(t *testing.T) {
	w := newWorld(t, nil)
	w.preferred.set(only("GenerateDataKey", denies))
	if encrypted := w.encrypt(); !w.Complete(encrypted) || !strings.Contains(string(encrypted), `"kmsKeks":[{"region":"us-west-2"`) {
		t.Errorf("%s", encrypted)
	}
}

func TestADeadlineBelowTheRegionTimeoutLeavesTimeForTheOtherRegion(t *testing.T) {
	w := newWorld(t, nil)
	encrypted := w.encrypt()
	w.KMS = w.open(func(c *Config) { c.RegionTimeout = 10 * time.Second })
	w.preferred.set(hangs)
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := w.DecryptKey(ctx, encrypted, make([]byte, 32)); err != nil {
		t.Error(err)
	}
	w.KMS = w.open(func(c *Config) { c.RegionTimeout = 10 * time.Second })
	if _, err := w.EncryptKey(ctx, raw); err != nil || ctx.Err() != nil { // in time for it to be stored
		t.Error(err)
	}
	w.preferred.set(nil)
	w.other.set(hangs)
	w.KMS = w.open(func(c *Config) { c.RegionTimeout = 10 * time.Second })
	ctx, cancel = context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if encrypted, err := w.EncryptKey(ctx, raw); err != nil || ctx.Err() != nil || w.Complete(encrypted) {
		t.Error(err)
	}
}

func TestALateAnswerWinsIfItIsTheFirst(t *testing.T) {
	w := newWorld(t, nil)
	encrypted := w.encrypt()
	w.preferred.set(slow(timeout + timeout/2))
	w.other.set(hangs)
	w.decrypt(encrypted)
	w.KMS = w.open(nil)
	w.preferred.set(hangs)
	w.other.set(slow(timeout + timeout/2)) // the last one has time, too
	w.decrypt(encrypted)
}

func TestARegionThatLosesIsNotWaitedForAndCancelled(t *testing.T) {
	w := newWorld(t, nil)
	encrypted := w.encrypt()
	cancelled := make(chan struct{})
	w.preferred.set(func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		<-r.Context().Done()
		close(cancelled)
		return true
	})
	w.decrypt(encrypted)
	select {
	case <-cancelled:
	case <-time.After(10 * time.Second):
		t.Error("the request goes on")
	}
}

func TestAKeyThatOneRegionCorruptsIsDecryptedByAnother(t *testing.T) {
	w := newWorld(t, nil)
	encrypted := w.encrypt()
	w.preferred.set(corrupts)
	w.decrypt(encrypted)
	w.other.set(corrupts)
	got := make([]byte, 32)
	err := w.DecryptKey(context.Background(), encrypted, got)
	if fault.CodeOf(err) != fault.KMS || !strings.Contains(err.Error(), "kms us-west-2: its data key can't decrypt") || !bytes.Equal(got, make([]byte, 32)) {
		t.Error(err)
	}
	if got := w.warned(""); len(got) != 0 { // it may be the row that is wrong
		t.Error(got)
	}
}

func TestARegionThatIsBackIsUsedAgain(t *testing.T) {
	w := newWorld(t, nil)
	w.KMS.downFor = 50 * time.Millisecond
	encrypted := w.encrypt()
	w.preferred.stop()
	w.decrypt(encrypted)
	w.preferred.start()
	for began := time.Now(); ; {
		before := w.other.count("Decrypt")
		w.decrypt(encrypted)
		if w.other.count("Decrypt") == before {
			break // the preferred region alone served it
		}
		if time.Since(began) > 10*time.Second {
			t.Fatal("never again")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestAProbeOfARegionThatHangsCostsNobodyTime(t *testing.T) {
	w := newWorld(t, nil)
	w.KMS.downFor = timeout / 3
	encrypted := w.encrypt()
	w.preferred.set(hangs)
	w.decrypt(encrypted)
	before := w.preferred.count("")
	for range 20 {
		time.Sleep(timeout / 10)
		began := time.Now()
		w.decrypt(encrypted)
		if took := time.Since(began); took > timeout*2/3 {
			t.Errorf("%v", took)
		}
	}
	if n := w.preferred.count("") - before; n < 1 || n > 8 {
		t.Errorf("%d probes", n)
	}
}

func TestAllRegionsAreDown(t *testing.T) {
	w := newWorld(t, nil)
	encrypted := w.encrypt()
	w.preferred.stop()
	w.other.set(denies)
	for _, try := range []func(context.Context) error{
		func(ctx context.Context) error { return w.DecryptKey(ctx, encrypted, make([]byte, 32)) },
		func(ctx context.Context) error { _, err := w.EncryptKey(ctx, raw); return err },
	} {
		err := try(context.Background())
		if fault.CodeOf(err) != fault.KMS || !strings.HasPrefix(err.Error(), "kms us-west-2: dial tcp 127.0.0.1:") ||
			!strings.Contains(err.Error(), "refused; kms eu-west-1: AccessDeniedException: User") {
			t.Errorf("%v", err)
		}
	}
	w.preferred.start() // and recover without a restart
	w.other.set(nil)
	w.decrypt(encrypted)

	w.preferred.set(hangs)
	w.other.set(hangs)
	ctx, cancel := context.WithTimeout(context.Background(), timeout/2)
	defer cancel()
	began := time.Now()
	err := w.DecryptKey(ctx, encrypted, make([]byte, 32))
	if took := time.Since(began); took > timeout || fault.CodeOf(err) != fault.KMS || strings.Count(err.Error(), "no answer in time, within 50ms") != 2 {
		t.Errorf("%v after %v", err, took)
	}
	began = time.Now()
	err = w.DecryptKey(context.Background(), encrypted, make([]byte, 32)) // nobody waits for ever
	if took := time.Since(began); took > (maxLateness+2)*timeout || fault.CodeOf(err) != fault.KMS ||
		strings.Count(err.Error(), "no answer in time, within 300ms") != 2 {
		t.Errorf("%v after %v", err, took)
	}
	go func() {
		time.Sleep(timeout / 2)
		w.Close()
	}()
	if err := w.DecryptKey(context.Background(), encrypted, make([]byte, 32)); fault.CodeOf(err) != fault.Closed {
		t.Errorf("%v", err)
	}
}

func TestOneRegionHasNobodyToWaitFor(t *testing.T) {
	w := newWorld(t, nil)
	w.KMS = w.open(func(c *Config) { c.Regions = c.Regions[:1] })
	encrypted := w.encrypt()
	w.preferred.set(slow(2 * timeout))
	w.decrypt(encrypted)
	if got := w.warned(""); len(got) != 0 {
		t.Error(got)
	}
}

func TestAThousandCallsWhileTheRegionGoesDown(t *testing.T) {
	w := newWorld(t, nil)
	w.KMS = w.open(func(c *Config) { c.RegionTimeout = 5 * time.Second })
	encrypted := w.encrypt()
	var n atomic.Int64
	w.preferred.set(func(rw http.ResponseWriter, r *http.Request, operation string) bool {
		return n.Add(1) > 300 && resets(rw, r, operation)
	})
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			got := make([]byte, 32)
			if err := w.DecryptKey(context.Background(), encrypted, got); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if got := w.warned("kms us-west-2 failed"); len(got) != 1 {
		t.Errorf("%d warnings", len(got))
	}
}

func TestNoErrorAndNoWarningHoldsASecret(t *testing.T) {
	w := newWorld(t, nil)
	encrypted := w.encrypt()
	w.preferred.set(func(rw http.ResponseWriter, _ *http.Request, _ string) bool {
		fail(rw, 403, "SignatureDoesNotMatch", "The request signature we calculated does not match. The Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:"+sessionToken+"\n"+secretKey)
		return true
	})
	w.other.set(breaks)
	err := w.DecryptKey(context.Background(), encrypted, make([]byte, 32))
	var texts []string
	for ; err != nil; err = errors.Unwrap(err) {
		texts = append(texts, err.Error())
	}
	texts = append(texts, w.warned("")...)
	all := strings.Join(texts, "\n")
	if !strings.Contains(all, "SignatureDoesNotMatch: The request signature we calculated does not match.") {
		t.Error(all)
	}
	for _, secret := range []string{secretKey, sessionToken, "AKIDEXAMPLE", string(encrypted[20:40])} {
		if strings.Contains(all, secret) {
			t.Errorf("%q in %s", secret, all)
		}
	}
}
