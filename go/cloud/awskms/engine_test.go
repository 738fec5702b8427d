// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	engine "asherah-napi/envelope"
	"asherah-napi/fault"
	"asherah-napi/metastore"
)

func (w *world) factory(store metastore.Metastore) *engine.Factory {
	f := engine.NewFactory(engine.Config{
		Service: "svc", Product: "prod", ExpireAfter: 24 * time.Hour, CheckInterval: time.Hour, RequestTimeout: 30 * time.Second,
		IntermediateKeyCacheMaxSize: 10_000, SystemKeyCacheMaxSize: 10, Warn: func(fault.Code, string) {},
	}, store, w.open(func(c *Config) { c.RegionTimeout = 10 * time.Second }))
	w.t.Cleanup(f.Close)
	return f
}

func (w *world) useAtOnce(f *engine.Factory, partition func(i int) string, do func(s *engine.Session, i int) error) {
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			s, err := f.Session(partition(i))
			if err == nil {
				defer s.Close()
				err = do(s, i)
			}
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestAThousandFirstCallsMakeOneDataKeyAndAThousandPartitionsDecryptOne(t *testing.T) {
	w := newWorld(t, nil)
	store := metastore.NewMemory()
	records := make([][]byte, 1000)
	encrypt := func(s *engine.Session, i int) error {
		records[i] = make([]byte, s.RecordRoom(4))
		n, err := s.Encrypt(context.Background(), nil, []byte("data"), records[i])
		records[i] = records[i][:n]
		return err
	}
	f := w.factory(keeps{store})
	w.useAtOnce(f, func(int) string { return "p" }, encrypt)
	if got := fmt.Sprint(w.preferred.requests, w.other.requests, f.Stats().KeysStored); got != "map[GenerateDataKey:1] map[Encrypt:1] 2" {
		t.Error(got)
	}
	many := func(i int) string { return fmt.Sprint("p", i) }
	w.useAtOnce(f, many, encrypt)

	cold := w.factory(keeps{store})
	w.useAtOnce(cold, many, func(s *engine.Session, i int) error {
		_, err := s.Decrypt(context.Background(), nil, records[i], make([]byte, len(records[i])))
		return err
	})
	if n := w.preferred.count("Decrypt") + w.other.count("Decrypt"); n != 1 {
		t.Errorf("the system key was decrypted %d times", n)
	}
}

// keeps is a store that a factory's Close leaves open.
type keeps struct{ metastore.Metastore }

func (keeps) Close() error { return nil }
