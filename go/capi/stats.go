// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"encoding/json"

	"asherah-napi/aesgcm"
	"asherah-napi/envelope"
	"asherah-napi/lockedmem"
)

// statsOf is what asherah_stats writes: counts of one factory, or of the whole process.
func statsOf(number uint64) []byte {
	var v any
	if number == 0 {
		v = struct {
			Factories    int    `json:"factories"`
			Sessions     int    `json:"sessions"`
			Listeners    int    `json:"listeners"`
			Calls        int64  `json:"calls"`    // asynchronous ones under way
			KeySlots     int    `json:"keySlots"` // in use; a few belong to no key but to calls
			MemoryLocked bool   `json:"memoryLocked"`
			KeyExpansion string `json:"keyExpansion"` // "in place" or "plain", see package aesgcm
		}{factories.len(), sessions.len(), listeners.len(), underWay.Load(), lockedmem.InUse(), lockedmem.LockFailure() == nil, aesgcm.Mode}
	} else if f, ok := factories.get(number); ok {
		v = f.envelope.Stats()
	} else {
		v = envelope.Stats{}
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic("capi: internal error: " + err.Error()) // numbers and strings always encode
	}
	return text
}
