// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"crypto/tls"
	"database/sql"
	"net"
	"strings"

	"asherah-napi/cloud/sqlstore"
)

func inspect(ctx context.Context, db *sql.DB) (*sqlstore.Schema, error) {
	// to_regclass finds the table that an unqualified name means.
	rows, err := db.QueryContext(ctx, `
		SELECT attname, format_type(atttypid, NULL), CASE WHEN atttypid IN (1042, 1043) AND atttypmod > 4 THEN atttypmod - 4 ELSE 0 END
		FROM pg_attribute WHERE attrelid = to_regclass('encryption_key') AND attnum > 0 AND NOT attisdropped`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	schema := new(sqlstore.Schema)
	for rows.Next() {
		var name, kind string
		var limit int64
		if err := rows.Scan(&name, &kind, &limit); err != nil {
			return nil, err
		}
		schema.Columns = append(schema.Columns, name)
		switch name {
		case "id":
			schema.IDLimit = limit
			if kind == "character" {
				schema.Warnings = append(schema.Warnings, "the id column is CHAR, which fills ids up with blanks; make it TEXT: "+BinaryID)
			}
		case "created":
			if kind == "timestamp without time zone" {
				schema.Warnings = append(schema.Warnings, "the created column has no time zone. It is written in UTC here, but other Asherah libraries write their local time, and then lose keys, unless they run with TZ=UTC. Cure, if all of it is UTC: ALTER TABLE encryption_key ALTER COLUMN created TYPE TIMESTAMPTZ USING created AT TIME ZONE 'UTC'")
			}
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if len(schema.Columns) == 0 {
		return schema, nil
	}
	err = db.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM pg_index i WHERE indrelid = to_regclass('encryption_key') AND indisunique AND indpred IS NULL AND indnkeyatts = 2
			AND (SELECT count(*) FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum IN (i.indkey[0], i.indkey[1]) AND a.attname IN ('id', 'created')) = 2)`).Scan(&schema.Unique)
	return schema, err
}

func lookAtServer(ctx context.Context, connection *sql.Conn) (*sqlstore.Server, error) {
	s := new(sqlstore.Server)
	err := connection.Raw(func(raw any) error {
		switch c := raw.(conn).Conn().(type) {
		case *tls.Conn:
			s.TLS = tls.VersionName(c.ConnectionState().Version)
		case *net.UnixConn:
			s.Socket = true
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	err = connection.QueryRowContext(ctx, `SELECT current_setting('server_version'), current_setting('transaction_read_only') = 'on', extract(epoch FROM clock_timestamp())::float8`).
		Scan(&s.Version, &s.ReadOnly, &s.Clock)
	s.Version = "PostgreSQL " + strings.TrimSpace(s.Version)
	return s, err
}
