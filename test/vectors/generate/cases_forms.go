// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// forms are other texts of the same record and rows: what other libraries write, what databases make of JSON, and hands.
func forms() []spec {
	form := func(change func(text string) string) func() *Case {
		return func() *Case { return newWorld().roundTrip("text").texts(change) }
	}
	each := func(change func(object) object) func() *Case {
		return form(func(text string) string { return editAll(text, change) })
	}
	return []spec{
		{"revoked-false", "each key says that it is not revoked", "revoked false", each(notRevoked)},
		{"order-of-csharp", "Created, Key, ParentKeyMeta, Revoked", "revoked false", each(func(o object) object {
			return inOrder(notRevoked(o), "Created", "Key", "ParentKeyMeta", "Revoked")
		})},
		{"order-reversed", "one of the orders in which Java's hash maps may give the fields", "order",
			each(func(o object) object { slices.Reverse(o); return o })},
		{"white-space", "lines and indentation", "white space", form(func(text string) string {
			var b bytes.Buffer
			must(json.Indent(&b, []byte(text), "\t", "  "))
			return " " + b.String() + "\r\n"
		})},
		{"unknown-fields", "fields of a later version, of every JSON type", "unknown fields", each(func(o object) object {
			return append(object{{"Extra", json.RawMessage(`{"a":[1,null,"}"]}`)}}, append(o, field{"note", true})...)
		})},
		{"escaped-letters", `the first letter of each field's name as \u00XX, and / as \/`, "escapes", form(escapeLetters)},
		{"lower-case", "names of fields in lower case, as some were written by hand; only some readers take them", "lower case",
			func() *Case {
				c := each(func(o object) object {
					for i := range o {
						o[i].name = strings.ToLower(o[i].name)
					}
					return o
				})()
				c.Expect = c.Expect.or("record")
				return c
			}},
		{"lower-case-rows", "likewise, of the rows only", "lower case", func() *Case {
			c := newWorld().roundTrip("text")
			for i := range c.Metastore {
				c.Metastore[i].Record = editAll(c.Metastore[i].Record, func(o object) object {
					for i := range o {
						o[i].name = strings.ToLower(o[i].name)
					}
					return o
				})
			}
			c.Expect = c.Expect.or("key-record")
			return c
		}},
	}
}

func has(o object, name string) bool {
	return slices.ContainsFunc(o, func(f field) bool { return f.name == name })
}

// notRevoked adds the mark to what is a key: not to the outermost object of a record, nor to ParentKeyMeta.
func notRevoked(o object) object {
	if has(o, "Created") && has(o, "Key") {
		o = append(o, field{"Revoked", false})
	}
	return o
}

// inOrder puts the named fields first.
func inOrder(o object, names ...string) object {
	place := func(f field) int {
		if i := slices.Index(names, f.name); i >= 0 {
			return i
		}
		return len(names)
	}
	slices.SortStableFunc(o, func(a, b field) int { return place(a) - place(b) })
	return o
}

var firstLetter = regexp.MustCompile(`"(\w)(\w*":)`)

func escapeLetters(text string) string {
	text = firstLetter.ReplaceAllStringFunc(text, func(name string) string {
		return fmt.Sprintf(`"\u%04x%s`, name[1], name[2:])
	})
	return strings.ReplaceAll(text, "/", `\/`)
}
