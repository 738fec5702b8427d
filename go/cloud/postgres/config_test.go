// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"asherah-napi/cloud/sqlstore/sqltest"
	"asherah-napi/fault"
)

const secret = "Sesame-4711"

func TestFormsOfConnectionStrings(t *testing.T) {
	for text, want := range map[string]string{
		"postgres://u:p@db.example:5433/keys":                            "u|p|db.example:5433|keys",
		"postgresql://u:p@db.example/keys?sslmode=require":               "u|p|db.example:5432|keys",
		"postgres://u%40x:p%2F%3F%23%25'%5C@db.example/ke%20ys":          `u@x|p/?#%'\|db.example:5432|ke ys`,
		"postgres://u:p@[::1]:5433/keys":                                 "u|p|[::1]:5433|keys",
		"postgres://u:p@h1:1,h2,h3:3/keys":                               "u|p|h1:1,h2:5432,h3:3|keys",
		"postgres://u@h":                                                 "u||h:5432|u",
		"postgres://u:p@/keys?host=/run/pg&port=5433":                    "u|p|/run/pg/.s.PGSQL.5433|keys",
		"host=db.example user=u password=p dbname=keys":                  "u|p|db.example:5432|keys",
		" host = db.example\tport=5433 user=u password='' database=keys": "u||db.example:5433|keys",
		`host=h user='u v' password='it\'s \\ p' dbname=ke\ ys`:          `u v|it's \ p|h:5432|ke ys`,
		"host=h1,h2 port=1,2 user=u":                                     "u||h1:1,h2:2|u",
	} {
		got, err := parse(&Config{ConnectionString: text})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		c := got.secure
		if c == nil {
			c = got.plain
		}
		if s := strings.Join([]string{c.User, c.Password, got.place, c.Database}, "|"); s != want {
			t.Errorf("%s: %s, want %s", text, s, want)
		}
	}
}

func TestBadConnectionStringsAreRefusedAndNotQuoted(t *testing.T) {
	for text, words := range map[string]string{
		"":                                   "a host",
		secret:                               "keywords",
		"u:" + secret + "@tcp(h:1)/keys":     "keywords",
		"mysql://u:" + secret + "@h/keys":    "keywords",
		"host=h user=u password='" + secret:  "keywords",
		"host=h user=u password=a " + secret: "keywords",
		"host=h user=u pasword=" + secret:    "'pasword'",
		"host=h user=u password=a b!" + secret + "=c":                 "unusual name",
		"host=h user=u password=a password=" + secret:                 "more than one value for 'password'",
		"user=u password=" + secret:                                   "a host",
		"host=h password=" + secret:                                   "a user",
		"postgres://u:" + secret + "/@h/keys":                         "ercent-encode",
		"postgres://u:%zz" + secret + "@h/keys":                       "ercent-encode",
		"postgres://u:a:" + secret + "@h:" + secret + "/keys":         "ercent-encode",
		"host=h user=u port=" + secret:                                "Check port",
		"host=h user=u connect_timeout=" + secret:                     "connect_timeout",
		"host=h user=u target_session_attrs=" + secret:                "target_session_attrs",
		"postgres://u:p@h/keys?%zz" + secret:                          "percent-encoded",
		"postgres://u:p@h/keys?sslmode=" + secret:                     "sslmode",
		"postgres://u:p@h/keys?sslmode=require&sslmode=prefer":        "more than one value for 'sslmode'",
		"postgres://u:p@h/keys?sslrootcert=none.pem":                  "none.pem",
		"postgres://u:p@h/keys?sslmode=prefer&sslrootcert=system":     "verify-full",
		"postgres://u:p@h/keys?timezone=Europe%2FBerlin":              "UTC",
		"postgres://u:p@h/keys?service=x":                             "'service'",
		"postgres://u:p@h/keys?default_query_exec_mode=describe_exec": "'default_query_exec_mode'",
		"postgres://u:p@h/keys?pool_max_conns=5":                      "'pool_max_conns'",
		"host=h user=u password=a\x00" + secret:                       "keywords",
	} {
		_, err := New(Config{ConnectionString: text})
		sqltest.MustFail(t, err, fault.InvalidConfig, "config.connectionString: ", "expected", words)
		sqltest.MustHide(t, err, secret)
	}
	for _, c := range []Config{{RequireTLS: true}, {CAFile: sqltest.NewCA(t)}} {
		c.ConnectionString = "postgres://u:" + secret + "@h/keys?sslmode=disable"
		_, err := New(c)
		sqltest.MustFail(t, err, fault.InvalidConfig, "config.connectionString: expected")
		sqltest.MustHide(t, err, secret)
	}
	_, err := New(Config{ConnectionString: "host=h user=u", ReplicaReadConsistency: "evntual"})
	sqltest.MustFail(t, err, fault.InvalidConfig, "config.replicaReadConsistency: expected", "evntual")
	_, err = New(Config{ConnectionString: "host=h user=u", CAFile: "none.pem"})
	sqltest.MustFail(t, err, fault.InvalidConfig, "config.caFile: expected", "none.pem")
}

