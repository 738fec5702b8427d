// SPDX-License-Identifier: Apache-2.0

package capi

/*
#include "asherah.h"
*/
import "C"

import (
	"os"
	"path/filepath"
	"sync"
)

// sqliteFiles are the SQLite files that factories of this addon have open. Each addon has a SQLite of its own, and POSIX
// takes a process's locks on a file away as soon as one of them closes it (https://sqlite.org/howtocorrupt.html, 2.2), so no
// file may be open in both.
var sqliteFiles openFiles

type openFiles struct {
	mu    sync.Mutex
	users map[string]int
}

// add returns the name under which remove knows the file.
func (o *openFiles) add(path string) string {
	name := canonical(path)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.users == nil {
		o.users = map[string]int{}
	}
	o.users[name]++
	return name
}

func (o *openFiles) remove(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.users[name]--; o.users[name] == 0 {
		delete(o.users, name)
	}
}

func (o *openFiles) has(path string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	file, err := os.Stat(path)
	for name := range o.users {
		if name == canonical(path) {
			return true
		}
		if other, otherErr := os.Stat(name); err == nil && otherErr == nil && os.SameFile(file, other) { // a hard link
			return true
		}
	}
	return false
}

// canonical is the path without symbolic links, as far as it exists: the file itself may not be there yet.
func canonical(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		return filepath.Join(folder, filepath.Base(path))
	}
	return filepath.Clean(path)
}

//export asherah_has_sqlite_file
func asherah_has_sqlite_file(path *C.uint8_t, pathLen C.size_t) (has C.int32_t) {
	defer recoverTo(nil, func() { has = 0 })
	if sqliteFiles.has(string(bytesOf(path, pathLen))) {
		return 1
	}
	return 0
}
