// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"time"
)

// rejectedRecords are records that must not decrypt, beside rows that are in order.
func rejectedRecords() []spec {
	// other is the session of another name reading the record.
	other := func(name, about, written string, change func(*Case)) spec {
		return spec{name, about, "other session", func() *Case {
			w := newWorld()
			w.partition = written
			c := w.roundTrip("text").fails("partition")
			change(c)
			return c
		}}
	}
	changed := func(name, about, rule, kind string, change func(object) object) spec {
		return spec{name, about, rule, func() *Case {
			return newWorld().roundTrip("some text").fails(kind).editRecord(change)
		}}
	}
	text := func(name, about string, change func(string) string) spec {
		return spec{name, about, "not a record", func() *Case {
			c := newWorld().roundTrip("text").fails("record")
			c.Record = change(c.Record)
			return c
		}}
	}
	// mixed is one of two records of the same keys with a field of the other one.
	mixed := func(name, about string, path ...string) spec {
		return spec{name, about, "exchanged", func() *Case {
			w := newWorld()
			donor := parseObject([]byte(w.encrypt("other")))
			return w.roundTrip("text").fails("authentication").editRecord(set(donor.at(path...).value, path...))
		}}
	}
	set := func(raw string, path ...string) func(object) object { return set(json.RawMessage(raw), path...) }
	return []spec{
		other("other-partition", "", "partition", func(c *Case) { c.Partition = "other" }),
		other("partition-that-begins-alike", "the session's is the longer one", "partition", func(c *Case) { c.Partition += "2" }),
		other("partition-of-which-it-begins", "the record's is the longer one", "partition2", func(c *Case) { c.Partition = "partition" }),
		other("partition-in-other-case", "", "Bob", func(c *Case) { c.Partition = "bob" }),
		other("partition-with-a-blank", "", "bob ", func(c *Case) { c.Partition = "bob" }),
		other("partition-in-other-unicode-form", "composed and decomposed are two names", "\u00e9", func(c *Case) { c.Partition = "e\u0301" }),
		other("other-service", "", "partition", func(c *Case) { c.Service = "other" }),
		other("other-product", "", "partition", func(c *Case) { c.Product = "other" }),
		{"id-of-another-partition", "a record that names the intermediate key of a partition that has one", "exchanged", func() *Case {
			w := newWorld()
			w.partition = "other"
			w.encrypt("text")
			w.partition = "partition"
			return w.roundTrip("text").fails("partition").
				editRecord(set(`"_IK_other_service_product"`, "Key", "ParentKeyMeta", "KeyId"))
		}},
		{"created-of-another-generation", "a record that names another intermediate key of its partition", "exchanged", func() *Case {
			w := newWorld().rotating()
			record := w.encrypt("text")
			time.Sleep(2100 * time.Millisecond)
			next := parseObject([]byte(w.encrypt("next")))
			c := w.record(record, failure("authentication"))
			meta := "ParentKeyMeta"
			return c.editRecord(set(string(next.at("Key", meta, "Created").value.(json.RawMessage)), "Key", meta, "Created"))
		}},
		changed("created-that-does-not-exist", "a record that names a key which was never made", "exchanged", "key-not-found",
			set("60", "Key", "ParentKeyMeta", "Created")),
		changed("data-changed-at-the-start", "one bit of the ciphertext", "flipped", "authentication", sealed(flip(0), "Data")),
		changed("data-changed-in-the-tag", "one bit", "flipped", "authentication", sealed(flip(-13), "Data")),
		changed("data-changed-in-the-nonce", "one bit", "flipped", "authentication", sealed(flip(-1), "Data")),
		changed("data-shortened", "one byte is missing at the end", "shortened", "authentication", sealed(keep(-1), "Data")),
		changed("data-shorter-than-tag-and-nonce", "27 bytes", "shortened", "record", sealed(keep(27), "Data")),
		changed("data-shorter-than-a-nonce", "11 bytes", "shortened", "record", sealed(keep(11), "Data")),
		changed("data-empty", "no byte at all", "shortened", "record", sealed(keep(0), "Data")),
		changed("data-row-key-changed", "one bit of the ciphertext", "flipped", "authentication", sealed(flip(0), "Key", "Key")),
		changed("data-row-key-changed-in-the-tag", "one bit", "flipped", "authentication", sealed(flip(-13), "Key", "Key")),
		changed("data-row-key-shortened", "one byte is missing", "shortened", "record", sealed(keep(-1), "Key", "Key")),
		changed("data-row-key-empty", "no byte at all", "shortened", "record", sealed(keep(0), "Key", "Key")),
		mixed("data-of-another-record", "of the same keys", "Data"),
		mixed("data-row-key-of-another-record", "of the same keys", "Key", "Key"),
		changed("no-key", "", "field missing", "record", without("Key")),
		changed("no-data", "", "field missing", "record", without("Data")),
		changed("no-data-row-key", "", "field missing", "record", without("Key", "Key")),
		changed("no-parent", "", "field missing", "record", without("Key", "ParentKeyMeta")),
		changed("parent-null", "", "not a record", "record", set("null", "Key", "ParentKeyMeta")),
		changed("data-of-wrong-type", "a number", "not a record", "record", set("1", "Data")),
		changed("created-of-wrong-type", "a string", "not a record", "record", set(`"now"`, "Key", "ParentKeyMeta", "Created")),
		changed("data-not-base64", "", "not a record", "record", set(`"*"`, "Data")),
		text("record-cut-off", "its last ten characters are missing", func(t string) string { return t[:len(t)-10] }),
		text("record-followed-by-more", "two records in one text", func(t string) string { return t + t }),
		text("record-in-an-array", "", func(t string) string { return "[" + t + "]" }),
		text("record-null", "", func(string) string { return "null" }),
		text("record-of-no-characters", "", func(string) string { return "" }),
		text("record-not-json", "with single quotes", func(t string) string { return strings.ReplaceAll(t, `"`, "'") }),
	}
}

