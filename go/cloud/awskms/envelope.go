// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"bytes"
	"encoding/json"
	"strings"

	"asherah-napi/fault"
)

// envelope is what the metastore holds (its Key, in base64): JSON without blanks, fields and regions in this order. All
// Asherah libraries with AWS KMS read and write it.
type envelope struct {
	EncryptedKey []byte `json:"encryptedKey"` // the system key, sealed under the data key
	KEKs         []kek  `json:"kmsKeks"`
}

// kek is the data key, encrypted in one region.
type kek struct {
	Region       string `json:"region"`
	ARN          string `json:"arn"` // as configured where it was written: it may be an id or alias
	EncryptedKEK []byte `json:"encryptedKek"`
}

func (e *envelope) marshal() []byte {
	text, err := json.Marshal(e)
	if err != nil {
		panic("awskms: internal error: " + err.Error()) // strings and bytes always have a JSON text
	}
	return text
}

// parseEnvelope takes fields in any order, and more of them than it knows.
func parseEnvelope(text []byte) (*envelope, error) {
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{")) { // the sealed key of a static KMS, for example
		return nil, fault.New(fault.InvalidKeyRecord, "a system key that AWS KMS encrypted: expected JSON, got %d bytes of something else; was it encrypted by another KMS?", len(text))
	}
	e := new(envelope)
	if err := json.Unmarshal(text, e); err != nil {
		return nil, fault.Wrap(fault.InvalidKeyRecord, err, "a system key that AWS KMS encrypted")
	}
	if len(e.EncryptedKey) == 0 || len(e.KEKs) == 0 {
		return nil, fault.New(fault.InvalidKeyRecord, "a system key that AWS KMS encrypted: expected encryptedKey and kmsKeks")
	}
	return e, nil
}

// kek is the one for a region: of its configured key if there are several. Nil: the region was left out.
func (e *envelope) kek(r *region) *kek {
	var found *kek
	for i := range e.KEKs {
		if c := &e.KEKs[i]; c.Region == r.name && len(c.EncryptedKEK) > 0 && (found == nil || c.ARN == r.key) {
			found = c
		}
	}
	return found
}

func (e *envelope) regions() string {
	var names []string
	for _, c := range e.KEKs {
		names = append(names, c.Region)
	}
	return strings.Join(names, ", ")
}
