// SPDX-License-Identifier: Apache-2.0

//go:build linux

package lockedmem

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"unsafe"
)

func TestSlotIsLockedNotDumpedAndWipedWhenFreed(t *testing.T) {
	s, err := Get(true)
	if err != nil {
		t.Fatal(err)
	}
	copy(s.Key(), "key")
	copy(s.Scratch(), "raw")
	flags := vmFlags(t, uintptr(unsafe.Pointer(&s.mem[0])))
	for _, flag := range []string{"lo", "dd", "wf"} { // locked, don't dump, wipe on fork: proc(5)
		if !strings.Contains(flags, " "+flag+" ") {
			t.Errorf("VmFlags %q lacks %s", flags, flag)
		}
	}
	mem := s.mem
	s.Free()
	if !bytes.Equal(mem, make([]byte, slotSize)) {
		t.Error("not wiped")
	}
}

func vmFlags(t *testing.T, address uintptr) string {
	t.Helper()
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	inside := false
	for line := range strings.Lines(string(smaps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= address && address < to
		} else if inside && strings.HasPrefix(line, "VmFlags:") {
			return strings.TrimPrefix(strings.TrimRight(line, "\n"), "VmFlags:")
		}
	}
	t.Fatal("mapping not found")
	return ""
}

func TestSlotsAreReusedAndCounted(t *testing.T) {
	before := InUse()
	var slots []*Slot
	for range 200 {
		s, err := Get(false)
		if err != nil {
			t.Fatal(err)
		}
		slots = append(slots, s)
	}
	if InUse() != before+200 {
		t.Fatalf("in use: %d", InUse()-before)
	}
	for _, s := range slots {
		s.Free()
	}
	if InUse() != before {
		t.Fatalf("in use after free: %d", InUse()-before)
	}
}

// A process without the right to lock memory: required fails and names the limit, otherwise slots come all the same.
func TestNoMemoryMayBeLocked(t *testing.T) {
	if os.Getenv("LOCKEDMEM_CHILD") == "" {
		limit := exec.Command("sh", "-c", `ulimit -l 0; exec setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock "$0" -test.run=TestNoMemoryMayBeLocked`, os.Args[0])
		limit.Env = append(os.Environ(), "LOCKEDMEM_CHILD=1")
		if out, err := limit.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if _, err := Get(true); err == nil || !strings.Contains(err.Error(), "RLIMIT_MEMLOCK: 0 bytes") {
		t.Fatalf("required: %v", err)
	}
	s, err := Get(false)
	if err != nil {
		t.Fatal(err)
	}
	if s.Free(); LockFailure() == nil {
		t.Fatal("nobody would know")
	}
}
