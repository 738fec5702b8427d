// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"context"
	"database/sql"
	"strings"

	"asherah-napi/cloud/sqlstore"
)

func inspect(ctx context.Context, db *sql.DB) (*sqlstore.Schema, error) {
	rows, err := db.QueryContext(ctx, `
		SELECT LOWER(column_name), LOWER(data_type), COALESCE(character_maximum_length, 0), COALESCE(collation_name, ''), LOWER(extra)
		FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'encryption_key'`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	schema := new(sqlstore.Schema)
	for rows.Next() {
		var name, kind, collation, extra string
		var limit int64
		if err := rows.Scan(&name, &kind, &limit, &collation, &extra); err != nil {
			return nil, err
		}
		schema.Columns = append(schema.Columns, name)
		switch name {
		case "id":
			schema.IDLimit, schema.IDBytes = limit, collation == ""
			if collation != "" && !strings.HasSuffix(collation, "_bin") {
				schema.Warnings = append(schema.Warnings, "the id column has the collation "+collation+", which takes different ids for equal (case, accents): of two such partitions, Bob and bob, the second is refused. Cure: "+BinaryID)
			}
		case "created":
			if strings.Contains(extra, "on update") {
				schema.Warnings = append(schema.Warnings, "the created column changes whenever its row does (ON UPDATE): revoking a key would lose it. Cure: ALTER TABLE encryption_key MODIFY created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP")
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
		SELECT EXISTS (SELECT 1 FROM information_schema.statistics WHERE table_schema = DATABASE() AND table_name = 'encryption_key' AND non_unique = 0
			GROUP BY index_name HAVING COUNT(*) = 2 AND SUM(LOWER(column_name) IN ('id', 'created') AND sub_part IS NULL) = 2)`).Scan(&schema.Unique)
	return schema, err
}

func (t *target) server(ctx context.Context, conn *sql.Conn) (*sqlstore.Server, error) {
	s := &sqlstore.Server{Socket: t.config.Net == "unix"}
	err := conn.QueryRowContext(ctx, `SELECT VERSION(), @@global.read_only OR @@global.innodb_read_only, TIMESTAMPDIFF(MICROSECOND, '1970-01-01 00:00:00', UTC_TIMESTAMP(6)) / 1e6`).
		Scan(&s.Version, &s.ReadOnly, &s.Clock)
	if err != nil {
		return nil, err
	}
	if !strings.Contains(s.Version, "MariaDB") {
		s.Version = "MySQL " + s.Version
	}
	var name string
	err = conn.QueryRowContext(ctx, `SHOW SESSION STATUS LIKE 'Ssl_version'`).Scan(&name, &s.TLS)
	return s, err
}
