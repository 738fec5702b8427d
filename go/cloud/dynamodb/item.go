// SPDX-License-Identifier: Apache-2.0

package dynamodb

import (
	"encoding/base64"
	"errors"
	"strconv"
	"strings"

	"asherah-napi/fault"
	"asherah-napi/record"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// An item, as the Go, Java, C# and Rust libraries write it:
//
//	Id S (hash key) · Created N (range key) · KeyRecord M{Created N, Key S base64, Revoked BOOL, ParentKeyMeta M{KeyId S, Created N}}
//
// Go and Rust leave Revoked out unless it is true, as here; Java and C# write false. System keys have no ParentKeyMeta.
const (
	attributeID      = "Id"
	attributeCreated = "Created"
	attributeRecord  = "KeyRecord"

	fieldKey     = "Key"
	fieldRevoked = "Revoked"
	fieldParent  = "ParentKeyMeta"
	fieldKeyID   = "KeyId"
)

type attributes = map[string]types.AttributeValue

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func encode(k *record.KeyRecord) types.AttributeValue {
	m := attributes{
		attributeCreated: number(k.Created),
		fieldKey:         text(base64.StdEncoding.EncodeToString(k.Key)),
	}
	if k.Revoked {
		m[fieldRevoked] = &types.AttributeValueMemberBOOL{Value: true}
	}
	if p := k.ParentKeyMeta; p != nil {
		m[fieldParent] = &types.AttributeValueMemberM{Value: attributes{fieldKeyID: text(p.ID), attributeCreated: number(p.Created)}}
	}
	return &types.AttributeValueMemberM{Value: m}
}

// decode reads an item. Attributes that it doesn't know are left alone.
func (s *Store) decode(id string, item attributes) (*record.KeyRecord, error) {
	k, err := decode(item)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidKeyRecord, err, "%sthe item of the key %q is damaged", s.name, id)
	}
	return k, nil
}

func decode(item attributes) (*record.KeyRecord, error) {
	m, ok := field(item, attributeRecord).(*types.AttributeValueMemberM)
	if !ok {
		return nil, errors.New("KeyRecord is no map")
	}
	k := &record.KeyRecord{}
	var err error
	if k.Created, err = date(m.Value, "KeyRecord.Created"); err != nil {
		return nil, err
	}
	key, ok := field(m.Value, fieldKey).(*types.AttributeValueMemberS)
	if !ok {
		return nil, errors.New("KeyRecord.Key is no string")
	}
	if k.Key, err = base64.StdEncoding.DecodeString(key.Value); err != nil {
		return nil, errors.New("KeyRecord.Key is not base64")
	}
	// a key that somebody meant to revoke must never pass for a good one: only a boolean or nothing
	switch revoked := field(m.Value, fieldRevoked).(type) {
	case nil, *types.AttributeValueMemberNULL:
	case *types.AttributeValueMemberBOOL:
		k.Revoked = revoked.Value
	default:
		return nil, errors.New("KeyRecord.Revoked is no boolean")
	}
	switch parent := field(m.Value, fieldParent).(type) {
	case nil, *types.AttributeValueMemberNULL:
	case *types.AttributeValueMemberM:
		id, ok := field(parent.Value, fieldKeyID).(*types.AttributeValueMemberS)
		if !ok {
			return nil, errors.New("KeyRecord.ParentKeyMeta.KeyId is no string")
		}
		created, err := date(parent.Value, "KeyRecord.ParentKeyMeta.Created")
		if err != nil {
			return nil, err
		}
		k.ParentKeyMeta = &record.KeyMeta{ID: id.Value, Created: created}
	default:
		return nil, errors.New("KeyRecord.ParentKeyMeta is no map")
	}
	return k, nil
}

func date(m attributes, path string) (int64, error) {
	n, ok := field(m, attributeCreated).(*types.AttributeValueMemberN)
	if !ok {
		return 0, errors.New(path + " is no number")
	}
	created, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return 0, errors.New(path + " is no whole number of seconds")
	}
	return created, nil
}

// field finds a field in any case, as the official Go library does: items edited by hand mean the same to both.
func field(m attributes, name string) types.AttributeValue {
	if v, ok := m[name]; ok {
		return v
	}
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return nil
}
