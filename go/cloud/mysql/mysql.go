// SPDX-License-Identifier: Apache-2.0

// Package mysql keeps key rows in a table of a MySQL or MariaDB server, which other Asherahs may share. created may be
// TIMESTAMP or DATETIME (then in UTC), key_record TEXT or JSON.
package mysql

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"sync"
	"time"

	gomysql "github.com/go-sql-driver/mysql"

	"asherah-napi/cloud/sqlstore"
)

// Config is the configuration of a Store.
type Config = sqlstore.Config

// Store is a metastore in MySQL or MariaDB.
type Store = sqlstore.Store

// CreateTable is the statement that docs/metastores.md prints. utf8mb4_bin, because the servers' default collations take
// Bob and bob for the same id. A DEFAULT for created, because without one old servers add ON UPDATE CURRENT_TIMESTAMP.
const CreateTable = `CREATE TABLE IF NOT EXISTS encryption_key (
  id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
  key_record TEXT NOT NULL,
  PRIMARY KEY (id, created)
)`

// BinaryID is the cure for an id column that takes different ids for equal.
const BinaryID = `ALTER TABLE encryption_key MODIFY id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL`

// New checks the configuration; the first use connects.
func New(c Config) (*Store, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	t, err := parse(&c)
	if err != nil {
		return nil, err
	}
	// For every connection. UTC: the driver sends dates as text, and the server reads it in the session's time zone. Strict:
	// otherwise a server may shorten an id that is too long, and two partitions share a key. All of sql_mode, so that
	// what the server has set for others changes nothing here.
	t.config.Params = map[string]string{"time_zone": "'+00:00'", "sql_mode": "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"}
	t.config.Logger = &gomysql.NopLogger{} // the default one writes to stderr; all it says comes back as an error too
	dialect := sqlstore.Dialect{
		Name: "mysql", Place: t.config.Addr, Password: t.config.Passwd,
		// TIMESTAMPDIFF rather than UNIX_TIMESTAMP, which ends in 2038 on many servers.
		Load:       `SELECT id, TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', created) / 1e6, key_record FROM encryption_key WHERE id = ? AND created = ?`,
		LoadLatest: `SELECT id, TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', created) / 1e6, key_record FROM encryption_key WHERE id = ? ORDER BY created DESC LIMIT 1`,
		Insert:     `INSERT INTO encryption_key (id, created, key_record) VALUES (?, ?, ?)`,
		Created:    func(seconds int64) any { return time.Unix(seconds, 0).UTC().Format(time.DateTime) },

		CreateTable: CreateTable,
		BinaryID:    BinaryID,

		Classify: classify,
		Inspect:  inspect,
		Server:   t.server,
	}
	var warned sync.Once
	connect := func(ctx context.Context) (driver.Conn, error) {
		config, secure := t.config.Clone(), false
		if t.tls != nil {
			config.TLS = t.tls.Clone()
			// Of a connection that fell back to plain text the driver doesn't tell. It is called in every handshake.
			config.TLS.VerifyConnection = func(tls.ConnectionState) error { secure = true; return nil }
			config.AllowFallbackToPlaintext = t.fallback
		}
		connector, err := gomysql.NewConnector(config)
		if err != nil {
			return nil, err
		}
		conn, err := connector.Connect(ctx)
		if err != nil {
			return nil, err
		}
		if c.ReplicaReadConsistency != "" {
			const name = "aurora_replica_read_consistency"
			_, err = conn.(driver.ExecerContext).ExecContext(ctx, "SET SESSION "+name+" = '"+c.ReplicaReadConsistency+"'", nil)
			if err != nil {
				_ = conn.Close()
				return nil, c.ReplicaError(ctx, name, err)
			}
		}
		if t.fallback && !secure {
			warned.Do(func() { c.PlainWarning("mysql", t.config.Addr, "ssl-mode=DISABLED") })
		}
		return conn, nil
	}
	return sqlstore.Open(dialect, c.Pool(), connect), nil
}

// The numbers are those of the servers' error reference.
func classify(err error) sqlstore.Class {
	var e *gomysql.MySQLError
	if !errors.As(err, &e) {
		if errors.Is(err, gomysql.ErrInvalidConn) {
			return sqlstore.Connection
		}
		return sqlstore.Other
	}
	switch e.Number {
	case 1062: // ER_DUP_ENTRY
		return sqlstore.Duplicate
	case 1290, 1792, 1836: // ER_OPTION_PREVENTS_STATEMENT (--read-only), ..._IN_READ_ONLY_TRANSACTION, ER_READ_ONLY_MODE
		return sqlstore.ReadOnly
	case 1021, 1114: // ER_DISK_FULL, ER_RECORD_FILE_FULL
		return sqlstore.Full
	case 1205, 1213: // ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK
		return sqlstore.Contention
	case 1146: // ER_NO_SUCH_TABLE
		return sqlstore.MissingTable
	case 1053, 1927, 4031: // shutdown in progress, connection killed (MariaDB), idle for too long (MySQL)
		return sqlstore.Connection
	}
	return sqlstore.Other
}
