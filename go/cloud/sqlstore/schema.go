// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"asherah-napi/check"
	"asherah-napi/fault"
)

// Schema is what a Dialect finds out about the table.
type Schema struct {
	Columns  []string // lower case; none: there is no table
	Unique   bool     // id and created together are a primary key or unique
	IDLimit  int64    // the longest id; 0: no limit
	IDBytes  bool     // in bytes instead of characters
	Warnings []string // what works, but not as well as it should
}

// Server is what a Dialect finds out about the server.
type Server struct {
	Version  string
	TLS      string // protocol version; "" without TLS
	Socket   bool   // a Unix socket, where TLS has no use
	ReadOnly bool
	Clock    float64 // Unix seconds
}

func (s *Schema) fits(id string) bool {
	length := utf8.RuneCountInString(id)
	if s.IDBytes {
		length = len(id)
	}
	return s.IDLimit == 0 || int64(length) <= s.IDLimit
}

func (s *Schema) problem() string {
	if len(s.Columns) == 0 {
		return "there is no table " + Table + "; create it with createSchema() or the statement of docs/metastores.md"
	}
	for _, name := range []string{"id", "created", "key_record"} {
		if !strings.Contains(" "+strings.Join(s.Columns, " ")+" ", " "+name+" ") {
			return "the table " + Table + " has no column " + name + ", so it was made by something else; use another database, or the statement of docs/metastores.md"
		}
	}
	if !s.Unique {
		return "the table " + Table + " has no primary key or unique index over exactly id and created. Without it two processes that make a key at the same time store both, and records of one of them are lost. Add it: ALTER TABLE " + Table + " ADD PRIMARY KEY (id, created)"
	}
	return ""
}

func (s *Store) inspect(ctx context.Context) (schema *Schema, err error) {
	err = s.run(ctx, "look at the table "+Table, func(ctx context.Context) (err error) {
		schema, err = s.dialect.Inspect(ctx, s.db)
		return err
	})
	return schema, err
}

// checkSchema looks at the table once, before the first row is stored, and again for an id that did not fit then. The
// server would refuse most of it itself, but not say what to do.
func (s *Store) checkSchema(ctx context.Context, id string) error {
	s.mu.Lock()
	schema := s.schema
	s.mu.Unlock()
	if schema != nil && schema.fits(id) {
		return nil
	}
	schema, err := s.inspect(ctx)
	if err != nil {
		return err
	}
	if problem := schema.problem(); problem != "" {
		return s.fail(fault.Metastore, "%s", problem)
	}
	s.mu.Lock()
	s.schema = schema
	s.mu.Unlock()
	if !schema.fits(id) {
		unit := "characters"
		if schema.IDBytes {
			unit = "bytes"
		}
		return s.fail(fault.Metastore, "the key id %.80q… is too long: the id column holds %d %s. Use a shorter partition, service or product name, or widen the column", id, schema.IDLimit, unit)
	}
	return nil
}

// CreateSchema makes the table. False: there was one, which was left alone.
func (s *Store) CreateSchema(ctx context.Context) (bool, error) {
	schema, err := s.inspect(ctx)
	if err != nil {
		return false, err
	}
	if len(schema.Columns) > 0 {
		return false, nil
	}
	err = s.run(ctx, "create the table "+Table, func(ctx context.Context) error {
		_, err := s.db.ExecContext(ctx, s.dialect.CreateTable)
		return err
	})
	if err != nil {
		// IF NOT EXISTS is no lock: another process that creates the table at this moment makes PostgreSQL fail.
		if schema, again := s.inspect(ctx); again == nil && len(schema.Columns) > 0 {
			return false, nil
		}
		return false, err
	}
	return true, nil
}

// maxSkew is the difference between the clocks from which on Verify warns.
const maxSkew = time.Minute

// Verify connects, and looks at the server and the table. It changes nothing.
func (s *Store) Verify(ctx context.Context) []check.Result {
	var server *Server
	var skew time.Duration
	connection := check.Timed("metastore connection", func() (check.Status, string) {
		err := s.run(ctx, "ask the server for its version", func(ctx context.Context) (err error) {
			conn, err := s.db.Conn(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			began := time.Now()
			if server, err = s.dialect.Server(ctx, conn); err != nil {
				return err
			}
			middle := began.Add(time.Since(began) / 2)
			skew = time.Duration((server.Clock - float64(middle.UnixMicro())/1e6) * float64(time.Second))
			return nil
		})
		switch {
		case err != nil:
			return check.Failure, err.Error()
		case server.Socket:
			return check.OK, fmt.Sprintf("%s at %s, over a socket", server.Version, s.dialect.Place)
		case server.TLS == "":
			return check.Warning, fmt.Sprintf("%s at %s, without TLS: log-in and key rows (encrypted) can be read and changed on the way", server.Version, s.dialect.Place)
		}
		return check.OK, fmt.Sprintf("%s at %s, %s", server.Version, s.dialect.Place, server.TLS)
	})
	if connection.Status == check.Failure {
		return []check.Result{connection}
	}
	return []check.Result{connection,
		check.Timed("metastore clock", func() (check.Status, string) {
			if d := time.Duration(math.Abs(float64(skew))); d > maxSkew {
				return check.Warning, fmt.Sprintf("the clocks of this machine and the server are %s apart. Keys of machines whose clocks differ expire at different times; set both by NTP", d.Round(time.Second))
			}
			return check.OK, "the same time as here, to a minute"
		}),
		check.Timed("metastore writable", func() (check.Status, string) {
			if server.ReadOnly {
				return check.Warning, "the server takes no writes: records can be decrypted, but no new key can be stored. Connect to its primary to encrypt"
			}
			return check.OK, "the server takes writes"
		}),
		check.Timed("metastore table", func() (check.Status, string) { return s.verifyTable(ctx) }),
	}
}

func (s *Store) verifyTable(ctx context.Context) (check.Status, string) {
	schema, err := s.inspect(ctx)
	if err != nil {
		return check.Failure, err.Error()
	}
	if problem := schema.problem(); problem != "" {
		return check.Failure, problem
	}
	warnings := schema.Warnings
	if schema.IDLimit > 0 && schema.IDLimit < 255 {
		warnings = append(warnings, fmt.Sprintf("the id column holds %d characters; keys of long partition names are refused. Widen it to 255", schema.IDLimit))
	}
	// A row that can't be there shows whether reading is allowed.
	if err := s.run(ctx, "read the table "+Table, func(ctx context.Context) error {
		var one int
		err := s.db.QueryRowContext(ctx, `SELECT 1 FROM `+Table+` WHERE id = ''`).Scan(&one)
		if err == sql.ErrNoRows {
			return nil
		}
		return err
	}); err != nil {
		return check.Failure, err.Error()
	}
	if len(warnings) > 0 {
		return check.Warning, strings.Join(warnings, ". ")
	}
	return check.OK, Table + " has the columns and the key that it needs"
}
