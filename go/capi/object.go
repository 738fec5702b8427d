// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"encoding/json"
	"errors"
	"math"
)

// object hands out the fields of a JSON object one by one; in the end, check tells of those that nobody asked for. One that
// is missing is a zero. json.Unmarshal into a struct would first learn the struct's fields by reflection: 0.1 ms of the
// start of a process, which reads a single configuration.
type object struct {
	fields map[string]any
	text   *objects
}

// objects are all those of one text.
type objects struct {
	list    []object
	failure error // the first
}

func parseObject(text []byte) (object, error) {
	var fields map[string]any
	err := json.Unmarshal(text, &fields)
	return new(objects).add(fields), err
}

func (all *objects) add(fields map[string]any) object {
	o := object{fields, all}
	all.list = append(all.list, o)
	return o
}

func (o object) fail(what, name string) {
	if o.text.failure == nil {
		o.text.failure = errors.New(what + " " + name)
	}
}

// check fails if a field had another type than it was asked for, or nobody asked for it. For the outermost object, when all
// were read.
func (o object) check() error {
	for _, each := range o.text.list {
		for name := range each.fields {
			o.fail("unknown field", name)
		}
	}
	return o.text.failure
}

func take[T any](o object, name string) (value T) {
	v, there := o.fields[name]
	delete(o.fields, name)
	if there {
		if value, there = v.(T); !there {
			o.fail("wrong type of", name)
		}
	}
	return value
}

func (o object) string(name string) string { return take[string](o, name) }
func (o object) bool(name string) bool     { return take[bool](o, name) }

// int takes what a JavaScript number holds exactly.
func (o object) int(name string) int64 {
	v := take[float64](o, name)
	if v != math.Trunc(v) || math.Abs(v) >= 1<<53 {
		o.fail("no integer:", name)
		return 0
	}
	return int64(v)
}

func (o object) strings(name string) []string {
	var list []string
	for _, v := range take[[]any](o, name) {
		s, ok := v.(string)
		if !ok {
			o.fail("wrong type of an element of", name)
		}
		list = append(list, s)
	}
	return list
}

func (o object) object(name string) object {
	return o.text.add(take[map[string]any](o, name))
}

func (o object) objects(name string) []object {
	var list []object
	for _, v := range take[[]any](o, name) {
		fields, ok := v.(map[string]any)
		if !ok {
			o.fail("wrong type of an element of", name)
		}
		list = append(list, o.text.add(fields))
	}
	return list
}

func (o object) stringMap(name string) map[string]string {
	result := map[string]string{}
	for key, v := range take[map[string]any](o, name) {
		s, ok := v.(string)
		if !ok {
			o.fail("wrong type of a value of", name)
		}
		result[key] = s
	}
	return result
}
