// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"slices"
	"strings"
)

// The rules by which a case is derived from what the library wrote; README.md states each of them. None needs a key: ids,
// dates and the form of the JSON are not authenticated.

// row is the first one whose id begins so.
func (c *Case) row(prefix string) *Row {
	i := slices.IndexFunc(c.Metastore, func(r Row) bool { return strings.HasPrefix(r.ID, prefix) })
	if i < 0 {
		panic("no row " + prefix)
	}
	return &c.Metastore[i]
}

func (c *Case) editRow(prefix string, change func(object) object) *Case {
	r := c.row(prefix)
	r.Record = edit(r.Record, change)
	return c
}

func (c *Case) editRecord(change func(object) object) *Case {
	c.Record = edit(c.Record, change)
	return c
}

func (c *Case) dropRow(prefix string) *Case {
	id := c.row(prefix).ID
	c.Metastore = slices.DeleteFunc(c.Metastore, func(r Row) bool { return r.ID == id })
	return c
}

// texts changes the record and all rows alike.
func (c *Case) texts(change func(text string) string) *Case {
	c.Record = change(c.Record)
	for i := range c.Metastore {
		c.Metastore[i].Record = change(c.Metastore[i].Record)
	}
	return c
}

// moved gives all keys the age that they have if the first system key was made at a time.
func (c *Case) moved(created int64) *Case {
	by := created - c.row("_SK_").Created
	for i := range c.Metastore {
		c.Metastore[i].Created += by
	}
	return c.texts(func(text string) string {
		return editAll(text, func(o object) object {
			for i, f := range o {
				if f.name == "Created" {
					var old int64
					must(json.Unmarshal(f.value.(json.RawMessage), &old))
					o[i].value = old + by
				}
			}
			return o
		})
	})
}

// renamed changes a part of all key ids.
func (c *Case) renamed(from, to string) *Case {
	for i := range c.Metastore {
		c.Metastore[i].ID = strings.Replace(c.Metastore[i].ID, from, to, 1)
	}
	return c.texts(func(text string) string {
		return editAll(text, func(o object) object {
			for i, f := range o {
				if f.name == "KeyId" {
					var id string
					must(json.Unmarshal(f.value.(json.RawMessage), &id))
					o[i].value = strings.Replace(id, from, to, 1)
				}
			}
			return o
		})
	})
}

// revoke sets the mark in the rows whose id begins so, as an operator does in the metastore. The library goes on with them.
func (s *store) revoke(prefix string) {
	for i, r := range s.rows {
		if strings.HasPrefix(r.ID, prefix) {
			s.rows[i].Record = edit(r.Record, func(o object) object { return append(object{{"Revoked", true}}, o...) })
		}
	}
}
