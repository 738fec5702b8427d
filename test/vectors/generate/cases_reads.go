// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/hex"
	"strings"
	"time"
)

// named is a case whose service, product and partition all hold a text.
func named(text string) func() *Case {
	return func() *Case {
		w := newWorld()
		w.service, w.product, w.partition = "service"+text, "product"+text, text
		return w.roundTrip("data of " + text)
	}
}

func names() []spec {
	return []spec{
		{"plain-names", "letters only", "", named("plain")},
		{"html-in-names", "< > & ', which some JSON writers escape", "", named("<&>'</script>")},
		{"quotes-and-backslashes-in-names", "what every JSON writer must escape", "", named(`"quoted" back\slash`)},
		{"controls-in-names", "U+0001, tabulator, line feed, delete", "", named("\u0001\t\n\u007f")},
		{"line-separators-in-names", "U+2028 and U+2029, which some JSON writers escape", "", named("\u2028x\u2029")},
		{"composed-name", "e with acute accent as U+00E9: names are never normalized", "", named("\u00e9")},
		{"decomposed-name", "the same to the eye as e and U+0301", "", named("e\u0301")},
		{"other-scripts-in-names", "Cyrillic, Japanese, and a character outside the basic plane", "", named("ключ 日本 🔑")},
		{"blanks-in-names", "a blank before, between and behind", "", named(" a b ")},
		{"percent-in-names", "what URLs and SQL patterns treat specially", "", named("%20?#&=+%_")},
		{"long-names", "180 characters in one of them", "", func() *Case {
			w := newWorld()
			w.partition = strings.Repeat("x", 180)
			return w.roundTrip("text")
		}},
		{"partition-null", "the four letters null, which the Java library makes of a missing partition", "", func() *Case {
			w := newWorld()
			w.partition = "null"
			return w.roundTrip("text")
		}},
		{"partition-empty", "ids of the form _IK__service_product, as the Java and C# libraries make of an empty partition",
			"renamed", func() *Case {
				c := newWorld().roundTrip("text").renamed("_IK_partition_", "_IK__")
				c.Partition = ""
				c.Expect = c.Expect.or("partition")
				return c
			}},
		{"underscores-in-service-or-product", "service a_b of product c has the keys of service a of product b_c",
			"other session", func() *Case {
				w := newWorld()
				w.service, w.product = "a", "b_c"
				c := w.roundTrip("text")
				c.Service, c.Product = "a_b", "c"
				return c
			}},
		{"underscores-in-partition", "partition a_b of service c has the intermediate keys of partition a of service b_c, under " +
			"another system key", "other session", func() *Case {
			w := newWorld()
			w.service, w.partition = "b_c", "a"
			c := w.roundTrip("text")
			c.Service, c.Partition = "c", "a_b"
			c.Expect = c.Expect.or("key-record")
			return c
		}},
	}
}

func data() []spec {
	of := func(name, about, data string) spec {
		return spec{name, about, "", func() *Case { return newWorld().roundTrip(data) }}
	}
	var bytes [256]byte
	for i := range bytes {
		bytes[i] = byte(i)
	}
	return []spec{
		of("empty", "no byte at all", ""),
		of("one-byte", "one zero byte", "\x00"),
		of("text", "ASCII", "text"),
		of("unicode-text", "all lengths of UTF-8, U+0000 and U+2028", "é日🔑\u0000\u2028\"<&>\\"),
		of("byte-order-mark", "it belongs to the data", "\ufefftext"),
		of("crlf", "ends of lines stay as they are", "a\r\nb\rc\n"),
		of("every-byte", "all 256 values, which is no UTF-8", string(bytes[:])),
		of("half-a-surrogate-pair", "UTF-8's form of U+D800, which is no UTF-8", "\xed\xa0\x80"),
		of("block-of-aes", "16 bytes", strings.Repeat("x", 16)),
		of("large", "16,385 bytes, which are no UTF-8", strings.Repeat("\xff", 1024)+string(random(15*1024+1))),
	}
}

// unix is a date as key rows have it.
func unix(date string) int64 { return need(time.Parse(time.RFC3339, date)).Unix() }

