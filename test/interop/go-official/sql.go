// SPDX-License-Identifier: Apache-2.0

package main

import (
	"database/sql"
	"fmt"
)

var kept = map[string]*sql.DB{}

// query runs one statement past every Asherah, for tests that look at rows, damage them, or lock the file. "keep":true
// leaves the one connection to this file open, and with it its transaction; the next request without it closes it.
func query(q *request) ([]map[string]any, error) {
	db := kept[q.DB]
	if db == nil {
		var err error
		if db, err = sql.Open("sqlite3", dsn(q.DB)); err != nil {
			return nil, err
		}
		db.SetMaxOpenConns(1)
	}
	if q.Keep {
		kept[q.DB] = db
	} else {
		delete(kept, q.DB)
		defer db.Close()
	}

	rows, err := db.Query(q.SQL, q.Params...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	table := []map[string]any{}
	for rows.Next() {
		cells := make([]any, len(names))
		targets := make([]any, len(names))
		for i := range cells {
			targets[i] = &cells[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return nil, err
		}
		row := map[string]any{}
		for i, name := range names {
			row[name] = plain(cells[i])
		}
		table = append(table, row)
	}
	return table, rows.Err()
}

func plain(cell any) any {
	switch v := cell.(type) {
	case nil, int64, float64, string, bool:
		return v
	case []byte:
		return string(v)
	default: // a time.Time, which the driver makes of every column declared TIMESTAMP
		return fmt.Sprint(v)
	}
}
