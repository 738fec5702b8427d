// SPDX-License-Identifier: Apache-2.0

package provider

import (
	"context"

	"asherah-napi/fault"
	"asherah-napi/record"
)

// Client asks for one factory.
type Client struct {
	desk    *Desk
	factory uint64
}

func NewClient(desk *Desk) *Client { return &Client{desk: desk} }

// SetFactory names the factory that asks, before it asks anything.
func (c *Client) SetFactory(number uint64) { c.factory = number }

func (c *Client) ask(ctx context.Context, r *request) (*request, error) {
	r.factory = c.factory
	return r, c.desk.ask(ctx, r)
}

// KMS is kms.KMS. What a factory asks ends with the context of its loads, so there is nothing to close.
type KMS struct{ *Client }

func (k KMS) EncryptKey(ctx context.Context, raw []byte) ([]byte, error) {
	r, err := k.ask(ctx, &request{kind: EncryptKey, body: raw})
	return r.result, err
}

func (k KMS) DecryptKey(ctx context.Context, encrypted, raw []byte) error {
	if len(encrypted) == 0 {
		return fault.New(fault.InvalidKeyRecord, "a system key's row in the metastore holds no key")
	}
	_, err := k.ask(ctx, &request{kind: DecryptKey, body: encrypted, raw: raw})
	return err
}

func (k KMS) Close() {}

// Metastore is metastore.Metastore. The rows that pass are the text that SQL stores hold in key_record.
type Metastore struct{ *Client }

func (m Metastore) Load(ctx context.Context, id string, created int64) (*record.KeyRecord, error) {
	return m.row(ctx, &request{kind: Load, id: id, created: created})
}

func (m Metastore) LoadLatest(ctx context.Context, id string) (*record.KeyRecord, error) {
	return m.row(ctx, &request{kind: LoadLatest, id: id})
}

func (m Metastore) row(ctx context.Context, r *request) (*record.KeyRecord, error) {
	if _, err := m.ask(ctx, r); err != nil || r.outcome == Nothing {
		return nil, err
	}
	row, err := record.ParseKeyRecord(r.result)
	if err != nil {
		return nil, fault.New(fault.InvalidKeyRecord, "%s: expected a text that store was given, got one of %d bytes that is %s. Restore the row from a backup.", names[r.kind], len(r.result), err)
	}
	return row, nil
}

func (m Metastore) Store(ctx context.Context, id string, created int64, key *record.KeyRecord) (bool, error) {
	r, err := m.ask(ctx, &request{kind: Store, id: id, created: created, body: record.AppendKeyRecord(nil, key)})
	return r.outcome == Done, err
}

func (m Metastore) Close() error { return nil }
