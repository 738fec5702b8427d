// SPDX-License-Identifier: Apache-2.0

// Package sqlstore is what the MySQL and PostgreSQL metastores share: a metastore in the table encryption_key of a server,
// over database/sql. What differs between the servers is in a Dialect.
package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"asherah-napi/check"
	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/record"
)

// Table is the name of the table, which all Asherahs share.
const Table = "encryption_key"

// Class is what an error of the driver means for the call.
type Class int

// Classes of errors.
const (
	Other        Class = iota
	Duplicate          // a row with this key exists
	ReadOnly           // the server takes no writes
	Full               // its disk is full
	Contention         // a deadlock or a lock that was not released in time
	Connection         // the connection is gone, and with it maybe the answer
	MissingTable       // there is no encryption_key
)

// Dialect is one kind of server.
type Dialect struct {
	Name     string // mysql or postgres, as messages name the metastore
	Place    string // host:port or the path of a socket; no user, no password
	Password string // never shown: what replaces it in the driver's words

	// Both reads select id, created in Unix seconds as a float, and key_record as text.
	Load       string // parameters: id, created
	LoadLatest string // parameters: id
	Insert     string // parameters: id, created, key_record
	Created    func(seconds int64) any

	CreateTable string // the statement of docs/metastores.md
	BinaryID    string // the statement that makes the id column tell all ids apart
	NoNUL       bool   // text can't hold the character U+0000

	Classify func(error) Class
	Inspect  func(context.Context, *sql.DB) (*Schema, error)
	Server   func(context.Context, *sql.Conn) (*Server, error)
}

// Pool says how many connections are kept, and for how long, as database/sql has it.
type Pool struct {
	MaxOpen                  int           // 0: no limit
	MaxIdle                  int           // 0: none is kept
	MaxLifetime, MaxIdleTime time.Duration // 0: no limit
}

var (
	_ metastore.Metastore = (*Store)(nil)
	_ check.Verifier      = (*Store)(nil)
	_ check.SchemaCreator = (*Store)(nil)
)

// Store is a metastore on a server. Safe for concurrent use.
type Store struct {
	dialect Dialect
	db      *sql.DB
	maxIdle int
	closed  atomic.Bool

	mu     sync.Mutex
	schema *Schema // what the first Store found; nil before
}

// Open makes a store that connects at its first use.
func Open(dialect Dialect, pool Pool, connect func(context.Context) (driver.Conn, error)) *Store {
	db := sql.OpenDB(connector{connect})
	db.SetMaxOpenConns(pool.MaxOpen)
	db.SetMaxIdleConns(pool.MaxIdle)
	db.SetConnMaxLifetime(pool.MaxLifetime)
	db.SetConnMaxIdleTime(pool.MaxIdleTime)
	return &Store{dialect: dialect, db: db, maxIdle: pool.MaxIdle}
}

// Dates outside of these have no row: before 1970, and beyond four-digit years, which text forms of dates don't sort.
const minCreated, maxCreated = 0, 253402300799

// canHold says whether a row of this id and date can exist at all. Foreign records may name any.
func (s *Store) canHold(id string, created int64) error {
	switch {
	case created < minCreated || created > maxCreated:
		return s.fail(fault.Metastore, "a key's created date must be from %d to %d Unix seconds, got %d", minCreated, int64(maxCreated), created)
	case !utf8.ValidString(id) || s.dialect.NoNUL && strings.ContainsRune(id, 0):
		return s.fail(fault.Metastore, "the key id %q can't be stored, because the id column holds text without the character U+0000; choose another partition, service or product name", id)
	}
	return nil
}

// Load returns the row with exactly this id and created date, or nil when there is none.
func (s *Store) Load(ctx context.Context, id string, created int64) (*record.KeyRecord, error) {
	if s.canHold(id, created) != nil {
		return nil, nil
	}
	_, key, err := s.read(ctx, id, s.dialect.Load, id, s.dialect.Created(created))
	return key, err
}

// LoadLatest returns the row of this id with the greatest created date, or nil when there is none.
func (s *Store) LoadLatest(ctx context.Context, id string) (*record.KeyRecord, error) {
	if s.canHold(id, minCreated) != nil {
		return nil, nil
	}
	column, key, err := s.read(ctx, id, s.dialect.LoadLatest, id)
	if err != nil || key == nil {
		return nil, err
	}
	// Records name their key by the date in its text. If the column says another, the row would not be found again, and
	// what was encrypted under it would be lost.
	if column != float64(key.Created) {
		return nil, s.fail(fault.InvalidKeyRecord,
			"the row %q has the date %.0f in its column created, in Unix seconds, and %d in its key_record. That happens when another program writes local time into a column without time zone; correct the column, to UTC",
			id, column, key.Created)
	}
	return key, nil
}

func (s *Store) read(ctx context.Context, id, query string, args ...any) (created float64, _ *record.KeyRecord, _ error) {
	var found string
	var text []byte
	none := false
	err := s.run(ctx, "read a key row", func(ctx context.Context) error {
		err := s.db.QueryRowContext(ctx, query, args...).Scan(&found, &created, &text)
		none = errors.Is(err, sql.ErrNoRows)
		if none {
			return nil
		}
		return err
	})
	if err != nil || none {
		return 0, nil, err
	}
	if found != id {
		return 0, nil, s.fail(fault.Metastore,
			"asked for the key id %q, it gave the row of %q: its id column takes different ids for equal (case, accents or blanks at the end), so that two partitions would share a key. Give the column a binary collation: %s",
			id, found, s.dialect.BinaryID)
	}
	key, err := record.ParseKeyRecord(text)
	if err != nil {
		return 0, nil, fault.Wrap(fault.InvalidKeyRecord, err, "%s: the row %q is damaged; restore its key_record from a backup", s.name(), id)
	}
	return created, key, nil
}

// Store inserts a row if none has this id and created date. False: there was one, and it was left alone.
func (s *Store) Store(ctx context.Context, id string, created int64, key *record.KeyRecord) (bool, error) {
	if err := s.canHold(id, created); err != nil {
		return false, err
	}
	if err := s.checkSchema(ctx, id); err != nil {
		return false, err
	}
	text := string(record.AppendKeyRecord(nil, key))
	duplicate := false
	err := s.run(ctx, "store a key row", func(ctx context.Context) error {
		_, err := s.db.ExecContext(ctx, s.dialect.Insert, id, s.dialect.Created(created), text)
		duplicate = err != nil && s.dialect.Classify(err) == Duplicate
		if duplicate {
			return nil
		}
		return err
	})
	if err != nil || !duplicate {
		return err == nil, err
	}
	// The row in the way may be our own: the connection broke after the server had it and before its answer, and run tried
	// again. A ciphertext has a random nonce, so equal means ours. It may also be the row of another id, which Load refuses.
	there, err := s.Load(ctx, id, created)
	switch {
	case err != nil:
		return false, err
	case there == nil:
		return false, s.fail(fault.Metastore,
			"it refused the row %q, created %d, as a duplicate, but has no such row. Look for a unique index over other columns than id and created", id, created)
	}
	return bytes.Equal(there.Key, key.Key), nil
}

// Close closes the connections that no call uses, and the others as soon as their call ends. Later calls fail with
// fault.Closed.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	// Saying goodbye to a server that does not answer can take seconds, and Close is called on JavaScript's thread.
	done := make(chan struct{})
	go func() {
		defer func() { _ = recover(); close(done) }()
		_ = s.db.Close()
	}()
	select {
	case <-done:
	case <-time.After(500 * time.Millisecond):
	}
	return nil
}
