// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"strings"
	"testing"
	"time"

	"asherah-napi/cloud/sqlstore/sqltest"
	"asherah-napi/fault"
)

const secret = "Sesame-4711"

func TestFormsOfConnectionStrings(t *testing.T) {
	for text, want := range map[string]string{
		"u:p@tcp(db.example:3307)/keys":                       "u|p|tcp|db.example:3307|keys",
		"u:p@tcp(db.example)/keys":                            "u|p|tcp|db.example:3306|keys",
		"u:p/@?:s@tcp(db.example:1)/keys?parseTime=true":      "u|p/@?:s|tcp|db.example:1|keys",
		"u@tcp([::1]:3307)/keys?charset=utf8mb4,utf8&loc=UTC": "u||tcp|[::1]:3307|keys",
		"u:p@unix(/run/my.sock)/keys":                         "u|p|unix|/run/my.sock|keys",
		"u:p@/keys":                                           "u|p|tcp|127.0.0.1:3306|keys",
		"mysql://u:p@db.example:3307/keys":                    "u|p|tcp|db.example:3307|keys",
		"mysql://u:p@db.example/keys?timeout=5s":              "u|p|tcp|db.example:3306|keys",
		"mysql://u%40x:p%2F%3F%23%25@db.example/ke%20ys":      "u@x|p/?#%|tcp|db.example:3306|ke ys",
		"mariadb://u:p@[::1]:3307/keys":                       "u|p|tcp|[::1]:3307|keys",
		"mysql://u:p@localhost/keys?socket=%2Frun%2Fmy.sock":  "u|p|unix|/run/my.sock|keys",
	} {
		got, err := parse(&Config{ConnectionString: text})
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		c := got.config
		if s := strings.Join([]string{c.User, c.Passwd, c.Net, c.Addr, c.DBName}, "|"); s != want {
			t.Errorf("%s: %s, want %s", text, s, want)
		}
	}
}

