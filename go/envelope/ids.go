// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"slices"
	"strings"
)

// Key ids are the Go library's (appencryption, partition.go): _SK_{service}_{product} and
// _IK_{partition}_{service}_{product}, with _{suffix} where the metastore has a region suffix. Nothing in them is escaped.

func (c *Config) systemKeyID() string {
	return c.withSuffix("_SK_" + c.Service + "_" + c.Product)
}

func (c *Config) intermediateKeyID(partition string) string {
	return c.withSuffix("_IK_" + partition + "_" + c.Service + "_" + c.Product)
}

func (c *Config) withSuffix(id string) string {
	if c.RegionSuffix == "" {
		return id
	}
	return id + "_" + c.RegionSuffix
}

// looksLikeAWSRegion says whether s has the form of us-west-2, us-gov-east-1, us-isob-east-1: a country, one to three
// words, a number of one or two digits. (Package regexp would be a tenth of a megabyte of the addon.)
func looksLikeAWSRegion(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) < 3 || len(parts) > 5 || len(parts[0]) != 2 {
		return false
	}
	number := parts[len(parts)-1]
	return consistsOf(number, '0', '9') && len(number) <= 2 &&
		!slices.ContainsFunc(parts[:len(parts)-1], func(word string) bool { return !consistsOf(word, 'a', 'z') })
}

func consistsOf(s string, from, to rune) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c < from || c > to })
}

// accepts says whether a key id found in a record or a key row belongs to own, an id of ours: it is own, or differs from
// it only by the suffix, which is none, a configured one, or looks like an AWS region. The Go library accepts anything that
// begins with the unsuffixed id, so _IK_p_svc_prod admits _IK_p_svc_prod2; we ask for the delimiter.
func (c *Config) accepts(own, found string) bool {
	if found == own {
		return true
	}
	base := own
	if c.RegionSuffix != "" {
		base = strings.TrimSuffix(own, "_"+c.RegionSuffix)
	}
	suffix, ok := strings.CutPrefix(found, base)
	if !ok || suffix == "" {
		return ok
	}
	suffix, ok = strings.CutPrefix(suffix, "_")
	return ok && (slices.Contains(c.RecoveryRegionSuffixes, suffix) || looksLikeAWSRegion(suffix))
}
