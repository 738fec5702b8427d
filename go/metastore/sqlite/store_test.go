// SPDX-License-Identifier: Apache-2.0

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/metastore/metastoretest"
	"asherah-napi/record"
)

var ctx = context.Background()

const minute int64 = 1_795_362_660 // 2026-11-22 15:51:00 UTC

func TestConformance(t *testing.T) {
	metastoretest.Run(t, func(t *testing.T) metastore.Metastore {
		return open(t, filepath.Join(t.TempDir(), "keys.db"))
	})
}

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := New(path, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// raw opens the file past the package, as another program would.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", dsn(path))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func mustExec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, statement := range statements {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func mustStore(t *testing.T, s *Store, id string) {
	t.Helper()
	if stored, err := s.Store(ctx, id, minute, &record.KeyRecord{Created: minute, Key: make([]byte, 60)}); !stored || err != nil {
		t.Fatalf("Store(%q) = %v, %v", id, stored, err)
	}
}

func mustLoad(t *testing.T, s *Store, id string, want bool) {
	t.Helper()
	if key, err := s.Load(ctx, id, minute); err != nil || (key != nil) != want {
		t.Fatalf("Load(%q) = %v, %v; want a row: %v", id, key, err, want)
	}
}

func mustFail(t *testing.T, err error, code fault.Code, words ...string) {
	t.Helper()
	if err == nil || fault.CodeOf(err) != code {
		t.Fatalf("got error %v (%s), want %s", err, fault.CodeOf(err), code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not mention %q", err, word)
		}
	}
}

func TestRowsAreThoseOfTheRustPackages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	s := open(t, path)
	mustStore(t, s, "_SK_s_p")
	var created, kind, text, mode string
	db := raw(t, path)
	err := db.QueryRow(`SELECT created || '', typeof(created), key_record FROM encryption_key WHERE id = '_SK_s_p'`).Scan(&created, &kind, &text)
	if err != nil || created != "2026-11-22 15:51:00" || kind != "text" {
		t.Fatalf("created is %q, a %s (%v)", created, kind, err)
	}
	if !strings.HasPrefix(text, `{"Created":1795362660,"Key":"AAAA`) {
		t.Fatalf("key_record is %s", text)
	}
	if err := db.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Fatalf("journal mode %q, %v", mode, err)
	}
}

// A row that a power cut takes back, after a record was handed out, is that record lost.
func TestRowsAreSyncedToDisk(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "keys.db"))
	mustStore(t, s, "k")
	var level int
	if err := s.db.QueryRow(`PRAGMA synchronous`).Scan(&level); err != nil || level < 2 {
		t.Fatalf("synchronous is %d, want FULL (2): %v", level, err)
	}
}