// What each spelling asks of the server: nothing, any TLS, a CA's certificate, one for this host.
func TestModesOfTLS(t *testing.T) {
	ca := sqltest.NewCA(t)
	level := func(c Config) string {
		got, err := parse(&c)
		switch {
		case err != nil:
			t.Error(c.ConnectionString, err)
			return ""
		case got.secure == nil:
			return "plain"
		case got.plain != nil:
			return "preferred"
		case got.secure.TLSConfig.VerifyPeerCertificate != nil:
			return "CA"
		case got.secure.TLSConfig.InsecureSkipVerify:
			return "any"
		case got.secure.TLSConfig.ServerName == "h":
			return "host"
		}
		return "?"
	}
	for _, test := range []struct{ parameters, plainly, requireTLS, caFile string }{
		{"", "preferred", "any", "host"},
		{"sslmode=prefer", "preferred", "any", "host"},
		{"sslmode=allow", "preferred", "any", "host"},
		{"sslmode=require", "any", "any", "host"},
		{"ssl=true", "any", "any", "host"},
		{"sslmode=verify-ca", "CA", "CA", "CA"},
		{"sslmode=verify-full", "host", "host", "host"},
		{"sslmode=disable", "plain", "", ""},
		{"sslrootcert=" + ca, "host", "host", ""},
		{"sslmode=verify-ca&sslrootcert=" + ca, "CA", "CA", ""},
		{"sslrootcert=system", "host", "host", ""},
	} {
		for want, c := range map[string]Config{test.plainly + "1": {}, test.requireTLS + "2": {RequireTLS: true}, test.caFile + "3": {CAFile: ca}} {
			c.ConnectionString = "postgres://u:p@h/keys?" + test.parameters
			if want = want[:len(want)-1]; want == "" {
				continue
			}
			if got := level(c); got != want {
				t.Errorf("%s, requireTls %v, caFile %v: %s, want %s", test.parameters, c.RequireTLS, c.CAFile != "", got, want)
			}
		}
	}
	if got := level(Config{ConnectionString: "host=/run/pg user=u", RequireTLS: true}); got != "plain" {
		t.Error("a Unix socket:", got)
	}
}

