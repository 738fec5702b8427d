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
	"unsafe"

	"asherah-napi/capi"
	"asherah-napi/local"
)

//export asherah_start
func asherah_start(host *C.asherah_host, e *C.asherah_error) C.int32_t {
	return C.int32_t(capi.Start(local.Open, unsafe.Pointer(host), unsafe.Pointer(e)))
}

func main() {} // never run
