// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	gomysql "github.com/go-sql-driver/mysql"

	"asherah-napi/check"
	"asherah-napi/cloud/sqlstore/sqltest"
	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/metastore/metastoretest"
)

// server is one server with a database of the test's own.
type server struct {
	admin    *gomysql.Config
	db       *sql.DB
	database string
}

// each runs the test on every server.
func each(t *testing.T, test func(t *testing.T, s *server)) {
	for i, dsn := range sqltest.Servers(t, "ASHERAH_TEST_MYSQL") {
		t.Run(fmt.Sprint("server ", i), func(t *testing.T) {
			admin, err := gomysql.ParseDSN(dsn)
			if err != nil {
				t.Fatal("ASHERAH_TEST_MYSQL: no DSN")
			}
			admin.MultiStatements = true
			s := &server{admin: admin, database: sqltest.Name()}
			connector, err := gomysql.NewConnector(admin)
			if err != nil {
				t.Fatal(err)
			}
			s.db = sql.OpenDB(connector)
			s.exec(t, "CREATE DATABASE "+s.database)
			t.Cleanup(func() {
				s.exec(t, "DROP DATABASE "+s.database)
				_ = s.db.Close()
			})
			test(t, s)
		})
	}
}

func (s *server) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	if _, err := s.db.Exec(strings.ReplaceAll(statement, "DB.", s.database+"."), args...); err != nil {
		t.Fatal(statement, err)
	}
}

func (s *server) dsn(address, parameters string) string {
	return s.admin.User + ":" + s.admin.Passwd + "@tcp(" + address + ")/" + s.database + "?" + parameters
}

// table makes a table with these column definitions.
func (s *server) table(t *testing.T, id, created, record string) {
	t.Helper()
	s.exec(t, "DROP TABLE IF EXISTS DB.encryption_key; CREATE TABLE DB.encryption_key (id "+id+" NOT NULL, created "+created+" NOT NULL, key_record "+record+" NOT NULL, PRIMARY KEY (id, created), INDEX (created))")
}

const binary = "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"

func (s *server) open(t *testing.T, c Config) *Store {
	t.Helper()
	if c.ConnectionString == "" {
		c.ConnectionString = s.dsn(s.admin.Addr, "")
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
	each(t, func(t *testing.T, s *server) {
		// TIMESTAMP ends in 2038 on many servers, and has no 0; a padding collation takes a blank at the end for nothing.
		limited := func(id string, created int64) bool {
			return len([]rune(id)) > 255 || strings.HasSuffix(id, " ") || created < 1 || created > 1<<31-1
		}
		run := func(name string, refuses metastoretest.Refuses, prepare func(t *testing.T, m *Store)) {
			t.Run(name, func(t *testing.T) {
				metastoretest.RunWithin(t, refuses, func(t *testing.T) metastore.Metastore {
					m := s.open(t, Config{PoolMaxOpen: 4})
					prepare(t, m)
					return m
				})
			})
		}
		run("our own table", limited, func(t *testing.T, m *Store) {
			s.exec(t, "DROP TABLE IF EXISTS DB.encryption_key")
			if created, err := m.CreateSchema(sqltest.Context(t, 20*time.Second)); !created || err != nil {
				t.Fatal(created, err)
			}
		})
		run("JSON, DATETIME and VARBINARY", func(id string, _ int64) bool { return len(id) > 1000 }, func(t *testing.T, _ *Store) {
			s.table(t, "VARBINARY(1000)", "DATETIME", "JSON")
		})
	})
}

func TestFaults(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.table(t, binary, "TIMESTAMP", "TEXT")
		sqltest.RunFaults(t, s.admin.Addr, func(t *testing.T, address string) metastore.Metastore {
			s.exec(t, "DELETE FROM DB.encryption_key")
			return s.open(t, Config{ConnectionString: s.dsn(address, "tls=false"), PoolMaxIdle: 20})
		})
	})
}

