// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"asherah-napi/fault"
	"asherah-napi/record"
)

// smallDisk mounts a file system of its own, which takes root (test/faults.test.js needs none, but sees less).
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	directory := t.TempDir()
	if err := syscall.Mount("none", directory, "tmpfs", 0, "size="+size); err != nil {
		// Not a failure: without root there is no disk to fill; CI is root, and test/faults.test.js fills a file instead.
		t.Skip("can't mount a small disk: ", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(directory, syscall.MNT_DETACH) })
	return directory
}

func TestFullDisk(t *testing.T) {
	for _, size := range []string{"4k", "16k", "60k", "100k", "256k"} { // full at different points: file, table, WAL, its index, row
		directory := smallDisk(t, size)
		s := open(t, filepath.Join(directory, "keys.db"))
		var written []string
		var err error
		for i := 0; err == nil && i < 100; i++ {
			id := fmt.Sprint(i, strings.Repeat("x", 10_000))
			var stored bool
			if stored, err = s.Store(ctx, id, minute, &record.KeyRecord{Created: minute}); stored {
				written = append(written, id)
			}
		}
		mustFail(t, err, fault.MetastoreFull, "full")
		t.Logf("%s: full after %d rows: %v", size, len(written), err)
		for _, id := range written {
			mustLoad(t, s, id, true)
		}
		if err := syscall.Mount("none", directory, "tmpfs", syscall.MS_REMOUNT, "size=4m"); err != nil {
			t.Fatal(err)
		}
		mustStore(t, s, "with space again")
		for _, id := range written {
			mustLoad(t, s, id, true)
		}
	}
}

func TestReadOnlyFileSystem(t *testing.T) {
	for _, state := range []string{"closed", "WAL left behind", "rollback journal"} {
		directory := smallDisk(t, "4m")
		path := filepath.Join(directory, "keys.db")
		first := open(t, path)
		mustStore(t, first, "before")
		switch state {
		case "rollback journal": // as the Rust packages leave it
			_ = first.Close()
			other := raw(t, path)
			mustExec(t, other, "PRAGMA journal_mode = DELETE")
			_ = other.Close()
		case "WAL left behind": // as a killed process leaves it
			for _, suffix := range []string{"", "-wal"} {
				data, err := os.ReadFile(path + suffix)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path+".copy"+suffix, data, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			path += ".copy"
		}
		_ = first.Close()
		if err := syscall.Mount("none", directory, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		s := open(t, path)
		_, err := s.Store(ctx, "k", minute, &record.KeyRecord{Created: minute})
		mustFail(t, err, fault.MetastoreReadOnly)
		// Reading needs an index file that can't be made; a clear refusal, never a wrong "no such key".
		if state == "rollback journal" {
			mustLoad(t, s, "before", true)
		} else {
			_, err = s.Load(ctx, "before", minute)
			mustFail(t, err, fault.MetastoreReadOnly, "also for reading")
		}
		if err := syscall.Mount("none", directory, "tmpfs", syscall.MS_REMOUNT, ""); err != nil {
			t.Fatal(err)
		}
		mustLoad(t, s, "before", true)
		mustStore(t, s, "k")
	}
}
