// SPDX-License-Identifier: Apache-2.0

// Package sqlite keeps key rows in one SQLite file, which several processes may share, those of the Rust Asherah
// packages included: table, columns and the text form of created are theirs.
//
//	CREATE TABLE encryption_key (
//	    id TEXT NOT NULL,
//	    created TIMESTAMP NOT NULL,          -- text, YYYY-MM-DD HH:MM:SS in UTC
//	    key_record TEXT NOT NULL,            -- JSON, see package record
//	    PRIMARY KEY (id, created)
//	)
//
// The official Go library's SQL metastore can't use such a file: it binds created as its driver writes a time.Time.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/record"
)

const (
	// || '' takes the column's declared type away, for which the driver would make a time.Time of the text.
	loadSQL   = `SELECT created || '', key_record FROM encryption_key WHERE id = ? AND created = ?`
	latestSQL = `SELECT created || '', key_record FROM encryption_key WHERE id = ? ORDER BY created DESC LIMIT 1`
	parentSQL = `SELECT EXISTS (SELECT 1 FROM encryption_key WHERE id = ? AND created = ?)`
	// Not INSERT OR IGNORE: that would also swallow a violated NOT NULL of somebody's extra column, and report a
	// duplicate where nothing was stored.
	storeSQL = `INSERT INTO encryption_key (id, created, key_record) VALUES (?, ?, ?) ON CONFLICT (id, created) DO NOTHING`
)

// maxOpen bounds the connections of one store. Key rows are read on cache misses and written on rotation, so this
// is about how many slow reads may overlap, not about throughput.
const maxOpen = 4

var _ metastore.Metastore = (*Store)(nil)

// Store is a metastore in a SQLite file. Safe for concurrent use.
type Store struct {
	path        string // absolute, so that a later change of the working directory doesn't lead to another file
	busyTimeout time.Duration

	// One writer at a time: SQLite allows no more, and waiting here is cheaper and fairer than polling the file's lock.
	writer chan struct{}

	mu     sync.Mutex
	db     *sql.DB     // nil until the first use, and after the file was replaced
	file   os.FileInfo // which file db has open
	ready  readiness
	closed bool
}

// New names the file; nothing is opened before the first use, so that a factory opens without I/O and a store that is
// unreachable for a moment doesn't stop a program from starting. busyTimeout (zero or more) is how long a call waits for a
// lock that another process or connection holds before it fails with fault.MetastoreBusy.
func New(path string, busyTimeout time.Duration) (*Store, error) {
	absolute, err := checkPath(path)
	if err != nil {
		return nil, err
	}
	if busyTimeout < 0 {
		return nil, fault.New(fault.InvalidConfig, "The SQLite busy timeout must not be negative, got %s.", busyTimeout)
	}
	return &Store{path: absolute, busyTimeout: busyTimeout, writer: make(chan struct{}, 1)}, nil
}

func (s *Store) Load(ctx context.Context, id string, created int64) (*record.KeyRecord, error) {
	date, err := formatCreated(created)
	if err != nil {
		return nil, nil // no row can have such a date, and a foreign record may name any
	}
	_, key, err := s.read(ctx, id, loadSQL, id, date)
	return key, err
}

func (s *Store) LoadLatest(ctx context.Context, id string) (*record.KeyRecord, error) {
	date, key, err := s.read(ctx, id, latestSQL, id)
	if err != nil || key == nil {
		return nil, err
	}
	// Records name their key by the date in its text. If the column says another, the row would not be found again, and
	// what was encrypted under it would be lost.
	if want, err := formatCreated(key.Created); err != nil || want != date {
		return nil, fault.New(fault.InvalidKeyRecord,
			"The key row %q in %q has created %q, and a key_record with Created %d, which is another date; correct the column to \"YYYY-MM-DD HH:MM:SS\" in UTC",
			id, s.path, date, key.Created)
	}
	return key, nil
}

// read never creates the file or the table: decrypting must not write.
func (s *Store) read(ctx context.Context, id, query string, args ...any) (date string, _ *record.KeyRecord, _ error) {
	var text []byte
	err := s.retry(ctx, "read from", func() error {
		db, err := s.open(ctx, readable)
		if err != nil || db == nil {
			return err
		}
		err = db.QueryRowContext(ctx, query, args...).Scan(&date, &text)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err == nil && text == nil {
			text = []byte{} // a NULL: there is a row, and it is a bad one
		}
		return err
	})
	if err != nil || text == nil {
		return "", nil, err
	}
	key, err := record.ParseKeyRecord(text)
	if err != nil {
		return "", nil, fault.Wrap(fault.InvalidKeyRecord, err,
			"The key row %q in %q is damaged; restore its key_record from a backup", id, s.path)
	}
	return date, key, nil
}

func (s *Store) Store(ctx context.Context, id string, created int64, key *record.KeyRecord) (bool, error) {
	date, err := formatCreated(created)
	if err != nil {
		return false, err
	}
	text := string(record.AppendKeyRecord(nil, key))
	stored := false
	err = s.retry(ctx, "write to", func() error {
		select {
		case s.writer <- struct{}{}:
			defer func() { <-s.writer }() // also before a retry: nobody waits here for another caller's time-out
		case <-ctx.Done():
			return ctx.Err()
		}
		db, err := s.open(ctx, writable)
		if err != nil {
			return err
		}
		if err := s.checkParent(ctx, db, id, key.ParentKeyMeta); err != nil {
			return err
		}
		result, err := db.ExecContext(ctx, storeSQL, id, date, text)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		stored = n == 1
		return err
	})
	return stored && err == nil, err
}

// checkParent refuses an intermediate key whose system key isn't in this file. That happens when the file was deleted or
// exchanged under a process that has the system key in memory; what it encrypted would be lost when it ends.
func (s *Store) checkParent(ctx context.Context, db *sql.DB, id string, parent *record.KeyMeta) error {
	if parent == nil {
		return nil
	}
	date, err := formatCreated(parent.Created)
	if err != nil {
		return err
	}
	var found bool
	if err := db.QueryRowContext(ctx, parentSQL, parent.ID, date).Scan(&found); err != nil || found {
		return err
	}
	return fault.New(fault.KeyNotFound,
		"The SQLite file %q doesn't hold the system key %q created at %d, under which the new key %q was made; was the file exchanged while in use? Put it back, or open a new factory",
		s.path, parent.ID, parent.Created, id)
}

// Close waits for calls in flight. Later calls fail with fault.Closed.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.drop()
}

// drop forgets the open file. The caller holds mu.
func (s *Store) drop() error {
	db := s.db
	s.db, s.file, s.ready = nil, nil, nothing
	if db == nil {
		return nil
	}
	if err := db.Close(); err != nil {
		return s.explain("close", err)
	}
	return nil
}

// Dates beyond four-digit years have no text that sorts right.
const maxCreated = 253402300799 // 9999-12-31 23:59:59

func formatCreated(created int64) (string, error) {
	if created < 0 || created > maxCreated {
		return "", fault.New(fault.Metastore, "A key's created date must be from 0 to %d Unix seconds, got %d.", int64(maxCreated), created)
	}
	return time.Unix(created, 0).UTC().Format(time.DateTime), nil
}

// exists tells a missing file from one that can't be looked at.
func exists(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return info, err
}