// Whatever the time zones of this process, the server and its table, a row means the same moment.
func TestTimeZones(t *testing.T) {
	if os.Getenv("TZ") == "" {
		for _, zone := range []string{"America/New_York", "Asia/Kathmandu"} {
			command := exec.Command(os.Args[0], "-test.run=^TestTimeZones$", "-test.v")
			command.Env = append(os.Environ(), "TZ="+zone)
			output, err := command.CombinedOutput()
			if err != nil {
				t.Errorf("TZ=%s: %v\n%s", zone, err, output)
			}
			if strings.Contains(string(output), "SKIP") {
				t.Skip("no server")
			}
		}
	}
	each(t, func(t *testing.T, s *server) {
		for _, kind := range []string{"TIMESTAMP", "DATETIME"} {
			s.table(t, binary, kind, "TEXT")
			s.exec(t, "SET GLOBAL time_zone = '+05:30'")
			defer s.exec(t, "SET GLOBAL time_zone = 'SYSTEM'")
			m := s.open(t, Config{})
			sqltest.MustStore(t, m, "ours", sqltest.Minute)
			sqltest.MustLoad(t, m, "ours", sqltest.Minute)
			var seconds string
			connection, err := s.db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer connection.Close()
			if _, err := connection.ExecContext(t.Context(), "SET time_zone = '+00:00'"); err != nil {
				t.Fatal(err)
			}
			if err := connection.QueryRowContext(t.Context(), "SELECT CAST(created AS CHAR) FROM "+s.database+".encryption_key").Scan(&seconds); err != nil {
				t.Fatal(err)
			}
			if want := time.Unix(sqltest.Minute, 0).UTC().Format(time.DateTime); seconds != want {
				t.Errorf("%s: %s, want %s", kind, seconds, want)
			}
			// Another program that left its session in local time.
			s.exec(t, "INSERT INTO DB.encryption_key VALUES ('theirs', ?, ?)", time.Unix(sqltest.Minute+3600, 0).UTC().Format(time.DateTime), fmt.Sprintf(`{"Key":"AAAA","Created":%d}`, sqltest.Minute))
			_, err = m.LoadLatest(sqltest.Context(t, 20*time.Second), "theirs")
			sqltest.MustFail(t, err, fault.InvalidKeyRecord, "theirs", "time zone")
		}
	})
}

func TestForeignTables(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		t.Run("a collation that takes Bob for bob is noticed before a key is shared", func(t *testing.T) {
			for _, collation := range []string{"utf8mb4_general_ci", "utf8mb4_unicode_ci"} {
				s.table(t, "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE "+collation, "TIMESTAMP", "TEXT")
				m := s.open(t, Config{})
				sqltest.MustStore(t, m, "_IK_Bob_s_p", sqltest.Minute)
				_, err := m.LoadLatest(sqltest.Context(t, 20*time.Second), "_IK_bob_s_p")
				sqltest.MustFail(t, err, fault.Metastore, "_IK_Bob_s_p", "_IK_bob_s_p", BinaryID)
				_, err = m.Load(sqltest.Context(t, 20*time.Second), "_IK_bob_s_p", sqltest.Minute)
				sqltest.MustFail(t, err, fault.Metastore, BinaryID)
				stored, err := m.Store(sqltest.Context(t, 20*time.Second), "_IK_bob_s_p", sqltest.Minute, sqltest.Key(2, sqltest.Minute))
				if stored {
					t.Fatal("stored")
				}
				sqltest.MustFail(t, err, fault.Metastore, BinaryID)
				s.exec(t, "USE "+s.database+"; "+BinaryID)
				if got, err := m.LoadLatest(sqltest.Context(t, 20*time.Second), "_IK_bob_s_p"); got != nil || err != nil {
					t.Fatal(got, err)
				}
				sqltest.MustStore(t, m, "_IK_bob_s_p", sqltest.Minute)
			}
		})
		t.Run("ids that are too long are refused, on servers that shorten them too", func(t *testing.T) {
			s.exec(t, "SET GLOBAL sql_mode = ''")
			defer s.exec(t, "SET GLOBAL sql_mode = DEFAULT")
			s.table(t, "VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "TIMESTAMP", "TEXT")
			m := s.open(t, Config{})
			sqltest.MustStore(t, m, strings.Repeat("é", 20), sqltest.Minute)
			_, err := m.Store(sqltest.Context(t, 20*time.Second), strings.Repeat("x", 21), sqltest.Minute, sqltest.Key(1, sqltest.Minute))
			sqltest.MustFail(t, err, fault.Metastore, "too long", "20 characters")
			s.table(t, "VARCHAR(30) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "TIMESTAMP", "TEXT")
			sqltest.MustStore(t, m, strings.Repeat("x", 21), sqltest.Minute) // widened meanwhile
			s.exec(t, "ALTER TABLE DB.encryption_key MODIFY id VARCHAR(22) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL")
			_, err = m.Store(sqltest.Context(t, 20*time.Second), strings.Repeat("x", 25), sqltest.Minute, sqltest.Key(1, sqltest.Minute))
			sqltest.MustFail(t, err, fault.Metastore, "too long") // narrowed: the session is strict
		})
		t.Run("fields in another order and of other libraries are read", func(t *testing.T) {
			for _, kind := range []string{"TEXT", "JSON", "LONGTEXT"} {
				s.table(t, binary, "TIMESTAMP", kind)
				text := fmt.Sprintf(`{"ParentKeyMeta":{"Created":5,"KeyId":"p"}, "Revoked":true, "Key":"AAAA", "Created":%d}`, sqltest.Minute)
				s.exec(t, "SET time_zone = '+00:00'; INSERT INTO DB.encryption_key VALUES ('k', '"+time.Unix(sqltest.Minute, 0).UTC().Format(time.DateTime)+"', '"+text+"')")
				if got := sqltest.MustLoad(t, s.open(t, Config{}), "k", sqltest.Minute); !got.Revoked || got.ParentKeyMeta.ID != "p" {
					t.Fatalf("%s: %+v", kind, got)
				}
			}
		})
		t.Run("no table, another's table, and one where duplicates are possible", func(t *testing.T) {
			m := s.open(t, Config{})
			s.exec(t, "DROP TABLE IF EXISTS DB.encryption_key")
			store := func() error {
				_, err := m.Store(sqltest.Context(t, 20*time.Second), "k", sqltest.Minute, sqltest.Key(1, sqltest.Minute))
				return err
			}
			_, err := m.Load(sqltest.Context(t, 20*time.Second), "k", sqltest.Minute)
			sqltest.MustFail(t, err, fault.Metastore, "createSchema()", s.admin.Addr)
			sqltest.MustFail(t, store(), fault.Metastore, "createSchema()")
			s.exec(t, "CREATE TABLE DB.encryption_key (id INT)")
			sqltest.MustFail(t, store(), fault.Metastore, "no column created")
			s.exec(t, "DROP TABLE DB.encryption_key; CREATE TABLE DB.encryption_key (id VARCHAR(99) NOT NULL, created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, key_record TEXT, UNIQUE (id(5), created))")
			sqltest.MustFail(t, store(), fault.Metastore, "ADD PRIMARY KEY (id, created)")
			s.exec(t, "ALTER TABLE DB.encryption_key ADD PRIMARY KEY (id, created)")
			if err := store(); err != nil {
				t.Fatal(err)
			}
			s.exec(t, "ALTER TABLE DB.encryption_key ADD UNIQUE (id)")
			_, err = m.Store(sqltest.Context(t, 20*time.Second), "k", sqltest.Minute+60, sqltest.Key(1, sqltest.Minute+60))
			sqltest.MustFail(t, err, fault.Metastore, "unique index over other columns")
		})
	})
}

