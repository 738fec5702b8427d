// SPDX-License-Identifier: Apache-2.0

package record

import (
	"encoding/json"
	"errors"
)

// DataRow is a data row record: Data sealed under a data row key of its own, and that key sealed under an intermediate
// key. Both are ciphertexts.
//
//	{"Key":{"Created":1795362702,"Key":"<base64>","ParentKeyMeta":{"KeyId":"_IK_p_svc_prod","Created":1795362660}},"Data":"<base64>"}
type DataRow struct {
	Created       int64 // of the data row key, Unix seconds
	Key           []byte
	ParentKeyMeta KeyMeta
	Data          []byte
}

// ParseDataRow reads any data row record, as encoding/json does (see ParseKeyRecord). Template.Parse is the fast way for
// records in the form that we write.
func ParseDataRow(text []byte) (*DataRow, error) {
	var r *struct {
		Key  *KeyRecord
		Data []byte
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, errors.New(describe(err))
	}
	switch {
	case r == nil:
		return nil, errors.New("it is null")
	case r.Key == nil:
		return nil, errors.New("Key is missing")
	case r.Key.ParentKeyMeta == nil:
		return nil, errors.New("Key.ParentKeyMeta is missing")
	}
	return &DataRow{r.Key.Created, r.Key.Key, *r.Key.ParentKeyMeta, r.Data}, nil
}
