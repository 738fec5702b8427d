// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"strings"
)

// object is a JSON object whose fields keep their order.
type object []field

type field struct {
	name  string
	value any // an object, a json.RawMessage, or what a change put there
}

func parseObject(text []byte) (o object) {
	d := json.NewDecoder(bytes.NewReader(text))
	need(d.Token())
	for d.More() {
		name := need(d.Token()).(string)
		var raw json.RawMessage
		must(d.Decode(&raw))
		if raw[0] == '{' {
			o = append(o, field{name, parseObject(raw)})
		} else {
			o = append(o, field{name, raw})
		}
	}
	return o
}

func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(need(json.Marshal(f.name)))
		b.WriteByte(':')
		b.Write(need(json.Marshal(f.value)))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// edit gives the text of an object after a change.
func edit(text string, change func(object) object) string {
	return string(need(json.Marshal(change(parseObject([]byte(text))))))
}

// editAll is edit for the object and every object in it, the inner ones first.
func editAll(text string, change func(object) object) string {
	var all func(o object) object
	all = func(o object) object {
		for i := range o {
			if inner, ok := o[i].value.(object); ok {
				o[i].value = all(inner)
			}
		}
		return change(o)
	}
	return edit(text, all)
}

// at gives the field at a path of names.
func (o object) at(path ...string) *field {
	for i := range o {
		if o[i].name != path[0] {
			continue
		}
		if len(path) == 1 {
			return &o[i]
		}
		return o[i].value.(object).at(path[1:]...)
	}
	panic("no field " + strings.Join(path, "."))
}

func set(value any, path ...string) func(object) object {
	return func(o object) object {
		o.at(path...).value = value
		return o
	}
}

// without takes a field out; with a longer path, one of an inner object.
func without(path ...string) func(object) object {
	return func(o object) object {
		if len(path) > 1 {
			inner := o.at(path[0])
			inner.value = without(path[1:]...)(inner.value.(object))
			return o
		}
		var left object
		for _, f := range o {
			if f.name != path[0] {
				left = append(left, f)
			}
		}
		return left
	}
}

// sealed changes the bytes of a ciphertext.
func sealed(change func([]byte) []byte, path ...string) func(object) object {
	return func(o object) object {
		f := o.at(path...)
		var b []byte
		must(json.Unmarshal(f.value.(json.RawMessage), &b))
		f.value = change(b)
		return o
	}
}

// flip changes the lowest bit of the byte at a place; places below 0 count from the end.
func flip(place int) func([]byte) []byte {
	return func(b []byte) []byte {
		if place < 0 {
			place += len(b)
		}
		b[place] ^= 1
		return b
	}
}

// keep leaves that many bytes of the beginning; below 0, cuts that many off the end.
func keep(size int) func([]byte) []byte {
	return func(b []byte) []byte {
		if size < 0 {
			size += len(b)
		}
		return b[:size]
	}
}