func TestCreateSchemaOnce(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		m := s.open(t, Config{})
		var made sync.Map
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				created, err := m.CreateSchema(sqltest.Context(t, 20*time.Second))
				if err != nil {
					t.Error(err)
				}
				made.Store(i, created)
			})
		}
		all.Wait()
		if created, err := m.CreateSchema(sqltest.Context(t, 20*time.Second)); created || err != nil {
			t.Fatal(created, err)
		}
		sqltest.MustStore(t, m, "k", sqltest.Minute)
	})
}

func TestServerRefusals(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		s.table(t, binary, "TIMESTAMP", "TEXT")
		user := sqltest.Name()[:16]
		s.exec(t, "CREATE USER '"+user+"'@'%' IDENTIFIED BY 'Hush-hush-7'; GRANT SELECT, INSERT ON "+s.database+".* TO '"+user+"'@'%'")
		defer s.exec(t, "DROP USER '"+user+"'@'%'")
		dsn := func(password string) string {
			return strings.Replace(s.dsn(s.admin.Addr, ""), s.admin.User+":"+s.admin.Passwd, user+":"+password, 1)
		}
		m := s.open(t, Config{ConnectionString: dsn("Hush-hush-7")})
		sqltest.MustStore(t, m, "k", sqltest.Minute)
		t.Run("a server that takes no writes", func(t *testing.T) {
			s.exec(t, "SET GLOBAL read_only = ON")
			defer s.exec(t, "SET GLOBAL read_only = OFF")
			_, err := m.Store(sqltest.Context(t, 20*time.Second), "k2", sqltest.Minute, sqltest.Key(1, sqltest.Minute))
			sqltest.MustFail(t, err, fault.MetastoreReadOnly, "read-only")
			sqltest.MustLoad(t, m, "k", sqltest.Minute)
			if results := m.Verify(sqltest.Context(t, 20*time.Second)); results[2].Status != check.Warning {
				t.Fatalf("%+v", results)
			}
		})
		t.Run("a lock that another holds for longer than the server waits, or than we do", func(t *testing.T) {
			s.exec(t, "SET GLOBAL innodb_lock_wait_timeout = 1")
			defer s.exec(t, "SET GLOBAL innodb_lock_wait_timeout = DEFAULT")
			fresh := s.open(t, Config{})
			transaction, err := s.db.Begin()
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = transaction.Rollback() }()
			if _, err := transaction.Exec("INSERT INTO " + s.database + ".encryption_key VALUES ('locked', '" + time.Unix(sqltest.Minute, 0).UTC().Format(time.DateTime) + "', '{}')"); err != nil {
				t.Fatal(err)
			}
			store := func(limit time.Duration) error {
				_, err := fresh.Store(sqltest.Context(t, limit), "locked", sqltest.Minute, sqltest.Key(1, sqltest.Minute))
				return err
			}
			sqltest.MustFail(t, store(20*time.Second), fault.MetastoreBusy, "Lock wait timeout")
			sqltest.MustFail(t, store(300*time.Millisecond), fault.Metastore, "in time")
			// The server gives up after 1 s; the lock is gone before it does so again.
			time.AfterFunc(1500*time.Millisecond, func() { _ = transaction.Rollback() })
			if err := store(20 * time.Second); err != nil {
				t.Fatal(err)
			}
		})
		t.Run("a wrong password", func(t *testing.T) {
			_, err := s.open(t, Config{ConnectionString: dsn("Other-secret-9")}).Load(sqltest.Context(t, 20*time.Second), "k", sqltest.Minute)
			sqltest.MustFail(t, err, fault.Metastore, "Access denied", s.admin.Addr)
			sqltest.MustHide(t, err, "Other-secret-9")
		})
		t.Run("replicaReadConsistency on a server that has none", func(t *testing.T) {
			_, err := s.open(t, Config{ReplicaReadConsistency: "session"}).Load(sqltest.Context(t, 20*time.Second), "k", sqltest.Minute)
			sqltest.MustFail(t, err, fault.Metastore, "replicaReadConsistency", "Aurora", "aurora_replica_read_consistency")
		})
		t.Run("replicaReadConsistency is set on every connection", func(t *testing.T) {
			// No server here has the variable: the proxy makes another of it on the way, of the same length.
			const theirs, ours = "SESSION aurora_replica_read_consistency", "@set_on_this_connection_aaaaaaaaaaaaaaa"
			proxy := sqltest.NewProxy(t, s.admin.Addr)
			var mu sync.Mutex
			set := 0
			proxy.Use(sqltest.Hooks{Rewrite: func(data []byte) []byte {
				mu.Lock()
				defer mu.Unlock()
				set += strings.Count(string(data), theirs+" = 'global'")
				return []byte(strings.Replace(string(data), theirs, ours, 1))
			}})
			m := s.open(t, Config{ConnectionString: s.dsn(proxy.Address, "tls=false"), ReplicaReadConsistency: "global"})
			for range 3 {
				sqltest.MustLoad(t, m, "k", sqltest.Minute)
				proxy.Cut()
			}
			mu.Lock()
			defer mu.Unlock()
			if set != proxy.Opened() || set < 3 {
				t.Fatalf("set on %d of %d connections", set, proxy.Opened())
			}
		})
	})
}

