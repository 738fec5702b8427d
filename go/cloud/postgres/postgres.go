// SPDX-License-Identifier: Apache-2.0

// Package postgres keeps key rows in a table of a PostgreSQL server, which other Asherahs may share. created may be
// TIMESTAMPTZ or TIMESTAMP (then in UTC), key_record TEXT, JSON or JSONB.
//
// The driver is pgx's protocol layer behind database/sql rather than pgx with its own pool: that pool knows no limit for idle
// connections, and so the options mean the same as with MySQL.
package postgres

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgconn"

	"asherah-napi/cloud/sqlstore"
)

// Config is the configuration of a Store.
type Config = sqlstore.Config

// Store is a metastore in PostgreSQL.
type Store = sqlstore.Store

// CreateTable is the statement that docs/metastores.md prints. The Rust packages write key_record as JSONB only, and a
// TIMESTAMP without time zone is where programs that bind local time lose keys.
const CreateTable = `CREATE TABLE IF NOT EXISTS encryption_key (
  id TEXT NOT NULL,
  created TIMESTAMPTZ NOT NULL,
  key_record JSONB NOT NULL,
  PRIMARY KEY (id, created)
)`

// BinaryID is the cure for an id column that takes different ids for equal.
const BinaryID = `ALTER TABLE encryption_key ALTER COLUMN id TYPE TEXT COLLATE "C"`

// New checks the configuration; the first use connects.
func New(c Config) (*Store, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	target, err := parse(&c)
	if err != nil {
		return nil, err
	}
	dialect := sqlstore.Dialect{
		Name: "postgres", Place: target.place, Password: cmp.Or(target.secure, target.plain).Password,
		// In the session's time zone, UTC, created compares, and is stored, alike in both kinds of column: to_timestamp
		// gives a date with time zone, which a column without one takes as its wall-clock time in UTC. The parameters
		// have no type of their own, so that key_record takes the column's.
		Load:       `SELECT id, extract(epoch FROM created)::float8, key_record::text FROM encryption_key WHERE id = $1 AND created = to_timestamp($2)`,
		LoadLatest: `SELECT id, extract(epoch FROM created)::float8, key_record::text FROM encryption_key WHERE id = $1 ORDER BY created DESC LIMIT 1`,
		Insert:     `INSERT INTO encryption_key (id, created, key_record) VALUES ($1, to_timestamp($2), $3)`,
		Created:    func(seconds int64) any { return seconds },

		CreateTable: CreateTable,
		BinaryID:    BinaryID,
		NoNUL:       true,

		Classify: classify,
		Inspect:  inspect,
		Server:   lookAtServer,
	}
	var warned sync.Once
	connect := func(ctx context.Context) (driver.Conn, error) {
		if target.secure == nil {
			return open(ctx, &c, target.plain)
		}
		conn, err := open(ctx, &c, target.secure)
		// pgx has no error value for this answer of the server.
		if err == nil || target.plain == nil || !strings.Contains(err.Error(), "server refused TLS connection") {
			return conn, err
		}
		if conn, err = open(ctx, &c, target.plain); err == nil {
			warned.Do(func() { c.PlainWarning("postgres", target.place, "sslmode=disable") })
		}
		return conn, err
	}
	return sqlstore.Open(dialect, c.Pool(), connect), nil
}

func open(ctx context.Context, c *Config, config *pgconn.Config) (driver.Conn, error) {
	pg, err := pgconn.ConnectConfig(ctx, config.Copy())
	if err != nil {
		return nil, err
	}
	connection := conn{pg}
	if err := prepareSession(ctx, c, connection); err != nil {
		_ = connection.Close()
		return nil, err
	}
	return connection, nil
}

func prepareSession(ctx context.Context, c *Config, connection conn) error {
	// Asked for in the connection's start packet; a pooler between may not have passed it on.
	if connection.ParameterStatus("TimeZone") != "UTC" {
		if _, err := connection.ExecContext(ctx, `SET TIME ZONE 'UTC'`, nil); err != nil {
			return err
		}
	}
	if c.ReplicaReadConsistency == "" {
		return nil
	}
	// PostgreSQL takes SET for any name with a dot in it, known or not; only asking for the value tells.
	const name = "apg_write_forward.consistency_mode"
	_, err := connection.ExecContext(ctx, `SELECT current_setting('`+name+`')`, nil)
	if err == nil {
		_, err = connection.ExecContext(ctx, `SET `+name+` = '`+c.ReplicaReadConsistency+`'`, nil) // one of three words
	}
	if err != nil {
		return c.ReplicaError(ctx, name, err)
	}
	return nil
}

func classify(err error) sqlstore.Class {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		if errors.Is(err, pgconn.ErrConnClosed) || pgconn.SafeToRetry(err) {
			return sqlstore.Connection
		}
		return sqlstore.Other
	}
	switch {
	case e.Code == "23505": // unique_violation
		return sqlstore.Duplicate
	case e.Code == "25006": // read_only_sql_transaction
		return sqlstore.ReadOnly
	case e.Code == "53100": // disk_full
		return sqlstore.Full
	case e.Code == "40001", e.Code == "40P01", e.Code == "55P03": // serialization failure, deadlock, lock not available
		return sqlstore.Contention
	case e.Code == "42P01": // undefined_table
		return sqlstore.MissingTable
	case strings.HasPrefix(e.Code, "08"), e.Code == "57P01", e.Code == "57P02", e.Code == "57P05": // shut down, crashed, idle for too long
		return sqlstore.Connection
	}
	return sqlstore.Other
}