func TestReadingCreatesNothing(t *testing.T) {
	directory := t.TempDir()
	s := open(t, filepath.Join(directory, "keys.db"))
	mustLoad(t, s, "k", false)
	if entries, _ := os.ReadDir(directory); len(entries) != 0 {
		t.Fatalf("Load made %v", entries)
	}
	if err := os.WriteFile(filepath.Join(directory, "keys.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mustLoad(t, s, "k", false)
	if info, err := os.Stat(filepath.Join(directory, "keys.db")); err != nil || info.Size() != 0 {
		t.Fatalf("Load wrote to an empty file: %v %v", info, err)
	}
	mustStore(t, s, "k")
	mustLoad(t, s, "k", true)
}

func TestAwkwardPaths(t *testing.T) {
	for _, name := range []string{
		"a?mode=memory", "a#b", "a%20b", "a%3f", "with space", "ключи.db", "日本", "q'uo\"te", "semi;colon&amp=1+2", "a?_journal_mode=OFF&vfs=none", `back\slash`, "-dash", "new\nline",
	} {
		directory := t.TempDir()
		path := filepath.Join(directory, name)
		s := open(t, path)
		mustStore(t, s, "k")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		entries, _ := os.ReadDir(directory)
		if len(entries) != 1 || entries[0].Name() != name {
			t.Errorf("%q made %v", name, entries)
		}
		mustLoad(t, open(t, path), "k", true)
	}
}

func TestRefusedPaths(t *testing.T) {
	for _, path := range []string{"", ":memory:", "file:keys.db", "a\x00b"} {
		_, err := New(path, time.Second)
		mustFail(t, err, fault.InvalidConfig)
	}
	_, err := New("keys.db", -1)
	mustFail(t, err, fault.InvalidConfig)
}

func TestRelativePathSurvivesAChangeOfDirectory(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	t.Chdir(first)
	s := open(t, "keys.db")
	t.Chdir(second)
	mustStore(t, s, "k")
	if _, err := os.Stat(filepath.Join(first, "keys.db")); err != nil {
		t.Fatal(err)
	}
}

func TestMissingDirectory(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "missing")
	s := open(t, filepath.Join(directory, "keys.db"))
	_, err := s.Load(ctx, "k", minute)
	mustFail(t, err, fault.Metastore, "directory", "create it")
	_, err = s.Store(ctx, "k", minute, &record.KeyRecord{})
	mustFail(t, err, fault.Metastore, "directory", "create it")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	mustStore(t, s, "k")
}

func TestPathIsADirectory(t *testing.T) {
	_, err := open(t, t.TempDir()).LoadLatest(ctx, "k")
	mustFail(t, err, fault.Metastore, "is a directory")
}

func TestNotADatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	text := strings.Repeat("this is a text\n", 100)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	_, err := s.LoadLatest(ctx, "k")
	mustFail(t, err, fault.Metastore, "no SQLite database")
	_, err = s.Store(ctx, "k", minute, &record.KeyRecord{})
	mustFail(t, err, fault.Metastore, "no SQLite database")
	if now, _ := os.ReadFile(path); string(now) != text {
		t.Fatal("the foreign file was changed")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	mustStore(t, s, "k")
}

func TestForeignTables(t *testing.T) {
	for create, word := range map[string]string{
		`CREATE TABLE encryption_key (id TEXT, created TIMESTAMP)`:                                       "no column key_record",
		`CREATE TABLE encryption_key (name TEXT)`:                                                        "no column id",
		`CREATE VIEW encryption_key AS SELECT 1 AS id, 2 AS created, 3 AS key_record`:                    "view",
		`CREATE TABLE encryption_key (id TEXT, created TIMESTAMP, key_record TEXT)`:                      "UNIQUE",
		`CREATE TABLE encryption_key (id, created, key_record, who TEXT NOT NULL, UNIQUE (id, created))`: "who",
	} {
		path := filepath.Join(t.TempDir(), "keys.db")
		mustExec(t, raw(t, path), create)
		s := open(t, path)
		stored, err := s.Store(ctx, "k", minute, &record.KeyRecord{})
		mustFail(t, err, fault.Metastore, word)
		if stored {
			t.Error("reported as stored:", create)
		}
	}
}

// Tables that are good enough: other spellings, more columns, the column types of the MySQL documentation.
func TestTablesMadeByOthers(t *testing.T) {
	for _, create := range []string{
		`CREATE TABLE Encryption_Key (ID TEXT, Created TIMESTAMP, Key_Record TEXT, PRIMARY KEY (Created, ID))`,
		`CREATE TABLE encryption_key (id VARCHAR(255) NOT NULL, created TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
			key_record TEXT NOT NULL, note TEXT DEFAULT 'x', PRIMARY KEY (id, created))`,
		`CREATE TABLE encryption_key (id TEXT, created TEXT, key_record BLOB, PRIMARY KEY (id, created)) WITHOUT ROWID`,
	} {
		path := filepath.Join(t.TempDir(), "keys.db")
		mustExec(t, raw(t, path), create)
		s := open(t, path)
		mustStore(t, s, "k")
		mustLoad(t, s, "k", true)
	}
}

func TestDamagedRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	s := open(t, path)
	mustStore(t, s, "good")
	db := raw(t, path)
	for i, text := range []string{"", "x", "null", "[]", `{"Created":"x"}`, `{"Key":"*"}`, "\x00\xff"} {
		if _, err := db.Exec(`INSERT INTO encryption_key VALUES (?, '2026-11-22 15:51:00', ?)`, fmt.Sprint("bad", i), text); err != nil {
			t.Fatal(err)
		}
		_, err := s.Load(ctx, fmt.Sprint("bad", i), minute)
		mustFail(t, err, fault.InvalidKeyRecord, fmt.Sprint("bad", i))
	}
	mustLoad(t, s, "good", true)
}

