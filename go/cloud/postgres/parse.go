// SPDX-License-Identifier: Apache-2.0

package postgres

import (
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"asherah-napi/cloud/sqlstore"
	"asherah-napi/fault"
)

// target is where to connect. secure nil: without TLS only. plain nil: with TLS only.
type target struct {
	secure, plain *pgconn.Config
	place         string
}

// defaults are given to pgx for every parameter that a connection string doesn't have, because pgx would take it from the
// PG* variables of the environment as it was when the process started: not those that JavaScript sees, and not part of
// the configuration that lib checked. Also certificates in ~/.postgresql are used only if the string names them.
var defaults = map[string]string{
	"port": "5432", "password": "", "application_name": "asherah-napi", "connect_timeout": "0", "options": "", "timezone": "UTC",
	"sslkey": "", "sslcert": "", "sslcertmode": "allow", "sslsni": "1", "sslrootcert": "", "sslpassword": "", "sslnegotiation": "postgres",
	"target_session_attrs": "any", "min_protocol_version": "3.0", "max_protocol_version": "3.0", "channel_binding": "prefer", "require_auth": "",
}

// session parameters go to the server, and are the only ones that may
var session = []string{"application_name", "options", "search_path", "statement_timeout", "lock_timeout", "timezone"}

var known = func() []string {
	names := []string{"host", "user", "dbname", "passfile", "sslmode", "search_path", "statement_timeout", "lock_timeout"}
	for name := range defaults {
		if name != "timezone" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}()

func parse(c *Config) (*target, error) {
	var s map[string]string
	var err error
	if strings.HasPrefix(c.ConnectionString, "postgres://") || strings.HasPrefix(c.ConnectionString, "postgresql://") {
		s, err = parseURL(c.ConnectionString)
	} else {
		s, err = parseKeywords(c.ConnectionString)
	}
	if err != nil {
		return nil, err
	}
	for name := range s {
		switch {
		case strings.EqualFold(name, "timezone"):
			return nil, sqlstore.Invalid("expected no parameter %q, got one. Remove it: the dates of key rows are in UTC, and so is the session.", "timezone")
		case name == "service" || name == "servicefile" || !slices.Contains(known, name):
			return nil, sqlstore.Invalid("expected parameters of this list, got another (%s). Correct or remove it: %s.", sqlstore.Shown(name), strings.Join(known, ", "))
		}
	}
	for _, name := range []string{"host", "user"} {
		if s[name] == "" {
			return nil, sqlstore.Invalid("expected a %s, got a string without one. Write postgres://user:password@host:5432/database, or host=… user=… password=… dbname=…; PG* environment variables are not read.", name)
		}
	}
	if s["dbname"] == "" {
		s["dbname"] = s["user"] // as every PostgreSQL client
	}
	mode, err := tlsMode(c, s)
	if err != nil {
		return nil, err
	}
	for name, value := range defaults {
		if _, given := s[name]; !given {
			s[name] = value
		}
	}
	if s["passfile"] == "" {
		s["passfile"] = passfile()
	}
	t := new(target)
	for _, one := range []struct {
		config   **pgconn.Config
		mode     string
		wanted   bool
		fallback bool
	}{
		{&t.secure, secureMode(mode), mode != "disable", false},
		{&t.plain, "disable", mode == "disable" || mode == "prefer", true},
	} {
		if !one.wanted {
			continue
		}
		s["sslmode"] = one.mode
		if one.fallback {
			s["sslrootcert"], s["sslcert"], s["sslkey"] = "", "", ""
		}
		if *one.config, err = makeConfig(s); err != nil {
			return nil, err
		}
	}
	first := t.secure
	if first == nil {
		first = t.plain
	}
	t.place = place(first)
	sockets := !slices.ContainsFunc(first.Fallbacks, func(f *pgconn.FallbackConfig) bool { return !isSocket(f.Host, f.Port) })
	if sockets && isSocket(first.Host, first.Port) {
		t.plain, t.secure = first, nil // no TLS on Unix sockets, which nobody listens to
	}
	return t, nil
}

// secureMode is the mode for connections with TLS: prefer is require, where a refused TLS is not the end.
func secureMode(mode string) string {
	if mode == "prefer" {
		return "require"
	}
	return mode
}

// tlsMode is the sslmode that counts: disable, prefer, require, verify-ca or verify-full.
func tlsMode(c *Config, s map[string]string) (string, error) {
	mode := s["sslmode"]
	switch mode {
	case "":
		mode = "prefer"
		if s["sslrootcert"] != "" {
			mode = "verify-full" // a certificate is given to be used
		}
	case "allow":
		mode = "prefer" // the difference is who is asked first, and TLS should be
	case "disable", "prefer", "require", "verify-ca", "verify-full":
	default:
		return "", sqlstore.Invalid("expected sslmode to be disable, allow, prefer, require, verify-ca or verify-full, got something else. Correct it.")
	}
	if mode == "disable" && c.RequireTLS {
		return "", sqlstore.Invalid("expected sslmode=require or stricter, because config.requireTls is true, got sslmode=disable. Change one of them.")
	}
	if c.CAFile != "" {
		if s["sslrootcert"] != "" {
			return "", sqlstore.Invalid("expected no sslrootcert beside config.caFile, got both. Remove one of them.")
		}
		if mode == "disable" {
			return "", sqlstore.Invalid("expected TLS, because config.caFile is given, got sslmode=disable. Remove one of them.")
		}
		if _, err := sqlstore.ReadCA("config.caFile", c.CAFile); err != nil {
			return "", err
		}
		s["sslrootcert"] = c.CAFile
		if mode != "verify-ca" {
			mode = "verify-full"
		}
	} else if file := s["sslrootcert"]; file != "" && file != "system" {
		if _, err := sqlstore.ReadCA("config.connectionString: sslrootcert", file); err != nil {
			return "", err
		}
	}
	if mode == "prefer" && c.RequireTLS {
		mode = "require"
	}
	if s["sslrootcert"] != "" && (mode == "prefer" || mode == "disable") {
		return "", sqlstore.Invalid("expected sslmode=verify-full or verify-ca beside sslrootcert, got sslmode=%s, which doesn't look at it. Correct sslmode, or leave it out for verify-full.", s["sslmode"])
	}
	return mode, nil
}

func makeConfig(settings map[string]string) (*pgconn.Config, error) {
	var text strings.Builder
	for name, value := range settings {
		text.WriteString(name + "='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "' ")
	}
	config, err := pgconn.ParseConfig(text.String())
	if err != nil {
		// Its words may quote the string.
		if os.Getenv("PGSERVICE") != "" {
			return nil, sqlstore.Invalid("expected the environment variable PGSERVICE not to be set, got one that can't be used. Unset it: a connection service has no effect here.")
		}
		return nil, sqlstore.Invalid("expected valid ports, files and values of its parameters, got one that is not. Check port, sslcert, sslkey, connect_timeout, target_session_attrs, channel_binding, require_auth and sslnegotiation.")
	}
	for name := range config.RuntimeParams { // those that PGSERVICE brought in
		if _, given := settings[name]; !given || !slices.Contains(session, name) || config.RuntimeParams[name] == "" {
			delete(config.RuntimeParams, name)
		}
	}
	return config, nil
}

func place(c *pgconn.Config) string {
	var places []string
	add := func(host string, port uint16) {
		name := net.JoinHostPort(host, strconv.Itoa(int(port)))
		if isSocket(host, port) {
			_, name = pgconn.NetworkAddress(host, port)
		}
		if !slices.Contains(places, name) {
			places = append(places, name)
		}
	}
	add(c.Host, c.Port)
	for _, f := range c.Fallbacks {
		add(f.Host, f.Port)
	}
	return strings.Join(places, ",")
}

func isSocket(host string, port uint16) bool {
	network, _ := pgconn.NetworkAddress(host, port)
	return network == "unix"
}

// passfile is where psql looks for passwords too.
func passfile() string {
	if runtime.GOOS == "windows" {
		directory, _ := os.UserConfigDir()
		return filepath.Join(directory, "postgresql", "pgpass.conf")
	}
	home, _ := os.UserHomeDir()
	return filepath.Join(home, ".pgpass")
}

func parseURL(text string) (map[string]string, error) {
	u, err := url.Parse(text)
	if err != nil { // quotes the string
		return nil, sqlstore.Invalid("expected a URL postgres://user:password@host:5432/database, got one that can't be read. Percent-encode special characters in user and password, for example with encodeURIComponent.")
	}
	s := map[string]string{}
	if u.User != nil {
		s["user"] = u.User.Username()
		if password, given := u.User.Password(); given {
			s["password"] = password
		}
	}
	if u.Host != "" {
		var hosts, ports []string
		for host := range strings.SplitSeq(u.Host, ",") {
			port := ""
			if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
				host, port = host[:i], host[i+1:]
			}
			if port == "" {
				port = defaults["port"]
			}
			hosts, ports = append(hosts, strings.Trim(host, "[]")), append(ports, port)
		}
		s["host"], s["port"] = strings.Join(hosts, ","), strings.Join(ports, ",")
	}
	if database := strings.TrimPrefix(u.Path, "/"); database != "" {
		s["dbname"] = database
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, sqlstore.Invalid("expected a URL whose parameters are percent-encoded, got one that can't be read. Check what follows the question mark.")
	}
	for name, values := range query {
		if name == "ssl" && len(values) == 1 && values[0] == "true" { // of JDBC and node-postgres
			name, values = "sslmode", []string{"require"}
		}
		if name == "database" {
			name = "dbname"
		}
		// host and port may stand here for a socket, whose path fits in no authority
		if _, twice := s[name]; twice || len(values) > 1 {
			return nil, sqlstore.Invalid("expected each setting once, got more than one value for %s. Remove one.", sqlstore.Shown(name))
		}
		s[name] = values[0]
	}
	return s, nil
}

// parseKeywords reads "host=… user='…'": blanks around, quotes, and the backslash before any character, as libpq does.
func parseKeywords(text string) (map[string]string, error) {
	const blanks = " \t\n\r\v\f"
	bad := func() (map[string]string, *fault.Error) {
		return nil, sqlstore.Invalid("expected a URL postgres://user:password@host:5432/database or keywords host=… user=… password=… dbname=…, got neither. Quote values with blanks: password='my \\'pass\\''.")
	}
	s := map[string]string{}
	for rest := strings.Trim(text, blanks); rest != ""; rest = strings.TrimLeft(rest, blanks) {
		name, after, found := strings.Cut(rest, "=")
		name = strings.Trim(name, blanks)
		if !found || name == "" || strings.ContainsAny(name, blanks+`'\`) || strings.ContainsRune(text, 0) {
			return bad()
		}
		after = strings.TrimLeft(after, blanks)
		quoted := strings.HasPrefix(after, "'")
		if quoted {
			after = after[1:]
		}
		var value strings.Builder
		i := 0
		for ; i < len(after) && (quoted && after[i] != '\'' || !quoted && !strings.ContainsRune(blanks, rune(after[i]))); i++ {
			if after[i] == '\\' && i+1 < len(after) {
				i++
			}
			value.WriteByte(after[i])
		}
		if quoted {
			if i >= len(after) {
				return bad()
			}
			i++
		}
		rest = after[min(i, len(after)):]
		if name == "database" {
			name = "dbname"
		}
		if _, twice := s[name]; twice {
			return nil, sqlstore.Invalid("expected each setting once, got more than one value for %s. Remove one.", sqlstore.Shown(name))
		}
		s[name] = value.String()
	}
	return s, nil
}
