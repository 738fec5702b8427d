// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// conn is a connection of pgconn, the protocol layer of pgx, for database/sql. Its own adapter would bring the types of
// PostgreSQL with it, of which three statements need none, and they would be a fifth of the addon. All values go as text,
// parameters without a type of their own; one round trip a statement, and no prepared statements, which poolers lose.
type conn struct{ *pgconn.PgConn }

var (
	_ driver.QueryerContext  = conn{}
	_ driver.ExecerContext   = conn{}
	_ driver.SessionResetter = conn{}
	_ driver.Validator       = conn{}
)

func (c conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	parameters := make([][]byte, len(args))
	for i, arg := range args {
		switch value := arg.Value.(type) {
		case string:
			parameters[i] = []byte(value)
		case int64:
			parameters[i] = strconv.AppendInt(nil, value, 10)
		default:
			return nil, fmt.Errorf("postgres: internal error: a parameter of type %T", value)
		}
	}
	result := c.ExecParams(ctx, query, parameters, nil, nil, nil).Read()
	if pgconn.SafeToRetry(result.Err) {
		return nil, driver.ErrBadConn // nothing was sent: database/sql takes another connection
	}
	return &rows{result}, result.Err
}

func (c conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	_, err := c.QueryContext(ctx, query, args)
	return driver.ResultNoRows, err
}

// IsValid is asked before the connection goes back to the pool, ResetSession before it is taken from there. There is no
// question to the server: the store tries again where a connection is dead.
func (c conn) IsValid() bool { return !c.IsClosed() && c.TxStatus() == 'I' }

func (c conn) ResetSession(context.Context) error {
	if !c.IsValid() {
		return driver.ErrBadConn
	}
	return nil
}

func (c conn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return c.PgConn.Close(ctx)
}

var errUnused = errors.New("postgres: internal error: the metastore prepares no statements and begins no transactions")

func (c conn) Prepare(string) (driver.Stmt, error) { return nil, errUnused }
func (c conn) Begin() (driver.Tx, error)           { return nil, errUnused }

// rows is a result that was read as a whole.
type rows struct{ *pgconn.Result }

func (r *rows) Columns() []string { return make([]string, len(r.FieldDescriptions)) } // nobody asks for their names

func (r *rows) Next(row []driver.Value) error {
	if len(r.Rows) == 0 {
		return io.EOF
	}
	for i, value := range r.Rows[0] {
		row[i] = nil
		if value != nil {
			row[i] = value
		}
	}
	r.Rows = r.Rows[1:]
	return nil
}

func (r *rows) Close() error { return nil }
