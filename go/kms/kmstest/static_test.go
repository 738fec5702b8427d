// SPDX-License-Identifier: Apache-2.0

package kmstest_test

import (
	"bytes"
	"testing"

	"asherah-napi/aesgcm"
	"asherah-napi/kms"
	"asherah-napi/kms/kmstest"
	"asherah-napi/lockedmem"
)

func TestStatic(t *testing.T) {
	if err := aesgcm.Check(); err != nil {
		t.Fatal(err)
	}
	kmstest.Run(t, func(t *testing.T) kms.KMS {
		slot, err := lockedmem.Get(false)
		if err != nil {
			t.Fatal(err)
		}
		k, err := kms.NewStatic(bytes.Repeat([]byte{7}, aesgcm.KeySize), slot)
		if err != nil {
			t.Fatal(err)
		}
		return k
	})
}
