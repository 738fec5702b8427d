// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/url"
	"time"

	"github.com/godaddy/asherah/go/appencryption"
	_ "github.com/mattn/go-sqlite3"
)

// store is a metastore of the official library over the rows of the Rust packages. The library's own SQL metastore
// doesn't find those: it binds created as the driver writes a time.Time, with a time zone at its end. Key records are
// written by encoding/json, < > & as \u003c and so on, as that metastore writes them.
type store struct{ db *sql.DB }

var _ appencryption.Metastore = store{}

func dsn(path string) string {
	return (&url.URL{Scheme: "file", Path: path}).String() + "?_busy_timeout=10000"
}

func openStore(path string) (store, error) {
	db, err := sql.Open("sqlite3", dsn(path))
	if err != nil {
		return store{}, err
	}
	_, err = db.Exec(`CREATE TABLE IF NOT EXISTS encryption_key
		(id TEXT NOT NULL, created TIMESTAMP NOT NULL, key_record TEXT NOT NULL, PRIMARY KEY (id, created))`)
	return store{db}, err
}

func text(created int64) string { return time.Unix(created, 0).UTC().Format(time.DateTime) }

func (s store) row(ctx context.Context, query string, args ...any) (*appencryption.EnvelopeKeyRecord, error) {
	var record string
	err := s.db.QueryRowContext(ctx, query, args...).Scan(&record)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var key *appencryption.EnvelopeKeyRecord
	err = json.Unmarshal([]byte(record), &key)
	return key, err
}

func (s store) Load(ctx context.Context, id string, created int64) (*appencryption.EnvelopeKeyRecord, error) {
	return s.row(ctx, `SELECT key_record FROM encryption_key WHERE id = ? AND created = ?`, id, text(created))
}

func (s store) LoadLatest(ctx context.Context, id string) (*appencryption.EnvelopeKeyRecord, error) {
	return s.row(ctx, `SELECT key_record FROM encryption_key WHERE id = ? ORDER BY created DESC LIMIT 1`, id)
}

func (s store) Store(ctx context.Context, id string, created int64, key *appencryption.EnvelopeKeyRecord) (bool, error) {
	record, err := json.Marshal(key)
	if err != nil {
		return false, err
	}
	result, err := s.db.ExecContext(ctx, `INSERT OR IGNORE INTO encryption_key (id, created, key_record) VALUES (?, ?, ?)`,
		id, text(created), string(record))
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}
