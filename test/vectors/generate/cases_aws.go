// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"slices"
)

const (
	west = "us-west-2"
	east = "us-east-1"
)

var arns = map[string]string{
	west: "arn:aws:kms:us-west-2:000000000000:key/00000000-0000-4000-8000-000000000001",
	east: "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-4000-8000-000000000002",
}

// awsKMS is that of these regions, of which the first is preferred.
func awsKMS(regions ...string) KMS {
	k := KMS{Type: "aws", PreferredRegion: regions[0], RegionMap: map[string]string{}}
	for _, r := range regions {
		k.RegionMap[r] = arns[r]
	}
	return k
}

// awsCase is a record written with some regions.
func awsCase(regions ...string) *Case {
	w := newWorld()
	w.kms = awsKMS(regions...)
	return w.roundTrip("text")
}

// readWith makes the reader's regions others than the writer's.
func (c *Case) readWith(regions ...string) *Case {
	answers := c.KMS.Decrypts
	c.KMS = awsKMS(regions...)
	c.KMS.Decrypts = answers
	return c
}

// withoutAnswersOf takes the answers of a region away: there the ciphertext is invalid, or the region is down.
func (c *Case) withoutAnswersOf(region string) *Case {
	c.KMS.Decrypts = slices.DeleteFunc(c.KMS.Decrypts, func(d Decrypt) bool { return d.Region == region })
	return c
}

// envelope changes the JSON text that the system key's row has in base64.
func (c *Case) envelope(change func(object) object) *Case {
	return c.editRow("_SK_", sealed(func(text []byte) []byte { return []byte(edit(string(text), change)) }, "Key"))
}

// keks changes the list of data keys in the envelope.
func (c *Case) keks(change func([]json.RawMessage) []json.RawMessage) *Case {
	return c.envelope(func(o object) object {
		f := o.at("kmsKeks")
		var list []json.RawMessage
		must(json.Unmarshal(f.value.(json.RawMessage), &list))
		f.value = change(list)
		return o
	})
}

func (c *Case) fails(kind string) *Case {
	c.Expect = failure(kind)
	return c
}

func awsEnvelopes() []spec {
	reversed := func(o object) object { slices.Reverse(o); return o }
	editKEK := func(change func(object) object) func([]json.RawMessage) []json.RawMessage {
		return func(list []json.RawMessage) []json.RawMessage {
			for i := range list {
				list[i] = json.RawMessage(edit(string(list[i]), change))
			}
			return list
		}
	}
	return []spec{
		{"aws-one-region", "an envelope with one data key", "", func() *Case { return awsCase(west) }},
		{"aws-two-regions", "decrypted by the region that generated the data key", "", func() *Case { return awsCase(west, east) }},
		{"aws-other-region-preferred", "decrypted by the region that encrypted the data key", "other session",
			func() *Case { return awsCase(west, east).readWith(east, west) }},
		{"aws-first-region-fails", "the preferred region does not know the ciphertext, the other one does", "other session",
			func() *Case { return awsCase(west, east).withoutAnswersOf(west) }},
		{"aws-reader-with-the-other-region-only", "the reader knows one of the envelope's regions, not the preferred one",
			"other session", func() *Case { return awsCase(west, east).readWith(east) }},
		{"aws-region-left-out", "the preferred region is not in the envelope", "other session",
			func() *Case { return awsCase(east).readWith(west, east) }},
		{"aws-other-order", "data keys and all fields of the envelope in reverse order", "order", func() *Case {
			return awsCase(west, east).keks(editKEK(reversed)).
				keks(func(l []json.RawMessage) []json.RawMessage { slices.Reverse(l); return l }).envelope(reversed)
		}},
		{"aws-unknown-fields", "in the envelope and in each data key", "unknown fields", func() *Case {
			more := func(o object) object { return append(object{{"extra", json.RawMessage(`{"a":[null]}`)}}, o...) }
			return awsCase(west, east).keks(editKEK(more)).envelope(more)
		}},
		{"aws-no-region-in-common", "the reader's only region is not in the envelope", "other session",
			func() *Case { return awsCase(west).readWith(east).fails("kms") }},
		{"aws-all-regions-fail", "no region knows its ciphertext", "other session",
			func() *Case { return awsCase(west, east).withoutAnswersOf(west).withoutAnswersOf(east).fails("kms") }},
		{"aws-encrypted-key-changed", "one bit of the system key's ciphertext", "flipped", func() *Case {
			return awsCase(west, east).envelope(sealed(flip(0), "encryptedKey")).fails("kms")
		}},
		{"aws-data-keys-changed", "one bit of each region's ciphertext", "flipped", func() *Case {
			return awsCase(west, east).keks(editKEK(sealed(flip(0), "encryptedKek"))).fails("kms")
		}},
		{"aws-no-data-keys", "an envelope of which nothing is left", "emptied", func() *Case {
			return awsCase(west).envelope(set([]string{}, "kmsKeks")).fails("key-record")
		}},
		{"aws-row-of-a-static-kms", "the system key is not in an envelope", "other session", func() *Case {
			c := newWorld().roundTrip("text")
			return c.readWith(west).fails("key-record")
		}},
		{"static-row-of-aws", "the reader has a master key, the row an envelope", "other session", func() *Case {
			c := awsCase(west)
			c.KMS = newWorld().kms
			return c.fails("kms")
		}},
		{"aws-envelope-empty", "no byte at all", "emptied", func() *Case {
			return awsCase(west).editRow("_SK_", set("", "Key")).fails("key-record")
		}},
	}
}
