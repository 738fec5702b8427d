// SPDX-License-Identifier: Apache-2.0

package sqltest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"asherah-napi/fault"
	"asherah-napi/metastore"
)

// RunFaults checks what a store does when the network fails. open gives a store of one table over an address.
func RunFaults(t *testing.T, upstream string, open func(t *testing.T, address string) metastore.Metastore) {
	t.Run("connections that were cut, refused or reset cost no call", func(t *testing.T) {
		proxy := NewProxy(t, upstream)
		m := open(t, proxy.Address)
		for i := range int64(6) {
			id := fmt.Sprint("cut", i)
			MustStore(t, m, id, Minute)
			proxy.Cut()
			MustLoad(t, m, id, Minute)
			proxy.Cut()
		}
	})
	t.Run("many connections that were all cut cost no call", func(t *testing.T) {
		proxy := NewProxy(t, upstream)
		m := open(t, proxy.Address)
		MustStore(t, m, "many", Minute)
		for range 5 {
			var all sync.WaitGroup
			for range 20 {
				all.Go(func() {
					if got, err := m.Load(Context(t, 20*time.Second), "many", Minute); got == nil || err != nil {
						t.Error(got, err)
					}
				})
			}
			all.Wait()
			proxy.Cut()
		}
	})
	t.Run("connections that fell silent cost a third of the time, and no call", func(t *testing.T) {
		proxy := NewProxy(t, upstream)
		m := open(t, proxy.Address)
		MustStore(t, m, "silent", Minute)
		proxy.Freeze()
		if got, err := m.Load(Context(t, 6*time.Second), "silent", Minute); err != nil || got == nil {
			t.Fatal(got, err)
		}
		proxy.Freeze()
		if stored, err := m.Store(Context(t, 6*time.Second), "silent", Minute+60, Key(1, Minute+60)); err != nil || !stored {
			t.Fatal(stored, err)
		}
	})
	t.Run("a row whose storing was not confirmed is known again as our own", func(t *testing.T) {
		proxy := NewProxy(t, upstream)
		m := open(t, proxy.Address)
		MustStore(t, m, "warm up", Minute)
		proxy.DropAnswer("unconfirmed")
		opened := proxy.Opened()
		MustStore(t, m, "unconfirmed", Minute)
		if proxy.Opened() == opened {
			t.Fatal("the connection was not cut")
		}
		MustLoad(t, m, "unconfirmed", Minute)
	})
	t.Run("a server that does not answer fails the call at its deadline", func(t *testing.T) {
		m := open(t, Silent(t))
		began := time.Now()
		_, err := m.Load(Context(t, 300*time.Millisecond), "k", Minute)
		if took := time.Since(began); took > 5*time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(took, err)
		}
		MustFail(t, err, fault.Metastore, "metastore ", "127.0.0.1:", "in time")
	})
	t.Run("a server that is away fails calls until it is back, without a restart of ours", func(t *testing.T) {
		proxy := NewProxy(t, upstream)
		m := open(t, proxy.Address)
		MustStore(t, m, "away", Minute)
		proxy.Refuse(true)
		proxy.Cut()
		_, err := m.Load(Context(t, 5*time.Second), "away", Minute)
		MustFail(t, err, fault.Metastore, "metastore ", proxy.Address, "can't connect")
		_, err = m.Store(Context(t, 5*time.Second), "away", Minute+60, Key(1, Minute+60))
		MustFail(t, err, fault.Metastore, proxy.Address)
		proxy.Refuse(false)
		MustLoad(t, m, "away", Minute)
	})
	t.Run("a store that is closed says so, also to calls under way", func(t *testing.T) {
		m := open(t, upstream)
		MustStore(t, m, "closed", Minute)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range 100 {
					if _, err := m.Load(Context(t, 20*time.Second), "closed", Minute); err != nil {
						if fault.CodeOf(err) != fault.Closed {
							t.Error(err)
						}
						return
					}
				}
			})
		}
		time.Sleep(3 * time.Millisecond)
		if err := m.Close(); err != nil {
			t.Error(err)
		}
		all.Wait()
		_, err := m.Load(Context(t, time.Second), "closed", Minute)
		MustFail(t, err, fault.Closed)
	})
}