func keys() []spec {
	generation := func(wanted int) func() *Case {
		return func() *Case {
			w := newWorld().rotating()
			var record string
			for i := range 3 {
				if text := w.encrypt("text"); i == wanted {
					record = text
				}
				time.Sleep(1100 * time.Millisecond)
			}
			return w.record(record, plaintext("text"))
		}
	}
	// revoked is a case of a record of before or after a revocation.
	revoked := func(after bool, prefixes ...string) func() *Case {
		return func() *Case {
			w := newWorld()
			w.policy.CreateDatePrecision = time.Second
			old := w.encrypt("old")
			for _, prefix := range prefixes {
				w.store.revoke(prefix)
			}
			time.Sleep(1100 * time.Millisecond)
			next := w.encrypt("next")
			if after {
				return w.record(next, plaintext("next"))
			}
			return w.record(old, plaintext("old"))
		}
	}
	moved := func(date string) func() *Case {
		return func() *Case { return newWorld().roundTrip("text").moved(unix(date)) }
	}
	return []spec{
		{"first-of-three-generations", "three system and three intermediate keys; expired ones decrypt", "", generation(0)},
		{"second-of-three-generations", "likewise, neither the oldest nor the latest key", "", generation(1)},
		{"third-of-three-generations", "likewise, the latest key", "", generation(2)},
		{"revoked-intermediate-key", "it decrypts what was encrypted before", "revoked", revoked(false, "_IK_")},
		{"after-a-revoked-intermediate-key", "the next key has the same system key", "revoked", revoked(true, "_IK_")},
		{"revoked-system-key", "it decrypts what was encrypted before", "revoked", revoked(false, "_SK_")},
		{"after-a-revoked-system-key", "both keys are new", "revoked", revoked(true, "_SK_")},
		{"both-keys-revoked", "they decrypt what was encrypted before", "revoked", revoked(false, "_IK_", "_SK_")},
		{"expired-keys", "made on 2020-01-01", "moved", moved("2020-01-01T00:00:00Z")},
		{"hour-that-clocks-skip", "2021-03-28 02:30 UTC; that time of day was skipped in Berlin", "moved",
			moved("2021-03-28T02:30:00Z")},
		{"hour-that-clocks-repeat", "2021-11-07 01:30 UTC; that time of day came twice in New York", "moved",
			moved("2021-11-07T01:30:00Z")},
		{"binary-master-key", "32 bytes that are no text", "", func() *Case {
			w := newWorld()
			w.kms.MasterKeyHex = hex.EncodeToString(append([]byte{0, 0xff, 0x80}, random(29)...))
			return w.roundTrip("text")
		}},
	}
}

func regionSuffix() []spec {
	// across is a record of one suffix and product, read with another suffix by product "product".
	across := func(from, to, product string, change func(Expect) Expect) func() *Case {
		return func() *Case {
			w := newWorld()
			w.product, w.store.suffix = product, from
			c := w.roundTrip("text")
			c.Product, c.RegionSuffix = "product", to
			if change != nil {
				c.Expect = change(c.Expect)
			}
			return c
		}
	}
	refused := func(Expect) Expect { return failure("partition") }
	either := func(e Expect) Expect { return e.or("partition") }
	return []spec{
		{"same-suffix", "key ids end in _us-west-2", "", across("us-west-2", "us-west-2", "product", nil)},
		{"other-suffix", "a record of us-east-1 in us-west-2: replicas of a global table hold each other's rows",
			"other session", across("us-east-1", "us-west-2", "product", nil)},
		{"suffixes-added-later", "a record of before, without a suffix", "other session",
			across("", "us-west-2", "product", nil)},
		{"suffixes-taken-away", "a record with a suffix, in a session without", "other session",
			across("us-west-2", "", "product", either)},
		{"product-that-begins-alike", "product2 without a suffix is not product with one", "other session",
			across("", "us-west-2", "product2", refused)},
		{"product-that-begins-alike-with-suffix", "nor is product2 of the same region", "other session",
			across("us-west-2", "us-west-2", "product2", refused)},
		{"product-with-an-underscore", "product_two is not product of a region two", "other session",
			across("", "us-west-2", "product_two", refused)},
	}
}
