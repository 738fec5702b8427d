// SPDX-License-Identifier: Apache-2.0

package awsconfig

import (
	"context"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func certificate(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func TestPushedCredentialsAreAskedForOnceAndWaitedFor(t *testing.T) {
	var asked atomic.Int64
	wanted := make(chan struct{}, 10)
	p := NewPushed(func() { asked.Add(1); wanted <- struct{}{} })
	if p.Ready() {
		t.Error("ready with nothing")
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if c, err := p.Retrieve(context.Background()); err != nil || c.AccessKeyID != "A" || c.SessionToken != "t" {
				t.Errorf("%v", err)
			}
		})
	}
	<-wanted
	p.Set("A", "s", "t", time.Now().Add(time.Hour))
	wg.Wait()
	if n := asked.Load(); n != 1 || !p.Ready() {
		t.Errorf("asked %d times", n)
	}
}

func TestPushedCredentialsAreRenewedBeforeTheyExpire(t *testing.T) {
	wanted := make(chan struct{}, 10)
	p := NewPushed(func() { wanted <- struct{}{} })
	p.Set("A", "s", "", time.Now().Add(4*time.Minute))
	for range 3 {
		if c, err := p.Retrieve(context.Background()); err != nil || c.AccessKeyID != "A" {
			t.Fatal(err)
		}
	}
	if len(wanted) != 1 {
		t.Errorf("asked %d times within a second", len(wanted))
	}
	p.Fail("no network") // those at hand are still good
	if c, err := p.Retrieve(context.Background()); err != nil || c.AccessKeyID != "A" {
		t.Fatal(err)
	}
	p.Set("B", "s", "", time.Time{})
	if c, err := p.Retrieve(context.Background()); err != nil || c.AccessKeyID != "B" || c.CanExpire {
		t.Fatal(err)
	}
}

func TestAFunctionThatFailsOrIsLateIsAnError(t *testing.T) {
	var p *Pushed
	wanted := make(chan struct{}, 10)
	p = NewPushed(func() { wanted <- struct{}{} })
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := p.Retrieve(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	go func() {
		<-wanted
		time.Sleep(20 * time.Millisecond)
		p.Fail("the vault is sealed")
	}()
	for range 2 { // who waited, and who asks again too soon
		if _, err := p.Retrieve(context.Background()); err == nil || !strings.Contains(err.Error(), "the vault is sealed") {
			t.Errorf("%v", err)
		}
	}
	p.Set("A", "topsecret", "", time.Now().Add(-time.Hour))
	if _, err := p.Retrieve(context.Background()); err == nil || !strings.Contains(err.Error(), "expired") || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("%v", err)
	}
	time.Sleep(askInterval)
	go p.Close()
	if _, err := p.Retrieve(context.Background()); !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
	p.Set("A", "s", "", time.Time{}) // too late
	if p.Ready() {
		t.Error("ready after Close")
	}
}
