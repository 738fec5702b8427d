// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

const whole = `{"service":"s","product":"p","regionSuffix":"r","recoveryRegionSuffixes":["a","b"],"expireAfter":7776000,
	"checkInterval":3600,"maxKeyStaleness":7200,"requestTimeoutMs":10000,"intermediateKeyCacheMaxSize":1000,
	"systemKeyCacheMaxSize":100,"lockedMemory":"require",
	"kms":{"type":"aws","regions":[{"region":"us-west-2","key":"arn","endpoint":"e"},{"region":"","key":"k","endpoint":""}],
		"requireAllRegions":true,"regionTimeoutMs":5000},
	"metastore":{"type":"sqlite","path":"keys.db","busyTimeoutMs":1,"table":"t","region":"m","signingRegion":"n",
		"endpoint":"o","regionSuffix":true,"connectionString":"c","replicaReadConsistency":"q","requireTls":true,
		"caFile":"f","poolMaxOpen":2,"poolMaxIdle":3,"poolMaxLifetimeMs":4,"poolMaxIdleTimeMs":5},
	"aws":{"environment":{"AWS_REGION":"x"},"profile":"y","credentialsFunction":true}}`

// A field that is added to Config and not read would be accepted nowhere, or ignored. Every field of whole has a value that
// is not zero, and encoding/json, which takes names in any case, fills in the same Config.
func TestEveryFieldOfTheConfigurationIsRead(t *testing.T) {
	got, err := parseConfig([]byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	var want Config
	if err := json.Unmarshal([]byte(whole), &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(*got, want) {
		t.Errorf("got  %+v\nwant %+v", *got, want)
	}
	for _, part := range []any{want, want.KMS, want.KMS.Regions[0], want.Metastore, want.AWS} {
		v := reflect.ValueOf(part)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s.%s has no value in this test", v.Type(), v.Type().Field(i).Name)
			}
		}
	}
}

func TestAConfigurationThatIsNotUnderstoodIsRefused(t *testing.T) {
	for _, change := range [][3]string{
		{`"service"`, `"Service"`, "unknown field Service"},
		{`"expireAfter"`, `"x":1,"expireAfter"`, "unknown field x"},
		{`"region":"us`, `"x":{},"region":"us`, "unknown field x"},
		{`"path"`, `"x":null,"path"`, "unknown field x"},
		{`"profile"`, `"x":[],"profile"`, "unknown field x"},
		{`"service":"s"`, `"service":null`, "wrong type of service"},
		{`3600`, `"3600"`, "wrong type of checkInterval"},
		{`3600`, `3600.5`, "no integer: checkInterval"},
		{`3600`, `9007199254740992`, "no integer: checkInterval"},
		{`"kms":{`, `"kms":1,"x":{`, "wrong type of kms"},
		{`["a","b"]`, `["a",1]`, "recoveryRegionSuffixes"},
		{`[{`, `[1,{`, "regions"},
		{`{"AWS_REGION":"x"}`, `{"AWS_REGION":1}`, "environment"},
		{`3600`, `0`, "out of range"},
		{`3600`, `4000000000`, "out of range"},
		{`"require"`, `"none"`, "out of range"},
		{whole, whole + "{}", "after top-level value"},
		{whole, "", "unexpected end"},
		{whole, "[]", "array"},
		{whole, "null", "out of range"},
	} {
		text := strings.Replace(whole, change[0], change[1], 1)
		if _, err := parseConfig([]byte(text)); err == nil || !strings.Contains(err.Error(), change[2]) {
			t.Errorf("%q for %q: %v; want %q", change[1], change[0], err, change[2])
		}
	}
}
