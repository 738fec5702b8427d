// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"sync"
	"testing"
	"time"

	"asherah-napi/fault"
	"asherah-napi/lockedmem"
	"asherah-napi/metastore"
	"asherah-napi/record"
)

// wantOnlyScratch waits until only scratch slots are in use: refreshes may still be landing.
func wantOnlyScratch(t *testing.T, before int) {
	t.Helper()
	for range 200 {
		if lockedmem.InUse() <= before+len(idle) {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Fatalf("%d slots in use, %d before", lockedmem.InUse(), before)
}

func TestCloseUnderLoadWipesEveryKey(t *testing.T) {
	before := lockedmem.InUse()
	for range 50 {
		config := testConfig()
		config.IntermediateKeyCacheMaxSize = 4
		f := NewFactory(config, metastore.NewMemory(), testKMS(t))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for _, p := range []string{"a", "b", "c", "d", "e", "f"} {
					s, err := f.Session(p)
					if err == nil {
						_, err = encrypt(s, "data")
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
		f.Close()
		wg.Wait()
		f.Close()
	}
	wantOnlyScratch(t, before)
}

func TestEvictedKeysOfOpenSessionsAreNotWiped(t *testing.T) {
	b := newHarness(t, newStore(), func(c *Config) { c.IntermediateKeyCacheMaxSize = 1 })
	s := testSession(t, b.Factory, "p")
	text := b.encrypt(s)
	for _, p := range []string{"q", "r", "s"} {
		b.encrypt(testSession(t, b.Factory, p))
	}
	loads := b.store.loads.Load()
	b.mustDecrypt(s, text)
	b.encrypt(s)
	if b.store.loads.Load() != loads {
		t.Error("the session's key was loaded again")
	}
}

func TestForeignAndBrokenRowsHaveTheirCodes(t *testing.T) {
	store := newStore()
	seed := newHarness(t, store, nil)
	text := seed.encrypt(testSession(t, seed.Factory, "p"))
	good := store.rows[ik][0]
	for name, c := range map[string]struct {
		change func(*record.KeyRecord)
		code   fault.Code
	}{
		"no parent":     {func(r *record.KeyRecord) { r.ParentKeyMeta = nil }, fault.InvalidKeyRecord},
		"other parent":  {func(r *record.KeyRecord) { r.ParentKeyMeta = &record.KeyMeta{ID: "_SK_x_y", Created: start} }, fault.InvalidKeyRecord},
		"parent gone":   {func(r *record.KeyRecord) { r.ParentKeyMeta = &record.KeyMeta{ID: sk, Created: 1} }, fault.KeyNotFound},
		"short key":     {func(r *record.KeyRecord) { r.Key = r.Key[:59] }, fault.InvalidKeyRecord},
		"changed key":   {func(r *record.KeyRecord) { r.Key = append([]byte{r.Key[0] ^ 1}, r.Key[1:]...) }, fault.InvalidKeyRecord},
		"another's key": {func(r *record.KeyRecord) { r.Key = store.rows[sk][0].Key }, fault.InvalidKeyRecord},
	} {
		t.Run(name, func(t *testing.T) {
			store.edit(ik, func(r *record.KeyRecord) { *r = good; c.change(r) })
			b := newHarness(t, store, nil)
			s := testSession(t, b.Factory, "p")
			stores := store.stores.Load()
			if _, err := decrypt(s, text); fault.CodeOf(err) != c.code {
				t.Error("decrypt:", err)
			}
			if _, err := encrypt(s, "data"); fault.CodeOf(err) != c.code {
				t.Error("encrypt:", err)
			}
			if store.stores.Load() != stores {
				t.Error("something was written")
			}
		})
	}
}