func TestVerify(t *testing.T) {
	each(t, func(t *testing.T, s *server) {
		m := s.open(t, Config{})
		statuses := func() string {
			var all []string
			for _, r := range m.Verify(sqltest.Context(t, 20*time.Second)) {
				all = append(all, fmt.Sprintf("%s %s: %s", r.Name, r.Status, r.Message))
			}
			return strings.Join(all, "\n")
		}
		expect := func(words ...string) {
			t.Helper()
			got := statuses()
			for _, word := range words {
				if !strings.Contains(got, word) {
					t.Errorf("no %q in\n%s", word, got)
				}
			}
		}
		expect("metastore table failure: there is no table", "metastore clock ok", "metastore writable ok")
		s.table(t, "VARCHAR(99) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci", "TIMESTAMP", "TEXT")
		expect("metastore table warning", BinaryID, "99 characters")
		s.exec(t, "ALTER TABLE DB.encryption_key MODIFY created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP")
		expect("ON UPDATE")
		s.exec(t, "DROP TABLE DB.encryption_key")
		if _, err := m.CreateSchema(sqltest.Context(t, 20*time.Second)); err != nil {
			t.Fatal(err)
		}
		expect("metastore table ok", "metastore connection", s.admin.Addr)
		away := s.open(t, Config{ConnectionString: s.dsn("127.0.0.1:1", "tls=false")})
		if results := away.Verify(sqltest.Context(t, 5*time.Second)); len(results) != 1 || results[0].Status != check.Failure {
			t.Fatalf("%+v", results)
		}
	})
}
