// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "github.com/mattn/go-sqlite3" // not a driver in pure Go: the known one pulls in package net

	"asherah-napi/fault"
)

// readiness is how far the file that db has open was prepared.
type readiness int

const (
	nothing  readiness = iota
	readable           // has the table
	writable           // and is in WAL mode where it can be
)

func checkPath(path string) (string, error) {
	switch {
	case path == "":
		return "", fault.New(fault.InvalidConfig, "The SQLite metastore needs the path of its file, got an empty string.")
	case path == ":memory:":
		// Each connection would have a database of its own, and other processes none.
		return "", fault.New(fault.InvalidConfig,
			"The SQLite metastore needs the path of a file, got \":memory:\". For keys that end with the process use metastore 'memory'.")
	case strings.HasPrefix(path, "file:"):
		return "", fault.New(fault.InvalidConfig,
			"The SQLite metastore takes a plain path, not a URI, got %q. If the file is really named so, write \"./%s\".", path, path)
	case strings.ContainsRune(path, 0):
		return "", fault.New(fault.InvalidConfig, "The path of the SQLite file holds a NUL character: %q.", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fault.Wrap(fault.Metastore, err, "The path of the SQLite file %q can't be made absolute", path)
	}
	return absolute, nil
}

// dsn is a URI, because the driver would take a ? in a plain path for the start of its options.
//
// The driver waits for no locks itself (retry does): its wait blocks an OS thread, ignores the context, and doesn't
// cover the switch to WAL. synchronous=FULL: a key row that a power cut takes back, after a record was encrypted under
// it, is a lost record; rows are written a few times per rotation, so the fsync costs nothing that can be noticed.
// The page cache is small because a read touches some three pages.
func dsn(path string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/... on Windows
	}
	u := url.URL{Scheme: "file", Path: slashed}
	return u.String() + "?_busy_timeout=0&_synchronous=FULL&_cache_size=-128"
}

// open returns the pool once the file is prepared for what is asked. When reading, nil without an error means that there
// is no file or no table yet, and so no key.
func (s *Store) open(ctx context.Context, want readiness) (*sql.DB, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fault.New(fault.Closed, "The SQLite metastore %q is closed.", s.path)
	}
	file, err := exists(s.path)
	if err != nil {
		return nil, err
	}
	// A file that was deleted, moved or restored from a backup: in WAL mode SQLite would go on with the old one, and keys
	// stored there would be lost.
	if s.db != nil && (file == nil || !os.SameFile(s.file, file)) {
		_ = s.drop()
	}
	if s.ready >= want {
		return s.db, nil
	}
	if file == nil {
		directory, err := exists(filepath.Dir(s.path))
		switch {
		case err != nil:
			return nil, err
		case directory == nil:
			return nil, fault.New(fault.Metastore, "The directory of the SQLite file %q does not exist; create it.", s.path)
		case want < writable:
			return nil, nil
		}
	} else if file.IsDir() {
		return nil, fault.New(fault.Metastore, "The SQLite metastore needs the path of a file, and %q is a directory.", s.path)
	}
	if s.db == nil {
		db, err := sql.Open("sqlite3", dsn(s.path))
		if err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(maxOpen)
		db.SetMaxIdleConns(2)
		s.db, s.file = db, file
	}
	if err := s.prepare(ctx, want); err != nil {
		return nil, err
	}
	if s.ready < want {
		return nil, nil
	}
	return s.db, nil
}

// prepare checks the table; for writing it creates what is missing. The caller holds mu.
func (s *Store) prepare(ctx context.Context, want readiness) error {
	hasTable, err := s.checkTable(ctx)
	if err != nil {
		return err
	}
	if want >= writable {
		// Readers and the writer don't wait for each other in WAL mode. Where the file system can't (some network ones),
		// SQLite answers with the mode it keeps, and everything works, with more waiting.
		var mode string
		if err := s.db.QueryRowContext(ctx, `PRAGMA journal_mode = WAL`).Scan(&mode); err != nil {
			return err
		}
		if !hasTable {
			if _, err := s.db.ExecContext(ctx, createSQL); err != nil {
				return err
			}
			if _, err := s.checkTable(ctx); err != nil { // another process may have been faster
				return err
			}
		}
	}
	if s.file == nil { // created just now
		if s.file, err = os.Stat(s.path); err != nil {
			return err
		}
	}
	switch {
	case want >= writable:
		s.ready = writable
	case hasTable:
		s.ready = readable
	}
	return nil
}

const createSQL = `CREATE TABLE IF NOT EXISTS encryption_key (
	id TEXT NOT NULL,
	created TIMESTAMP NOT NULL,
	key_record TEXT NOT NULL,
	PRIMARY KEY (id, created)
)`

// checkTable tells whether there is a table; one of that name that isn't ours is an error.
func (s *Store) checkTable(ctx context.Context) (bool, error) {
	rows, err := s.db.QueryContext(ctx, `SELECT name FROM pragma_table_info('encryption_key')`)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	missing := map[string]bool{"id": true, "created": true, "key_record": true}
	found := false
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return false, err
		}
		found = true
		delete(missing, strings.ToLower(name))
	}
	if err := rows.Err(); err != nil || !found {
		return false, err
	}
	for _, name := range []string{"id", "created", "key_record"} {
		if missing[name] {
			return false, fault.New(fault.Metastore,
				"The table encryption_key in %q has no column %s, so it was made by something else; use another file.", s.path, name)
		}
	}
	return true, nil
}