func TestLatestRowOfAnotherDateThanItSays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.db")
	s := open(t, path)
	mustStore(t, s, "k")
	db := raw(t, path)
	for _, date := range []string{"2026-11-22 15:51:01", "2026-11-22 15:51:00 +0000 UTC", "2026-11-22T15:51:00Z", "1795362660"} {
		if _, err := db.Exec(`UPDATE encryption_key SET created = ?`, date); err != nil {
			t.Fatal(err)
		}
		_, err := s.LoadLatest(ctx, "k")
		mustFail(t, err, fault.InvalidKeyRecord, date, fmt.Sprint(minute))
	}
}

func TestFileReplacedUnderUs(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "keys.db")
	s := open(t, path)
	mustStore(t, s, "old")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	mustLoad(t, s, "old", false)
	mustStore(t, s, "new")
	// what matters: the row is in the file that everybody else sees
	other := open(t, path)
	mustLoad(t, other, "new", true)

	backup := filepath.Join(directory, "backup.db")
	b := open(t, backup)
	mustStore(t, b, "restored")
	_ = b.Close()
	_ = other.Close()
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(path + suffix)
	}
	if err := os.Rename(backup, path); err != nil {
		t.Fatal(err)
	}
	mustLoad(t, s, "restored", true)
	mustLoad(t, s, "new", false)
	mustStore(t, s, "newest")
	mustLoad(t, open(t, path), "newest", true)
}

func TestImpossibleDates(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "keys.db"))
	for _, created := range []int64{-1, maxCreated + 1, 1 << 62} {
		if key, err := s.Load(ctx, "k", created); key != nil || err != nil {
			t.Errorf("Load at %d = %v, %v", created, key, err)
		}
		if stored, err := s.Store(ctx, "k", created, &record.KeyRecord{}); stored || err == nil {
			t.Errorf("Store at %d = %v, %v", created, stored, err)
		}
	}
	if stored, err := s.Store(ctx, "k", maxCreated, &record.KeyRecord{}); !stored || err != nil {
		t.Error(stored, err)
	}
}

func TestClosed(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "keys.db"))
	mustStore(t, s, "k")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Load(ctx, "k", minute)
	mustFail(t, err, fault.Closed)
	_, err = s.Store(ctx, "k", minute, &record.KeyRecord{})
	mustFail(t, err, fault.Closed)
}

func TestIntermediateKeyWithoutItsSystemKey(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "keys.db"))
	child := &record.KeyRecord{Created: minute, ParentKeyMeta: &record.KeyMeta{ID: "_SK_s_p", Created: minute}}
	stored, err := s.Store(ctx, "_IK_a_s_p", minute, child)
	mustFail(t, err, fault.KeyNotFound, "_SK_s_p", "exchanged")
	if stored {
		t.Fatal("reported as stored")
	}
	mustLoad(t, s, "_IK_a_s_p", false)
	mustStore(t, s, "_SK_s_p")
	if stored, err := s.Store(ctx, "_IK_a_s_p", minute, child); !stored || err != nil {
		t.Fatal(stored, err)
	}
}

func TestNoNetworkIsLinked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(out)) {
		switch name {
		case "net", "net/http", "crypto/tls", "crypto/x509":
			t.Error("depends on", name)
		}
	}
}