func TestBadConnectionStringsAreRefusedAndNotQuoted(t *testing.T) {
	for text, words := range map[string]string{
		"":                                                                      "DSN",
		secret:                                                                  "DSN",
		"u:" + secret + "@tcp(h:1)":                                             "slash",
		"u:" + secret + "@tcp(h:1)/":                                            "database",
		"u:" + secret + "@tcp(h:1/keys":                                         "neither",
		":" + secret + "@tcp(h:1)/keys":                                         "a user",
		"u:" + secret + "@pipe(h)/keys":                                         "tcp or unix",
		"postgres://u:" + secret + "@h/keys":                                    "another kind",
		"mysql://u:" + secret + "@/keys":                                        "one host",
		"mysql://u:" + secret + "@h1,h2/keys":                                   "one host",
		"mysql://u:" + secret + "/@h/keys":                                      "ercent-encode",
		"mysql://u:%zz" + secret + "@h/keys":                                    "Percent-encode",
		"mysql://u:p@h/keys?password=" + secret:                                 "'password'",
		"mysql://u:p@h/keys?Timeout=5s&x=" + secret:                             "Correct or remove it",
		"mysql://u:p@h/keys?timeout=" + secret:                                  "timeout",
		"mysql://u:p@h/keys?parseTime=" + secret:                                "parseTime",
		"mysql://u:p@h/keys?timeout=1s&timeout=2s":                              "more than one 'timeout'",
		"mysql://u:p@h/keys?" + secret + "&=&%zz":                               "percent-encoded",
		"mysql://u:p@h/keys?allowAllFiles=true":                                 "'allowAllFiles'",
		"mysql://u:p@h/keys?allowFallbackToPlaintext=true":                      "'allowFallbackToPlaintext'",
		"mysql://u:p@h/keys?loc=Local":                                          "UTC",
		"mysql://u:p@h/keys?time_zone=%27Europe%2FBerlin%27":                    "UTC",
		"mysql://u:p@h/keys?charset=latin1":                                     "utf8mb4",
		"mysql://u:p@h/keys?tls=" + secret:                                      "ssl-mode",
		"mysql://u:p@h/keys?ssl-mode=" + secret:                                 "ssl-mode",
		"mysql://u:p@h/keys?ssl=%7B%22rejectUnauthorized%22%3Afalse%7D":         "ssl-mode",
		"mysql://u:p@h/keys?ssl-mode=REQUIRED&tls=true":                         "several",
		"mysql://u:p@h/keys?ssl-mode=REQUIRED&ssl-ca=ca.pem":                    "VERIFY_IDENTITY",
		"mysql://u:p@h/keys?ssl-ca=none.pem":                                    "none.pem",
		"mysql://u:" + secret + "@h/keys?interpolateParams=1&collation=gbk_bin": "go together",
	} {
		_, err := New(Config{ConnectionString: text})
		sqltest.MustFail(t, err, fault.InvalidConfig, "config.connectionString: ", "expected", words)
		sqltest.MustHide(t, err, secret)
	}
	for _, c := range []Config{{RequireTLS: true}, {CAFile: sqltest.NewCA(t)}} {
		c.ConnectionString = "u:" + secret + "@tcp(h:1)/keys?tls=false"
		_, err := New(c)
		sqltest.MustFail(t, err, fault.InvalidConfig, "config.connectionString: expected")
		sqltest.MustHide(t, err, secret)
	}
	_, err := New(Config{ConnectionString: "u:p@/keys", ReplicaReadConsistency: "evntual"})
	sqltest.MustFail(t, err, fault.InvalidConfig, "config.replicaReadConsistency: expected", "evntual")
	_, err = New(Config{ConnectionString: "u:p@/keys", CAFile: "none.pem"})
	sqltest.MustFail(t, err, fault.InvalidConfig, "config.caFile: expected", "none.pem")
	_, err = New(Config{ConnectionString: "u:p@/keys", PoolMaxOpen: -1})
	sqltest.MustFail(t, err, fault.InvalidConfig, "poolMaxOpen")
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
		case got.tls == nil:
			return "plain"
		case got.fallback:
			return "preferred"
		case got.tls.VerifyPeerCertificate != nil:
			return "CA"
		case got.tls.InsecureSkipVerify:
			return "any"
		case got.tls.ServerName == "h":
			return "host"
		}
		return "?"
	}
	for parameters, want := range map[string]string{
		"": "preferred", "tls=preferred": "preferred", "tls=true": "host", "tls=skip-verify": "any", "tls=false": "plain",
		"ssl-mode=DISABLED": "plain", "ssl-mode=PREFERRED": "preferred", "ssl-mode=required": "any", "sslMode=VERIFY_CA": "CA",
		"sslmode=verify-full": "host", "ssl_mode=VERIFY_IDENTITY": "host", "ssl=true": "host", "ssl=false": "plain",
		"require_ssl=true": "host", "require_ssl=true&verify_identity=false": "CA", "require_ssl=true&verify_ca=false": "any", "require_ssl=false": "preferred",
		"ssl-ca=" + ca: "host", "ssl-mode=VERIFY_CA&ssl-ca=" + ca: "CA",
	} {
		for _, form := range []string{"mysql://u:p@h/keys?", "u:p@tcp(h:3306)/keys?"} {
			if got := level(Config{ConnectionString: form + parameters}); got != want {
				t.Errorf("%s%s: %s, want %s", form, parameters, got, want)
			}
		}
	}
	for parameters, want := range map[string]string{"": "any", "tls=preferred": "any", "tls=skip-verify": "any", "ssl-mode=VERIFY_CA": "CA", "tls=true": "host"} {
		if got := level(Config{ConnectionString: "u:p@tcp(h:1)/keys?" + parameters, RequireTLS: true}); got != want {
			t.Errorf("%s, requireTls: %s, want %s", parameters, got, want)
		}
	}
	for parameters, want := range map[string]string{"": "host", "tls=preferred": "host", "tls=skip-verify": "host", "ssl-mode=VERIFY_CA": "CA", "tls=true": "host"} {
		if got := level(Config{ConnectionString: "u:p@tcp(h:1)/keys?" + parameters, CAFile: ca}); got != want {
			t.Errorf("%s, caFile: %s, want %s", parameters, got, want)
		}
	}
	if got := level(Config{ConnectionString: "u:p@unix(/run/my.sock)/keys", RequireTLS: true}); got != "plain" {
		t.Error("a Unix socket:", got)
	}
}

