// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"asherah-napi/check"
	"asherah-napi/cloud/sqlstore/sqltest"
	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/metastore/metastoretest"
)

// server is the server with a database of the test's own.
type server struct {
	url *url.URL // of that database
	db  *pgx.Conn
}

func start(t *testing.T) *server {
	t.Helper()
	u, err := url.Parse(sqltest.Servers(t, "ASHERAH_TEST_POSTGRES")[0])
	if err != nil {
		t.Fatal("ASHERAH_TEST_POSTGRES: no URL")
	}
	admin := connect(t, u.String())
	database := sqltest.Name()
	if _, err := admin.Exec(t.Context(), "CREATE DATABASE "+database); err != nil {
		t.Fatal(err)
	}
	own := *u
	own.Path = "/" + database
	t.Cleanup(func() {
		if _, err := admin.Exec(context.Background(), "DROP DATABASE "+database+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return &server{&own, connect(t, own.String())}
}

func connect(t *testing.T, text string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func (s *server) exec(t *testing.T, statement string) {
	t.Helper()
	if _, err := s.db.Exec(t.Context(), statement, pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(statement, err)
	}
}

// at is the URL with another address and parameters.
func (s *server) at(address, parameters string) string {
	u := *s.url
	u.Host, u.RawQuery = address, parameters
	return u.String()
}

func (s *server) table(t *testing.T, id, created, record string) {
	t.Helper()
	s.exec(t, "DROP TABLE IF EXISTS encryption_key; CREATE TABLE encryption_key (id "+id+" NOT NULL, created "+created+" NOT NULL, key_record "+record+" NOT NULL, PRIMARY KEY (id, created))")
}

func (s *server) open(t *testing.T, c Config) *Store {
	t.Helper()
	if c.ConnectionString == "" {
		c.ConnectionString = s.url.String()
	}
	if c.PoolMaxIdle == 0 {
		c.PoolMaxIdle = 2
	}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func TestConformance(t *testing.T) {
	s := start(t)
	for _, table := range [][3]string{
		{}, // our own
		{"VARCHAR(5001)", "TIMESTAMP", "TEXT"},
		{"VARCHAR(255)", "TIMESTAMPTZ", "JSON"},
	} {
		refuses := func(id string, _ int64) bool {
			return strings.ContainsRune(id, 0) || table[0] == "VARCHAR(255)" && len(id) > 255
		}
		t.Run(strings.Join(table[:], " "), func(t *testing.T) {
			metastoretest.RunWithin(t, refuses, func(t *testing.T) metastore.Metastore {
				m := s.open(t, Config{PoolMaxOpen: 4})
				if table[0] != "" {
					s.table(t, table[0], table[1], table[2])
					return m
				}
				s.exec(t, "DROP TABLE IF EXISTS encryption_key")
				if created, err := m.CreateSchema(sqltest.Context(t, 20*time.Second)); !created || err != nil {
					t.Fatal(created, err)
				}
				return m
			})
		})
	}
}

func TestFaults(t *testing.T) {
	s := start(t)
	s.exec(t, CreateTable)
	sqltest.RunFaults(t, s.url.Host, func(t *testing.T, address string) metastore.Metastore {
		s.exec(t, "DELETE FROM encryption_key")
		return s.open(t, Config{ConnectionString: s.at(address, "sslmode=disable"), PoolMaxIdle: 20})
	})
}

// Whatever the time zones of this process, the server and its table, a row means the same moment.
func TestTimeZones(t *testing.T) {
	if os.Getenv("TZ") == "" {
		for _, zone := range []string{"America/New_York", "Asia/Kathmandu"} {
			command := exec.Command(os.Args[0], "-test.run=^TestTimeZones$", "-test.v")
			command.Env = append(os.Environ(), "TZ="+zone, "PGTZ="+zone)
			output, err := command.CombinedOutput()
			if err != nil {
				t.Errorf("TZ=%s: %v\n%s", zone, err, output)
			}
		}
	}
	s := start(t)
	s.exec(t, "ALTER DATABASE "+strings.TrimPrefix(s.url.Path, "/")+" SET timezone = 'Asia/Tokyo'")
	for _, kind := range []string{"TIMESTAMP", "TIMESTAMPTZ"} {
		for _, record := range []string{"TEXT", "JSON", "JSONB"} {
			s.table(t, "VARCHAR(255)", kind, record)
			s.exec(t, "SET TIME ZONE 'UTC'")
			m := s.open(t, Config{})
			sqltest.MustStore(t, m, "ours", sqltest.Minute)
			sqltest.MustLoad(t, m, "ours", sqltest.Minute)
			var text string
			if err := s.db.QueryRow(t.Context(), "SELECT created::text FROM encryption_key").Scan(&text); err != nil {
				t.Fatal(err)
			}
			if want := time.Unix(sqltest.Minute, 0).UTC().Format(time.DateTime); strings.TrimSuffix(text, "+00") != want {
				t.Errorf("%s: %s, want %s", kind, text, want)
			}
			// As the official Go library does with TZ=America/New_York and TIMESTAMP, which is what must not go unnoticed.
			s.exec(t, fmt.Sprintf(`INSERT INTO encryption_key VALUES ('theirs', '%s', '{"Created":%d,"Key":"AAAA"}')`,
				time.Unix(sqltest.Minute-5*3600, 0).UTC().Format(time.DateTime), sqltest.Minute))
			_, err := m.LoadLatest(sqltest.Context(t, 20*time.Second), "theirs")
			sqltest.MustFail(t, err, fault.InvalidKeyRecord, "theirs", "time zone")
		}
	}
}

// A pooler may keep the session's time zone for itself, and give out connections of another one.
func TestTimeZoneThatWasLostOnTheWay(t *testing.T) {
	s := start(t)
	s.table(t, "TEXT", "TIMESTAMP", "TEXT")
	proxy := sqltest.NewProxy(t, s.url.Host)
	proxy.Use(sqltest.Hooks{Rewrite: func(data []byte) []byte {
		return bytes.Replace(data, []byte("timezone\x00UTC"), []byte("timezone\x00MST"), 1)
	}})
	sqltest.MustStore(t, s.open(t, Config{ConnectionString: s.at(proxy.Address, "sslmode=disable")}), "k", sqltest.Minute)
	sqltest.MustLoad(t, s.open(t, Config{}), "k", sqltest.Minute)
}

func TestForeignTables(t *testing.T) {
	s := start(t)
	t.Run("a collation that takes Bob for bob is noticed before a key is shared", func(t *testing.T) {
		s.exec(t, "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
		s.table(t, "VARCHAR(255) COLLATE ci", "TIMESTAMPTZ", "JSONB")
		m := s.open(t, Config{})
		sqltest.MustStore(t, m, "_IK_Bob_s_p", sqltest.Minute)
		_, err := m.LoadLatest(sqltest.Context(t, 20*time.Second), "_IK_bob_s_p")
		sqltest.MustFail(t, err, fault.Metastore, "_IK_Bob_s_p", "_IK_bob_s_p", BinaryID)
		_, err = m.Store(sqltest.Context(t, 20*time.Second), "_IK_bob_s_p", sqltest.Minute, sqltest.Key(2, sqltest.Minute))
		sqltest.MustFail(t, err, fault.Metastore, BinaryID)
		s.exec(t, BinaryID)
		sqltest.MustStore(t, m, "_IK_bob_s_p", sqltest.Minute)
	})
	t.Run("ids that are too long are refused", func(t *testing.T) {
		s.table(t, "VARCHAR(20)", "TIMESTAMPTZ", "TEXT")
		m := s.open(t, Config{})
		sqltest.MustStore(t, m, strings.Repeat("é", 20), sqltest.Minute)
		_, err := m.Store(sqltest.Context(t, 20*time.Second), strings.Repeat("x", 21), sqltest.Minute, sqltest.Key(1, sqltest.Minute))
		sqltest.MustFail(t, err, fault.Metastore, "too long", "20 characters")
		s.exec(t, "ALTER TABLE encryption_key ALTER COLUMN id TYPE VARCHAR(30)")
		sqltest.MustStore(t, m, strings.Repeat("x", 21), sqltest.Minute)
	})
	t.Run("fields in another order and of other libraries are read", func(t *testing.T) {
		for _, kind := range []string{"TEXT", "JSON", "JSONB"} {
			s.table(t, "TEXT", "TIMESTAMPTZ", kind)
			s.exec(t, fmt.Sprintf(`INSERT INTO encryption_key VALUES ('k', to_timestamp(%d), '{"ParentKeyMeta":{"Created":5,"KeyId":"p"}, "Revoked":true, "Key":"AAAA", "Created":%d}')`, sqltest.Minute, sqltest.Minute))
			if got := sqltest.MustLoad(t, s.open(t, Config{}), "k", sqltest.Minute); !got.Revoked || got.ParentKeyMeta.ID != "p" {
				t.Fatalf("%s: %+v", kind, got)
			}
		}
	})
	t.Run("no table, another's table, and one where duplicates are possible", func(t *testing.T) {
		m := s.open(t, Config{})
		s.exec(t, "DROP TABLE IF EXISTS encryption_key")
		store := func(created int64) error {
			_, err := m.Store(sqltest.Context(t, 20*time.Second), "k", created, sqltest.Key(1, created))
			return err
		}
		_, err := m.Load(sqltest.Context(t, 20*time.Second), "k", sqltest.Minute)
		sqltest.MustFail(t, err, fault.Metastore, "createSchema()", s.url.Host)
		sqltest.MustFail(t, store(sqltest.Minute), fault.Metastore, "createSchema()")
		s.exec(t, "CREATE TABLE encryption_key (id INT)")
		sqltest.MustFail(t, store(sqltest.Minute), fault.Metastore, "no column created")
		s.exec(t, "DROP TABLE encryption_key; CREATE TABLE encryption_key (id TEXT, created TIMESTAMPTZ, key_record TEXT, more INT, UNIQUE (id, created, more))")
		sqltest.MustFail(t, store(sqltest.Minute), fault.Metastore, "ADD PRIMARY KEY (id, created)")
		s.exec(t, "CREATE UNIQUE INDEX part ON encryption_key (id, created) WHERE more = 1")
		sqltest.MustFail(t, store(sqltest.Minute), fault.Metastore, "ADD PRIMARY KEY (id, created)")
		s.exec(t, "CREATE UNIQUE INDEX whole ON encryption_key (created, id)")
		if err := store(sqltest.Minute); err != nil {
			t.Fatal(err)
		}
		s.exec(t, "CREATE UNIQUE INDEX other ON encryption_key (id)")
		sqltest.MustFail(t, store(sqltest.Minute+60), fault.Metastore, "unique index over other columns")
	})
	t.Run("the table of the search path", func(t *testing.T) {
		s.exec(t, "CREATE SCHEMA elsewhere; DROP TABLE IF EXISTS encryption_key")
		m := s.open(t, Config{ConnectionString: s.at(s.url.Host, "search_path=elsewhere")})
		if created, err := m.CreateSchema(sqltest.Context(t, 20*time.Second)); !created || err != nil {
			t.Fatal(created, err)
		}
		sqltest.MustStore(t, m, "k", sqltest.Minute)
		var n int
		if err := s.db.QueryRow(t.Context(), "SELECT count(*) FROM elsewhere.encryption_key").Scan(&n); err != nil || n != 1 {
			t.Fatal(n, err)
		}
	})
}

func TestCreateSchemaOnce(t *testing.T) {
	s := start(t)
	m := s.open(t, Config{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := m.CreateSchema(sqltest.Context(t, 20*time.Second)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if created, err := m.CreateSchema(sqltest.Context(t, 20*time.Second)); created || err != nil {
		t.Fatal(created, err)
	}
	sqltest.MustStore(t, m, "k", sqltest.Minute)
}

func TestServerRefusals(t *testing.T) {
	s := start(t)
	s.exec(t, CreateTable)
	database := strings.TrimPrefix(s.url.Path, "/")
	sqltest.MustStore(t, s.open(t, Config{}), "k", sqltest.Minute)
	t.Run("a server that takes no writes", func(t *testing.T) {
		s.exec(t, "ALTER DATABASE "+database+" SET default_transaction_read_only = on")
		defer s.exec(t, "ALTER DATABASE "+database+" RESET default_transaction_read_only")
		m := s.open(t, Config{})
		_, err := m.Store(sqltest.Context(t, 20*time.Second), "k2", sqltest.Minute, sqltest.Key(1, sqltest.Minute))
		sqltest.MustFail(t, err, fault.MetastoreReadOnly, "read-only")
		sqltest.MustLoad(t, m, "k", sqltest.Minute)
		if results := m.Verify(sqltest.Context(t, 20*time.Second)); results[2].Status != check.Warning {
			t.Fatalf("%+v", results)
		}
	})
	t.Run("a connection to what was a replica does not stay one", func(t *testing.T) {
		s.exec(t, "ALTER DATABASE "+database+" SET default_transaction_read_only = on")
		m := s.open(t, Config{})
		sqltest.MustLoad(t, m, "k", sqltest.Minute)
		s.exec(t, "ALTER DATABASE "+database+" RESET default_transaction_read_only")
		sqltest.MustStore(t, m, "after the promotion", sqltest.Minute)
	})
	t.Run("a lock that another holds for longer than the server waits, or than we do", func(t *testing.T) {
		transaction, err := s.db.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = transaction.Rollback(context.Background()) }()
		if _, err := transaction.Exec(t.Context(), "INSERT INTO encryption_key VALUES ('locked', to_timestamp($1), '{}')", sqltest.Minute); err != nil {
			t.Fatal(err)
		}
		store := func(limit time.Duration, parameters string) error {
			_, err := s.open(t, Config{ConnectionString: s.at(s.url.Host, parameters)}).Store(sqltest.Context(t, limit), "locked", sqltest.Minute, sqltest.Key(1, sqltest.Minute))
			return err
		}
		sqltest.MustFail(t, store(20*time.Second, "lock_timeout=200"), fault.MetastoreBusy, "lock timeout")
		sqltest.MustFail(t, store(300*time.Millisecond, ""), fault.Metastore, "in time")
		// The server gives up after 1 s; the lock is gone before it does so again.
		done := make(chan struct{})
		time.AfterFunc(1500*time.Millisecond, func() { _ = transaction.Rollback(context.Background()); close(done) })
		if err := store(20*time.Second, "lock_timeout=1000"); err != nil {
			t.Fatal(err)
		}
		<-done
	})
	t.Run("connections that the server ended", func(t *testing.T) {
		m := s.open(t, Config{})
		for i := range int64(4) {
			sqltest.MustStore(t, m, fmt.Sprint("ended", i), sqltest.Minute)
			s.exec(t, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
			time.Sleep(20 * time.Millisecond)
		}
		sqltest.MustLoad(t, m, "ended0", sqltest.Minute)
	})
	t.Run("a wrong password", func(t *testing.T) {
		u := *s.url
		u.User = url.UserPassword(u.User.Username(), "Other-secret-9")
		_, err := s.open(t, Config{ConnectionString: u.String()}).Load(sqltest.Context(t, 20*time.Second), "k", sqltest.Minute)
		sqltest.MustFail(t, err, fault.Metastore, "password authentication failed", s.url.Host)
		sqltest.MustHide(t, err, "Other-secret-9")
	})
	t.Run("replicaReadConsistency on a server that has none", func(t *testing.T) {
		_, err := s.open(t, Config{ReplicaReadConsistency: "session"}).Load(sqltest.Context(t, 20*time.Second), "k", sqltest.Minute)
		sqltest.MustFail(t, err, fault.Metastore, "replicaReadConsistency", "Aurora", "apg_write_forward.consistency_mode")
	})
	t.Run("replicaReadConsistency is set on every connection", func(t *testing.T) {
		// A server that has the setting, without its effect.
		s.exec(t, "ALTER DATABASE "+database+" SET apg_write_forward.consistency_mode = 'off'")
		proxy := sqltest.NewProxy(t, s.url.Host)
		m := s.open(t, Config{ConnectionString: s.at(proxy.Address, "sslmode=disable"), ReplicaReadConsistency: "global"})
		s.exec(t, "DROP TABLE encryption_key; CREATE VIEW encryption_key AS SELECT 'k'::text id, to_timestamp(0) created, format('{\"Created\":0,\"Key\":\"AAAA\",\"ParentKeyMeta\":{\"KeyId\":\"%s\"}}', current_setting('apg_write_forward.consistency_mode')) key_record")
		for range 3 {
			if got := sqltest.MustLoad(t, m, "k", 0); got.ParentKeyMeta.ID != "global" {
				t.Fatal(got.ParentKeyMeta.ID)
			}
			proxy.Cut()
		}
	})
}

func TestVerify(t *testing.T) {
	s := start(t)
	m := s.open(t, Config{})
	expect := func(words ...string) {
		t.Helper()
		var all []string
		for _, r := range m.Verify(sqltest.Context(t, 20*time.Second)) {
			all = append(all, fmt.Sprintf("%s %s: %s", r.Name, r.Status, r.Message))
		}
		got := strings.Join(all, "\n")
		for _, word := range words {
			if !strings.Contains(got, word) {
				t.Errorf("no %q in\n%s", word, got)
			}
		}
	}
	expect("metastore connection ok: PostgreSQL 1", "TLS 1.3", s.url.Host, "metastore table failure: there is no table", "metastore clock ok", "metastore writable ok")
	s.table(t, "VARCHAR(99)", "TIMESTAMP", "TEXT")
	expect("metastore table warning", "no time zone", "99 characters")
	s.table(t, "CHAR(255)", "TIMESTAMPTZ", "TEXT")
	expect("metastore table warning", "CHAR")
	s.exec(t, "DROP TABLE encryption_key")
	if _, err := m.CreateSchema(sqltest.Context(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	expect("metastore table ok")
	away := s.open(t, Config{ConnectionString: s.at("127.0.0.1:1", "")})
	if results := away.Verify(sqltest.Context(t, 5*time.Second)); len(results) != 1 || results[0].Status != check.Failure {
		t.Fatalf("%+v", results)
	}
}
