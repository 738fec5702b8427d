// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"asherah-napi/fault"
)

// connector opens connections. database/sql calls it also on a goroutine of its own, without a deadline.
type connector struct {
	connect func(context.Context) (driver.Conn, error)
}

// connectTimeout is for connections that database/sql opens for calls that wait in its queue.
const connectTimeout = 30 * time.Second

func (c connector) Connect(ctx context.Context) (conn driver.Conn, err error) {
	defer func() {
		if r := recover(); r != nil {
			conn, err = nil, &connectError{fault.New(fault.Internal, "a panic while connecting: %v", r)}
		}
	}()
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, connectTimeout)
		defer cancel()
	}
	if conn, err = c.connect(ctx); err != nil {
		return nil, &connectError{err}
	}
	return conn, nil
}

func (c connector) Driver() driver.Driver { return nil } // only sql.DB.Driver asks, and nobody calls that

// connectError: no connection came about, so nothing was sent, and trying again at once is of no use.
type connectError struct{ cause error }

func (e *connectError) Error() string { return e.cause.Error() }
func (e *connectError) Unwrap() error { return e.cause }

// run does one statement, once more if a pooled connection turns out to be dead or of no use, or the server gave up on a lock. The
// statement must be one that may run twice: a read, or an insert whose duplicate its caller recognizes.
func (s *Store) run(ctx context.Context, what string, operation func(context.Context) error) error {
	retriedConnection, retriedLock := false, false
	for {
		if s.closed.Load() {
			return s.fail(fault.Closed, "the metastore is closed")
		}
		err := s.attempt(ctx, !retriedConnection, operation)
		if err == nil {
			return nil
		}
		var connecting *connectError
		switch {
		case ctx.Err() != nil:
			return s.explain(what, err, ctx.Err())
		case errors.Is(err, context.DeadlineExceeded), !errors.As(err, &connecting) && s.classify(err) == Connection, s.classify(err) == ReadOnly:
			// A server that was restarted, or a connection that some router between forgot: the others in the pool are
			// as old, so none of them is worth a try. A server that takes no writes may have been the primary when the
			// connection was made, and its name stand for another one since.
			if !retriedConnection {
				retriedConnection = true
				s.db.SetMaxIdleConns(0)
				s.db.SetMaxIdleConns(s.maxIdle)
				continue
			}
		case s.classify(err) == Contention && !retriedLock:
			retriedLock = true
			continue
		}
		return s.explain(what, err, nil)
	}
}

// attempt limits the first try to a third of the time if it may use a connection from the pool, because from one whose
// other end is silently gone no answer ever comes, and the call has to have time left for a new one.
func (s *Store) attempt(ctx context.Context, first bool, operation func(context.Context) error) error {
	if first && s.db.Stats().Idle > 0 {
		limit := connectTimeout
		if deadline, limited := ctx.Deadline(); limited {
			limit = time.Until(deadline) / 3
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
		err := operation(ctx)
		if err != nil && ctx.Err() != nil && !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("%w: %w", ctx.Err(), err) // as drivers word it in their own ways
		}
		return err
	}
	return operation(ctx)
}

func (s *Store) classify(err error) Class {
	if class := s.dialect.Classify(err); class != Other {
		return class
	}
	var network net.Error
	switch {
	case errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, net.ErrClosed), errors.As(err, &network):
		return Connection
	}
	return Other
}

func (s *Store) name() string { return "metastore " + s.dialect.Name + " " + s.dialect.Place }

func (s *Store) fail(code fault.Code, format string, args ...any) *fault.Error {
	return fault.New(code, "%s: %s", s.name(), fmt.Sprintf(format, args...))
}

// explain makes the error that the caller sees. ended says why ctx is over, if it is.
func (s *Store) explain(what string, err, ended error) error {
	var ours *fault.Error
	var connecting *connectError
	isConnecting := errors.As(err, &connecting)
	switch {
	case errors.As(err, &ours) && !isConnecting:
		return err
	case s.closed.Load():
		return s.fail(fault.Closed, "the metastore is closed")
	case errors.As(err, &ours):
		return s.fail(ours.Code, "can't connect to %s: %s", what, s.scrub(ours.Message))
	}
	words := s.scrub(err.Error())
	var cause error = errors.New(words)
	if words == err.Error() {
		cause = err
	}
	code, cure := fault.Metastore, ""
	switch class := s.classify(err); {
	case ended != nil:
		cause = fmt.Errorf("%w (%s)", ended, words)
		what = "no answer in time to " + what
		if isConnecting {
			what = "no connection in time to " + strings.TrimPrefix(what, "no answer in time to ")
		}
		return fault.Wrap(code, cause, "%s: %s", s.name(), what)
	case isConnecting:
		return fault.Wrap(code, cause, "%s: can't connect to %s", s.name(), what)
	case class == ReadOnly:
		code, cure = fault.MetastoreReadOnly, " (the server takes no writes; connect to its primary)"
	case class == Full:
		code, cure = fault.MetastoreFull, " (make room on the server's disk)"
	case class == Contention:
		code, cure = fault.MetastoreBusy, " (twice; look for a transaction that is kept open)"
	case class == MissingTable:
		cure = " (create the table " + Table + " with createSchema() or the statement of docs/metastores.md)"
	}
	return fault.Wrap(code, cause, "%s: can't %s%s", s.name(), what, cure)
}

// scrub takes the password out of the driver's words. It is not known to stand in any; this is the second lock. Passwords
// of one or two characters stay, because without each such letter no message could be read.
func (s *Store) scrub(words string) string {
	if len(s.dialect.Password) < 3 {
		return words
	}
	return strings.ReplaceAll(words, s.dialect.Password, "***")
}