func TestTLS(t *testing.T) {
	ca := sqltest.Servers(t, "ASHERAH_TEST_CA")[0]
	each(t, func(t *testing.T, s *server) {
		s.exec(t, createTableIn(s.database))
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
			if strings.Contains(results[0].Message, "TLSv1") == (len(warnings.All()) > 0) {
				t.Errorf("%+v", results[0])
			}
			return warnings.All(), nil
		}
		withoutTLS := func(t *testing.T, address string) {
			warnings, err := load(Config{ConnectionString: s.dsn(address, "")})
			if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0], string(fault.WarnPlainConnection)+": metastore mysql "+address) || strings.Contains(warnings[0], s.admin.Passwd) {
				t.Fatal(warnings, err)
			}
			for _, c := range []Config{
				{ConnectionString: s.dsn(address, "tls=skip-verify")},
				{ConnectionString: s.dsn(address, "tls=preferred"), RequireTLS: true},
				{ConnectionString: s.dsn(address, ""), CAFile: ca},
			} {
				_, err := load(c)
				sqltest.MustFail(t, err, fault.Metastore, "does not support TLS")
			}
			m := s.open(t, Config{ConnectionString: s.dsn(address, "tls=false"), Warn: func(code fault.Code, message string) { t.Error(code, message) }})
			if _, err := m.LoadLatest(sqltest.Context(t, 20*time.Second), "k"); err != nil {
				t.Fatal(err)
			}
		}
		var have string
		if err := s.db.QueryRow("SELECT @@have_ssl").Scan(&have); err != nil {
			t.Fatal(err)
		}
		if have != "YES" {
			withoutTLS(t, s.admin.Addr)
			return
		}
		verified := []Config{
			{ConnectionString: s.dsn(s.admin.Addr, "tls=preferred"), CAFile: ca},
			{ConnectionString: s.dsn(s.admin.Addr, "ssl-mode=VERIFY_CA"), CAFile: ca},
			{ConnectionString: s.dsn(s.admin.Addr, "ssl-ca="+ca)},
		}
		for _, c := range append([]Config{
			{ConnectionString: s.dsn(s.admin.Addr, "")},
			{ConnectionString: s.dsn(s.admin.Addr, ""), RequireTLS: true},
		}, verified...) {
			if warnings, err := load(c); err != nil || len(warnings) > 0 {
				t.Error(err, warnings)
			}
		}
		for _, c := range verified { // by a CA that signed nothing here
			c.CAFile, c.ConnectionString = sqltest.NewCA(t), strings.ReplaceAll(c.ConnectionString, "ssl-ca="+ca, "tls=true")
			_, err := load(c)
			sqltest.MustFail(t, err, fault.Metastore, s.admin.Addr, "certificate")
		}
		_, err := load(Config{ConnectionString: s.dsn(s.admin.Addr, "tls=true")}) // by those of this machine
		sqltest.MustFail(t, err, fault.Metastore, "certificate")
		t.Run("a certificate for another host", func(t *testing.T) {
			elsewhere := sqltest.NewProxyAt(t, sqltest.Elsewhere, s.admin.Addr).Address
			_, err := load(Config{ConnectionString: s.dsn(elsewhere, "tls=true"), CAFile: ca})
			sqltest.MustFail(t, err, fault.Metastore, "certificate", sqltest.Elsewhere)
			if _, err := load(Config{ConnectionString: s.dsn(elsewhere, "ssl-mode=VERIFY_CA"), CAFile: ca}); err != nil {
				t.Error(err)
			}
		})
		t.Run("TLS taken away on the way", func(t *testing.T) {
			proxy := sqltest.NewProxy(t, s.admin.Addr)
			proxy.Use(sqltest.Hooks{RewriteBack: func(data []byte) []byte {
				// The greeting: 4 bytes of length and number, version 10, the server's version, 13 bytes, capabilities.
				if len(data) > 40 && data[3] == 0 && data[4] == 10 {
					end := 5 + strings.IndexByte(string(data[5:]), 0)
					data[end+15] &^= 0x08 // the upper byte of CLIENT_SSL, 0x0800
				}
				return data
			}})
			withoutTLS(t, proxy.Address)
		})
	})
}

// createTableIn is CreateTable with the name of a database.
func createTableIn(database string) string {
	return strings.Replace(CreateTable, "encryption_key", database+".encryption_key", 1)
}
