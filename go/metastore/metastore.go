// SPDX-License-Identifier: Apache-2.0

// Package metastore defines where encrypted intermediate and system keys live. Implementations: Memory here, SQLite in
// the package below; metastoretest checks any of them.
package metastore

import (
	"context"

	"asherah-napi/record"
)

// Metastore keeps key rows, each named by key id and created date (Unix seconds). Rows are never changed by the engine;
// operators revoke a key by setting Revoked in its row. Implementations are safe for concurrent use.
type Metastore interface {
	// Load returns the row with exactly this id and created date, or nil when there is none.
	Load(ctx context.Context, id string, created int64) (*record.KeyRecord, error)
	// LoadLatest returns the row of this id with the greatest created date, or nil when there is none.
	LoadLatest(ctx context.Context, id string) (*record.KeyRecord, error)
	// Store inserts a row if none has this id and created date. False: there was one, and it was left alone.
	// When it returns true the row is durable.
	Store(ctx context.Context, id string, created int64, key *record.KeyRecord) (bool, error)
	Close() error
}
