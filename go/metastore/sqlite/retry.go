// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"

	"asherah-napi/fault"
)

// retry runs operation again while it fails with a lock and the busy time-out isn't over. operation must have done
// nothing when it fails so; a single statement has.
func (s *Store) retry(ctx context.Context, what string, operation func() error) error {
	deadline := time.Now().Add(s.busyTimeout)
	pause := time.Millisecond
	reopened := false
	for {
		err := operation()
		switch {
		case err == nil:
			return nil
		case isDropped(err):
			continue // open says whether that was Close or a new start
		case isReadOnly(err) && !reopened:
			reopened = true // the connection may be older than the file's permission to be written
			s.startAfresh(err)
			continue
		case !isLock(err):
			s.startAfresh(err)
			return s.explain(what, err)
		case !time.Now().Before(deadline):
			return s.explain(what, err)
		}
		wait := min(pause/2+rand.N(pause), time.Until(deadline)) // spread, or processes that met once meet again
		select {
		case <-ctx.Done():
			return s.explain(what, ctx.Err())
		case <-time.After(wait):
		}
		pause = min(2*pause, 32*time.Millisecond)
	}
}

// startAfresh closes the connections after a failure: one that was opened while the file was read-only stays so, and
// one that met a damaged file may remember pages of it.
func (s *Store) startAfresh(err error) {
	if _, ok := errors.AsType[sqlite3.Error](err); !ok {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.drop()
}

// isDropped: another call dropped the pool between this one's open and its query. database/sql exports no value for it.
func isDropped(err error) bool { return err.Error() == "sql: database is closed" }

func isReadOnly(err error) bool {
	e, ok := errors.AsType[sqlite3.Error](err)
	return ok && e.Code == sqlite3.ErrReadonly
}

func isLock(err error) bool {
	e, ok := errors.AsType[sqlite3.Error](err)
	// PROTOCOL: lost the race for a WAL lock many times in a row
	return ok && (e.Code == sqlite3.ErrBusy || e.Code == sqlite3.ErrLocked || e.Code == sqlite3.ErrProtocol)
}

// explain turns what SQLite or the system said into a fault that says what to do.
func (s *Store) explain(what string, err error) error {
	if f, ok := errors.AsType[*fault.Error](err); ok {
		return f
	}
	e, _ := errors.AsType[sqlite3.Error](err)
	switch {
	case isLock(err):
		return fault.Wrap(fault.MetastoreBusy, err,
			"Could not %s the SQLite file %q, which stayed locked by another connection for %s; end its transaction or raise sqliteBusyTimeout",
			what, s.path, s.busyTimeout)
	case e.Code == sqlite3.ErrFull || noSpace(e.SystemErrno):
		return fault.Wrap(fault.MetastoreFull, err,
			"Could not %s the SQLite file %q, because its disk or quota is full; free some space", what, s.path)
	case e.Code == sqlite3.ErrReadonly || noWriting(e.SystemErrno) || s.noIndex(e):
		return fault.Wrap(fault.MetastoreReadOnly, err,
			"Could not %s the SQLite file %q, because it or its directory is read-only for this process; make both writable, also for reading, and the -wal and -shm files beside it",
			what, s.path)
	case e.Code == sqlite3.ErrNotADB:
		return fault.Wrap(fault.Metastore, err, "The file %q is no SQLite database; give the path of one, or of a new file", s.path)
	case e.Code == sqlite3.ErrCorrupt:
		return fault.Wrap(fault.Metastore, err, "The SQLite file %q is damaged; restore it from a backup", s.path)
	}
	return fault.Wrap(fault.Metastore, err, "Could not %s the SQLite file %q", what, s.path)
}

func noSpace(errno syscall.Errno) bool {
	return errno == syscall.ENOSPC || errno == syscall.EDQUOT || errno == syscall.EFBIG
}

func noWriting(errno syscall.Errno) bool {
	return errno == syscall.EROFS || errno.Is(fs.ErrPermission)
}

// noIndex: in WAL mode even a reader needs the -shm file beside the database. Where it can't be created, SQLite's last
// attempt is to find one, so what the system says in the end is that there is none.
func (s *Store) noIndex(e sqlite3.Error) bool {
	if e.Code != sqlite3.ErrCantOpen || e.SystemErrno != syscall.ENOENT {
		return false
	}
	file, err := exists(s.path)
	return err == nil && file != nil
}
