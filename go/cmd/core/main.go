// SPDX-License-Identifier: Apache-2.0

// Command core is the Go half of the addon asherah-core: the engine with what needs no network. It is built as a C archive
// and linked with src-cpp. Nothing here may import crypto/tls, crypto/x509, net or net/http, directly or not
// (test/go-dependencies.test.js).
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../../src-cpp
#include "asherah.h"
*/
import "C"

import (
	"time"
	"unsafe"

	"asherah-napi/capi"
	"asherah-napi/fault"
	"asherah-napi/kms"
	"asherah-napi/lockedmem"
	"asherah-napi/metastore"
	"asherah-napi/metastore/sqlite"
)

//export asherah_start
func asherah_start(host *C.asherah_host, e *C.asherah_error) C.int32_t {
	return C.int32_t(capi.Start(capi.Parts{KMS: newKMS, Metastore: newMetastore}, unsafe.Pointer(host), unsafe.Pointer(e)))
}

func newKMS(c *capi.Config, masterKey []byte) (kms.KMS, error) {
	if c.KMS.Type != "static" {
		return nil, fault.New(fault.InvalidConfig, "kms: this addon has no %q", c.KMS.Type)
	}
	slot, err := lockedmem.Get(c.LockedMemory == "require")
	if err != nil {
		return nil, fault.Wrap(fault.LockedMemory, err, "lockedMemory")
	}
	return kms.NewStatic(masterKey, slot)
}

func newMetastore(c *capi.Config) (metastore.Metastore, error) {
	switch c.Metastore.Type {
	case "memory":
		return metastore.NewMemory(), nil
	case "sqlite":
		return sqlite.New(c.Metastore.Path, time.Duration(c.Metastore.BusyTimeoutMs)*time.Millisecond)
	default:
		return nil, fault.New(fault.InvalidConfig, "metastore: this addon has no %q", c.Metastore.Type)
	}
}

func main() {} // never run
