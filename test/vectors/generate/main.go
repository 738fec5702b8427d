// SPDX-License-Identifier: Apache-2.0

// The test vectors of this folder's parent: written, listed and read by the official Go library.
//
//	go run . write DIR   // writes every file anew, with new keys
//	go run . list        // one line for each case: its file and its name
//	go run . read DIR    // one line of JSON for each case: what the library makes of it
//
// The format is described in the parent's README.md and, field by field, in vector.go.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"
)

const libraryPath = "github.com/godaddy/asherah/go/appencryption"

// spec is a case before it is made. An empty rule: all of it is the library's own output.
type spec struct {
	name, about, rule string
	make              func() *Case
}

type group struct {
	file  string
	cases []spec
}

func groups() []group {
	return []group{
		{"names.json", names()},
		{"data.json", data()},
		{"keys.json", keys()},
		{"region-suffix.json", regionSuffix()},
		{"aws.json", awsEnvelopes()},
		{"forms.json", forms()},
		{"rejected-records.json", rejectedRecords()},
		{"rejected-rows.json", rejectedRows()},
	}
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "write":
		write(os.Args[2])
	case len(os.Args) == 2 && os.Args[1] == "list":
		for _, g := range groups() {
			for _, s := range g.cases {
				fmt.Println(g.file, s.name)
			}
		}
	case len(os.Args) == 3 && os.Args[1] == "read":
		read(os.Args[2])
	default:
		fmt.Fprintln(os.Stderr, "usage: go run . write DIR | list | read DIR")
		os.Exit(2)
	}
}

func write(folder string) {
	for _, g := range groups() {
		f := File{Format: 1, Library: library(), Date: time.Now().UTC().Format(time.DateOnly)}
		for _, s := range g.cases {
			c := s.make()
			c.Name, c.About, c.Rule = s.name, s.about, s.rule
			f.Cases = append(f.Cases, c)
		}
		must(os.WriteFile(filepath.Join(folder, g.file), f.text(), 0o644))
	}
}

func read(folder string) {
	out := json.NewEncoder(os.Stdout)
	for _, g := range groups() {
		for _, c := range readFile(filepath.Join(folder, g.file)).Cases {
			must(out.Encode(outcome(g.file, c)))
		}
	}
}

// library is the module and version that this program is built with.
func library() string {
	info, _ := debug.ReadBuildInfo()
	for _, m := range info.Deps {
		if m.Path == libraryPath {
			return m.Path + " " + m.Version
		}
	}
	panic("not built with " + libraryPath)
}

// must ends the program: half a set of vectors is of no use.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func need[T any](value T, err error) T {
	must(err)
	return value
}