// rejectedRows are rows that must not be used, beside a record that is in order.
func rejectedRows() []spec {
	changed := func(name, about, rule, kind, row string, change func(object) object) spec {
		return spec{name, about, rule, func() *Case {
			return newWorld().roundTrip("text").fails(kind).editRow(row, change)
		}}
	}
	const ik, sk = "_IK_", "_SK_"
	none := json.RawMessage("null")
	return []spec{
		{"intermediate-key-missing", "", "row missing", func() *Case { return newWorld().roundTrip("text").dropRow(ik).fails("key-not-found") }},
		{"system-key-missing", "", "row missing", func() *Case { return newWorld().roundTrip("text").dropRow(sk).fails("key-not-found") }},
		{"metastore-empty", "", "row missing", func() *Case {
			return newWorld().roundTrip("text").dropRow(sk).dropRow(ik).fails("key-not-found")
		}},
		{"intermediate-key-of-another-partition", "its row was copied over that of this partition", "exchanged", func() *Case {
			w := newWorld()
			w.policy.CreateDatePrecision = 24 * time.Hour // so that both have one date
			c := w.roundTrip("text").fails("authentication")
			w.partition = "other"
			w.encrypt("text")
			donor := w.record("{}", Expect{})
			c.row(ik).Record = donor.row(ik + "other").Record
			return c
		}},
		{"system-key-of-another-service", "the row of the intermediate key names it", "exchanged", func() *Case {
			w := newWorld()
			w.policy.CreateDatePrecision = 24 * time.Hour
			w.service = "other"
			w.encrypt("text")
			w.service = "service"
			return w.roundTrip("text").fails("key-record").editRow(ik+"partition_service", set("_SK_other_product", "ParentKeyMeta", "KeyId"))
		}},
		{"system-key-under-another-master-key", "", "other session", func() *Case {
			c := newWorld().roundTrip("text").fails("kms")
			c.KMS.MasterKeyHex = strings.Repeat("5a", 32)
			return c
		}},
		changed("intermediate-key-changed", "one bit of the ciphertext", "flipped", "key-record", ik, sealed(flip(0), "Key")),
		changed("intermediate-key-shortened", "one byte is missing", "shortened", "key-record", ik, sealed(keep(-1), "Key")),
		changed("intermediate-key-empty", "no byte at all", "shortened", "key-record", ik, sealed(keep(0), "Key")),
		changed("intermediate-key-without-parent", "", "field missing", "key-record", ik, without("ParentKeyMeta")),
		changed("intermediate-key-with-parent-null", "", "not a record", "key-record", ik, set(none, "ParentKeyMeta")),
		changed("intermediate-key-without-key", "", "field missing", "key-record", ik, without("Key")),
		changed("intermediate-key-of-a-system-key-that-does-not-exist", "", "exchanged", "key-not-found", ik,
			set(60, "ParentKeyMeta", "Created")),
		changed("system-key-changed", "one bit of the ciphertext", "flipped", "kms", sk, sealed(flip(0), "Key")),
		changed("system-key-shortened", "one byte is missing", "shortened", "kms", sk, sealed(keep(-1), "Key")),
		changed("system-key-empty", "no byte at all", "shortened", "kms", sk, sealed(keep(0), "Key")),
		{"intermediate-key-not-json", "its text is cut off", "not a record", func() *Case {
			c := newWorld().roundTrip("text").fails("key-record")
			c.row(ik).Record = c.row(ik).Record[:20]
			return c
		}},
		{"system-key-not-json", "its text is cut off", "not a record", func() *Case {
			c := newWorld().roundTrip("text").fails("key-record")
			c.row(sk).Record = c.row(sk).Record[:20]
			return c
		}},
	}
}
