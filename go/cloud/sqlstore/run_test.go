// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"testing"
	"time"

	"asherah-napi/cloud/sqlstore/sqltest"
	"asherah-napi/fault"
)

func failing(t *testing.T, connect func(context.Context) (driver.Conn, error)) error {
	t.Helper()
	dialect := Dialect{
		Name: "mysql", Place: "h:1", Password: "Sesame-4711",
		Created:  func(seconds int64) any { return seconds },
		Classify: func(error) Class { return Other },
	}
	s := Open(dialect, Pool{MaxIdle: 2}, connect)
	defer s.Close()
	_, err := s.Load(sqltest.Context(t, time.Second), "k", sqltest.Minute)
	return err
}

func TestPasswordInTheDriversWordsIsHidden(t *testing.T) {
	cause := errors.New("can't log in with Sesame-4711")
	for name, err := range map[string]error{
		"an error":   failing(t, func(context.Context) (driver.Conn, error) { return nil, fmt.Errorf("outer: %w", cause) }),
		"a time-out": failing(t, func(ctx context.Context) (driver.Conn, error) { <-ctx.Done(); return nil, cause }),
		"our error":  failing(t, func(context.Context) (driver.Conn, error) { return nil, fault.New(fault.Metastore, "%v", cause) }),
	} {
		t.Log(name, err)
		sqltest.MustFail(t, err, fault.Metastore, "metastore mysql h:1: ", "log in with ***")
		sqltest.MustHide(t, err, "Sesame-4711")
	}
}

func TestPanicWhileConnectingIsAnError(t *testing.T) {
	err := failing(t, func(context.Context) (driver.Conn, error) { panic("boom") })
	sqltest.MustFail(t, err, fault.Internal, "boom")
}

func TestNonsenseIDsAndDatesHaveNoRow(t *testing.T) {
	s := Open(Dialect{NoNUL: true}, Pool{}, func(context.Context) (driver.Conn, error) {
		t.Error("asked the server")
		return nil, errors.New("no server")
	})
	defer s.Close()
	for _, row := range []struct {
		id      string
		created int64
	}{{"k", -1}, {"k", 1 << 62}, {"a\x00b", 5}, {"\xff", 5}} {
		if got, err := s.Load(t.Context(), row.id, row.created); got != nil || err != nil {
			t.Error(row, got, err)
		}
		stored, err := s.Store(t.Context(), row.id, row.created, sqltest.Key(1, row.created))
		if stored {
			t.Error(row)
		}
		sqltest.MustFail(t, err, fault.Metastore)
	}
}
