// SPDX-License-Identifier: Apache-2.0

// Package record reads and writes the two JSON texts that every Asherah shares: the data row record, which encrypt
// returns, and the key record, which the metastore holds. Field names, order and meaning are those of the Go library
// (github.com/godaddy/asherah/go/appencryption, types DataRowRecord and EnvelopeKeyRecord).
package record

import (
	"bytes"
	"encoding/json"
	"errors"
)

// KeyMeta names a key: its id and when it was created, in Unix seconds.
type KeyMeta struct {
	ID      string `json:"KeyId"`
	Created int64  `json:"Created"`
}

// KeyRecord is an encrypted intermediate or system key as the metastore holds it. Key is the ciphertext;
// ParentKeyMeta is nil for a system key, whose parent is the KMS.
type KeyRecord struct {
	Revoked       bool     `json:"Revoked,omitempty"`
	Created       int64    `json:"Created"`
	Key           []byte   `json:"Key"`
	ParentKeyMeta *KeyMeta `json:"ParentKeyMeta,omitempty"`
}

// ParseKeyRecord reads a key record as encoding/json does: fields in any order, names in any case, unknown ones ignored.
// So rows of the Java and C# libraries ("Revoked":false, other orders) and rows edited by hand are read as the Go library
// reads them.
func ParseKeyRecord(text []byte) (*KeyRecord, error) {
	var r *KeyRecord
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, errors.New("not a key record: " + describe(err))
	}
	if r == nil {
		return nil, errors.New("not a key record: null")
	}
	return r, nil
}

// AppendKeyRecord appends the record's JSON text to dst. < > & are written as they are, not as \u003c: all Asherahs read
// both, but the Rust one does not unescape what it loads from MySQL and PostgreSQL.
func AppendKeyRecord(dst []byte, r *KeyRecord) []byte {
	return appendJSON(dst, r)
}

func appendJSON(dst []byte, v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("record: internal error: " + err.Error()) // strings, numbers and bytes always encode
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

// describe keeps what encoding/json says of the place and drops what it quotes from the text.
func describe(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return "invalid JSON"
	case errors.As(err, &kind):
		return "field " + kind.Field + " has the wrong JSON type"
	default:
		return "invalid JSON or base64"
	}
}
