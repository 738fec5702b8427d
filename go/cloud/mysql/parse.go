// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"crypto/tls"
	"net"
	"net/url"
	"slices"
	"strings"

	gomysql "github.com/go-sql-driver/mysql"

	"asherah-napi/cloud/sqlstore"
)

// target is where to connect. tls nil: without TLS.
type target struct {
	config   *gomysql.Config
	tls      *tls.Config
	fallback bool // to plain text, if the server has no TLS
}

// The driver's own parameters that a connection string may have, beside those about TLS (see tls.go), charset and loc.
// Others of the driver would do nothing here, or harm: allowAllFiles, allowFallbackToPlaintext and serverPubKey.
var driverParameters = []string{
	"allowCleartextPasswords", "allowNativePasswords", "allowOldPasswords", "checkConnLiveness", "clientFoundRows", "collation",
	"columnsWithAlias", "compress", "connectionAttributes", "interpolateParams", "maxAllowedPacket", "multiStatements",
	"parseTime", "readTimeout", "rejectReadOnly", "timeTruncate", "timeout", "writeTimeout",
}

const forms = "a URL mysql://user:password@host:3306/database or a DSN user:password@tcp(host:3306)/database"

func parse(c *Config) (*target, error) {
	var config *gomysql.Config
	var query string
	var err error
	switch scheme, _, _ := strings.Cut(c.ConnectionString, "://"); scheme {
	case "mysql", "mariadb":
		config, query, err = parseURL(c.ConnectionString)
	case "postgres", "postgresql", "sqlite":
		err = sqlstore.Invalid("expected %s, got the URL of another kind of database. Correct it, or the option that names the database.", forms)
	default:
		config, query, err = parseDSN(c.ConnectionString)
	}
	if err != nil {
		return nil, err
	}
	switch {
	case config.Net != "tcp" && config.Net != "unix":
		return nil, sqlstore.Invalid("expected the network tcp or unix, as in user:password@tcp(host:3306)/database, got another. Correct it.")
	case config.User == "":
		return nil, sqlstore.Invalid("expected a user, got a string without one. Write %s.", forms)
	case config.DBName == "":
		return nil, sqlstore.Invalid("expected the name of a database, got a string without one. Write %s.", forms)
	}
	t := &target{config: config}
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, sqlstore.Invalid("expected parameters that are percent-encoded, got some that can't be read. Check what follows the question mark.")
	}
	settings := tlsSettings{}
	var driver []string
	for name, all := range values {
		if len(all) > 1 {
			return nil, sqlstore.Invalid("expected each parameter once, got more than one %s. Remove one.", sqlstore.Shown(name))
		}
		value := all[0]
		switch {
		case settings.take(name, value):
		case name == "charset":
			// Ids may hold any character; utf8 is what old programs call it.
			for charset := range strings.SplitSeq(value, ",") {
				if charset != "utf8mb4" && charset != "utf8" {
					return nil, sqlstore.Invalid("expected charset=utf8mb4, got another. Correct or remove it.")
				}
			}
		case name == "loc" || name == "time_zone" || name == "timezone":
			if zone := strings.Trim(value, "'\""); zone != "UTC" && zone != "+00:00" && zone != "Z" {
				return nil, sqlstore.Invalid("expected %s=UTC, got another time zone. Remove it: the dates of key rows are in UTC, and so is the session.", name)
			}
		case slices.Contains(driverParameters, name):
			one := name + "=" + url.QueryEscape(value)
			if _, err := gomysql.ParseDSN("/?" + one); err != nil { // quotes the value
				return nil, sqlstore.Invalid("expected a value of %s that the driver takes (true, false, or a duration such as 5s), got another. Correct it.", name)
			}
			driver = append(driver, one)
		default:
			return nil, sqlstore.Invalid("expected parameters of this list, got another, %s. Correct or remove it: %s.", sqlstore.Shown(name), known)
		}
	}
	if len(driver) > 0 {
		parsed, err := gomysql.ParseDSN("/?" + strings.Join(driver, "&"))
		if err != nil {
			return nil, sqlstore.Invalid("expected parameters that go together, got some that the driver refuses together. Remove interpolateParams or collation.")
		}
		parsed.User, parsed.Passwd, parsed.Net, parsed.Addr, parsed.DBName = config.User, config.Passwd, config.Net, config.Addr, config.DBName
		t.config = parsed
	}
	return t, t.secure(c, settings)
}

var known = strings.Join(append(slices.Clone(driverParameters), "charset", "loc", "ssl-ca", "ssl-mode", "tls"), ", ")

func parseDSN(text string) (*gomysql.Config, string, error) {
	// The driver's rule is that the last slash ends the address, since a password may hold one. After a parenthesis it does
	// in any case, and then parameters may have some too: ssl-ca=/path.
	slash := strings.LastIndex(text, ")/") + 1
	if slash == 0 {
		slash = strings.LastIndexByte(text, '/')
	}
	if slash < 0 {
		return nil, "", sqlstore.Invalid("expected %s, got neither. In a DSN a slash precedes the name of the database.", forms)
	}
	rest, query, _ := strings.Cut(text[slash:], "?")
	config, err := gomysql.ParseDSN(text[:slash] + rest)
	if err != nil { // may quote the string
		return nil, "", sqlstore.Invalid("expected %s, got neither.", forms)
	}
	return config, query, nil
}

func parseURL(text string) (*gomysql.Config, string, error) {
	u, err := url.Parse(text)
	if err != nil { // quotes the string
		return nil, "", sqlstore.Invalid("expected a URL mysql://user:password@host:3306/database, got one that can't be read. Percent-encode special characters in user and password, for example with encodeURIComponent.")
	}
	config := gomysql.NewConfig()
	config.User = u.User.Username()
	config.Passwd, _ = u.User.Password()
	config.DBName = strings.TrimPrefix(u.Path, "/")
	config.Net = "tcp"
	host, port := u.Hostname(), u.Port()
	if port == "" {
		port = "3306"
	}
	config.Addr = net.JoinHostPort(host, port)
	query := u.RawQuery
	if values := u.Query(); values.Has("socket") { // as the Rust driver and MySQL's own programs write it
		config.Net, config.Addr = "unix", values.Get("socket")
		values.Del("socket")
		query = values.Encode()
	} else if host == "" || strings.Contains(host, ",") {
		return nil, "", sqlstore.Invalid("expected one host, got none or several. Write mysql://user:password@host:3306/database, or mysql://user:password@localhost/database?socket=/path.")
	}
	return config, query, nil
}
