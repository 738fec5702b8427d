// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"sync"
	"testing"
	"time"

	"asherah-napi/aesgcm"
	"asherah-napi/fault"
	"asherah-napi/kms"
	"asherah-napi/lockedmem"
	"asherah-napi/metastore"
)

func testConfig() Config {
	return Config{Service: "svc", Product: "prod", ExpireAfter: 90 * 24 * time.Hour, CheckInterval: time.Hour,
		IntermediateKeyCacheMaxSize: 1000, SystemKeyCacheMaxSize: 100, Warn: func(fault.Code, string) {}}
}

// checkedOnce: a test makes factories beside others that encrypt, and the check decides how all of them do.
var checkedOnce = sync.OnceValue(aesgcm.Check)

func testKMS(t testing.TB) kms.KMS {
	t.Helper()
	if err := checkedOnce(); err != nil {
		t.Fatal(err)
	}
	slot, err := lockedmem.Get(false)
	if err != nil {
		t.Fatal(err)
	}
	master, err := kms.NewStatic([]byte("thisIsAStaticMasterKeyForTesting"), slot)
	if err != nil {
		t.Fatal(err)
	}
	return master
}

func testSession(t testing.TB, f *Factory, partition string) *Session {
	t.Helper()
	s, err := f.Session(partition)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testFactory(t testing.TB, config Config, store metastore.Metastore) *Factory {
	t.Helper()
	f := NewFactory(config, store, testKMS(t))
	t.Cleanup(f.Close)
	return f
}

func TestHotCallsDoNotAllocate(t *testing.T) {
	if aesgcm.Mode == "plain" {
		t.Log("the plain constructors allocate; nothing to check")
		return
	}
	s := testSession(t, testFactory(t, testConfig(), metastore.NewMemory()), "p")
	for _, size := range []int{0, 64, 1 << 10, 8 << 10} {
		in := make([]byte, size)
		row := make([]byte, s.RecordRoom(size))
		plain := make([]byte, len(row))
		if n := testing.AllocsPerRun(100, func() {
			n, err := s.Encrypt(context.Background(), nil, in, row)
			if err != nil {
				t.Fatal(err)
			}
			if m, err := s.Decrypt(context.Background(), nil, row[:n], plain); err != nil || m != size {
				t.Fatal(m, err)
			}
		}); n != 0 {
			t.Errorf("%d bytes: %v allocations a round trip", size, n)
		}
	}
}

// go/cmd/core/default.pgo, by which the compiler decides what to inline, is a profile of these four, without the paths of the
// machine it was made on: go test -trimpath -run XXX -bench crypt -benchtime 4s -cpuprofile default.pgo ./envelope, with the
// build's tags. Make it again when the hot path changes, and compare with bench/.

func BenchmarkEncrypt64(b *testing.B) { benchmark(b, 64, false) }
func BenchmarkEncrypt8K(b *testing.B) { benchmark(b, 8<<10, false) }
func BenchmarkDecrypt64(b *testing.B) { benchmark(b, 64, true) }
func BenchmarkDecrypt8K(b *testing.B) { benchmark(b, 8<<10, true) }

func benchmark(b *testing.B, size int, decrypt bool) {
	s := testSession(b, testFactory(b, testConfig(), metastore.NewMemory()), "p")
	in, row := make([]byte, size), make([]byte, s.RecordRoom(size))
	n, err := s.Encrypt(context.Background(), nil, in, row)
	if err != nil {
		b.Fatal(err)
	}
	row = row[:n]
	out := make([]byte, s.RecordRoom(size))
	b.ReportAllocs()
	for b.Loop() {
		if decrypt {
			_, err = s.Decrypt(context.Background(), nil, row, out)
		} else {
			_, err = s.Encrypt(context.Background(), nil, in, out)
		}
	}
	if err != nil {
		b.Fatal(err)
	}
}