// The process's environment is not what JavaScript sees, and not the configuration.
func TestEnvironmentIsNotRead(t *testing.T) {
	for name, value := range map[string]string{
		"PGHOST": "elsewhere", "PGPORT": "1", "PGUSER": "other", "PGPASSWORD": secret, "PGDATABASE": "other", "PGSSLMODE": "disable", "PGAPPNAME": "other",
		"PGOPTIONS": "-c search_path=other", "PGTZ": "Asia/Tokyo", "PGTARGETSESSIONATTRS": "read-only", "PGCONNECT_TIMEOUT": "1", "PGPASSFILE": "none",
		"PGSSLROOTCERT": "none.pem", "PGSSLCERT": "none.pem", "PGSSLKEY": "none.pem", "PGCHANNELBINDING": "require", "PGREQUIREAUTH": "md5",
	} {
		t.Setenv(name, value)
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	got, err := parse(&Config{ConnectionString: "host=h user=u"})
	if err != nil {
		t.Fatal(err)
	}
	c := got.secure
	if c.Host != "h" || c.Port != 5432 || c.User != "u" || c.Password != "" || c.Database != "u" || got.plain == nil || c.ConnectTimeout != 0 || c.ValidateConnect != nil ||
		c.ChannelBinding != "prefer" || c.RequireAuth != "" || c.TLSConfig.RootCAs != nil || len(c.TLSConfig.Certificates) > 0 ||
		len(c.RuntimeParams) != 2 || c.RuntimeParams["timezone"] != "UTC" || c.RuntimeParams["application_name"] != "asherah-napi" {
		t.Errorf("%+v", c)
	}
	t.Setenv("PGSERVICE", "none")
	_, err = parse(&Config{ConnectionString: "host=h user=u"})
	sqltest.MustFail(t, err, fault.InvalidConfig, "PGSERVICE")
}

// A password file is read, as by every client of PostgreSQL, where the string has no password.
func TestPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pass")
	if err := os.WriteFile(path, []byte("h:5432:*:u:"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := parse(&Config{ConnectionString: "host=h user=u passfile=" + path})
	if err != nil || got.secure.Password != secret || got.plain.Password != secret {
		t.Fatal(err)
	}
}

func TestTLS(t *testing.T) {
	ca := sqltest.Servers(t, "ASHERAH_TEST_CA")[0]
	s := start(t)
	s.exec(t, CreateTable)
	load := func(c Config) ([]string, error) {
		var warnings sqltest.Warnings
		c.Warn = warnings.Add
		m := s.open(t, c)
		for range 3 {
			if _, err := m.LoadLatest(sqltest.Context(t, 20*time.Second), "k"); err != nil {
				return warnings.All(), err
			}
		}
		results := m.Verify(sqltest.Context(t, 20*time.Second))
		if strings.Contains(results[0].Message, "TLS 1.3") == (len(warnings.All()) > 0) {
			t.Errorf("%+v", results[0])
		}
		return warnings.All(), nil
	}
	for _, c := range []Config{
		{ConnectionString: s.at(s.url.Host, "")},
		{ConnectionString: s.at(s.url.Host, ""), RequireTLS: true},
		{ConnectionString: s.at(s.url.Host, ""), CAFile: ca},
		{ConnectionString: s.at(s.url.Host, "sslmode=verify-ca"), CAFile: ca},
		{ConnectionString: s.at(s.url.Host, "sslmode=verify-full&sslrootcert="+ca)},
	} {
		if warnings, err := load(c); err != nil || len(warnings) > 0 {
			t.Error(err, warnings)
		}
	}
	for _, c := range []Config{ // by CAs that signed nothing here
		{ConnectionString: s.at(s.url.Host, ""), CAFile: sqltest.NewCA(t)},
		{ConnectionString: s.at(s.url.Host, "sslmode=verify-ca"), CAFile: sqltest.NewCA(t)},
		{ConnectionString: s.at(s.url.Host, "sslmode=verify-full")},
	} {
		_, err := load(c)
		sqltest.MustFail(t, err, fault.Metastore, s.url.Host, "certificate")
	}
	t.Run("a certificate for another host", func(t *testing.T) {
		elsewhere := sqltest.NewProxyAt(t, sqltest.Elsewhere, s.url.Host).Address
		_, err := load(Config{ConnectionString: s.at(elsewhere, ""), CAFile: ca})
		sqltest.MustFail(t, err, fault.Metastore, "certificate", sqltest.Elsewhere)
		if _, err := load(Config{ConnectionString: s.at(elsewhere, "sslmode=verify-ca"), CAFile: ca}); err != nil {
			t.Error(err)
		}
	})
	t.Run("a server without TLS", func(t *testing.T) {
		proxy := sqltest.NewProxy(t, s.url.Host)
		proxy.Use(sqltest.Hooks{Answer: func(data []byte) []byte {
			if string(data) == "\x00\x00\x00\x08\x04\xd2\x16\x2f" { // SSLRequest
				return []byte("N")
			}
			return nil
		}})
		password, _ := s.url.User.Password()
		warnings, err := load(Config{ConnectionString: s.at(proxy.Address, "")})
		if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], string(fault.WarnPlainConnection)+": metastore postgres "+proxy.Address) || strings.Contains(warnings[0], password) {
			t.Fatal(warnings, err)
		}
		for _, c := range []Config{
			{ConnectionString: s.at(proxy.Address, "sslmode=require")},
			{ConnectionString: s.at(proxy.Address, ""), RequireTLS: true},
			{ConnectionString: s.at(proxy.Address, ""), CAFile: ca},
		} {
			_, err := load(c)
			sqltest.MustFail(t, err, fault.Metastore, "server refused TLS connection")
		}
		m := s.open(t, Config{ConnectionString: s.at(proxy.Address, "sslmode=disable"), Warn: func(code fault.Code, message string) { t.Error(code, message) }})
		if _, err := m.LoadLatest(sqltest.Context(t, 20*time.Second), "k"); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a failed handshake is not a server without TLS", func(t *testing.T) {
		proxy := sqltest.NewProxy(t, s.url.Host)
		proxy.Use(sqltest.Hooks{RewriteBack: func(data []byte) []byte {
			if len(data) > 5 && data[0] == 22 { // a TLS handshake record
				data[5] = 0xff
			}
			return data
		}})
		warnings, err := load(Config{ConnectionString: s.at(proxy.Address, "")})
		sqltest.MustFail(t, err, fault.Metastore, "tls")
		if len(warnings) > 0 {
			t.Fatal(warnings)
		}
	})
}
