// SPDX-License-Identifier: Apache-2.0

package sqlstore

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"asherah-napi/fault"
)

// Config is what MySQL and PostgreSQL are configured with alike.
type Config struct {
	ConnectionString string // never part of a message
	// ReplicaReadConsistency is eventual, global or session (Amazon Aurora's write forwarding), or "" to leave it alone. It
	// is set on every connection.
	ReplicaReadConsistency string
	CAFile                 string // PEM; the server's certificate must come from it, and be for its host
	RequireTLS             bool   // never connect without TLS

	PoolMaxOpen     int           // connections; 0: no limit
	PoolMaxIdle     int           // connections; 0: none is kept
	PoolMaxLifetime time.Duration // 0: no limit
	PoolMaxIdleTime time.Duration // 0: no limit

	Warn func(fault.Code, string) // nil: warnings are dropped
}

// Check validates what does not depend on the kind of server.
func (c *Config) Check() error {
	switch c.ReplicaReadConsistency {
	case "", "eventual", "global", "session":
	default:
		return fault.New(fault.InvalidConfig, "config.replicaReadConsistency: expected 'eventual', 'global' or 'session', got %q.", c.ReplicaReadConsistency)
	}
	if c.PoolMaxOpen < 0 || c.PoolMaxIdle < 0 || c.PoolMaxLifetime < 0 || c.PoolMaxIdleTime < 0 {
		return fault.New(fault.InvalidConfig, "config.poolMaxOpen, poolMaxIdle, poolMaxLifetime and poolMaxIdleTime: expected 0 or more, got a negative number.")
	}
	return nil
}

// Pool is the part about connections.
func (c *Config) Pool() Pool {
	return Pool{c.PoolMaxOpen, c.PoolMaxIdle, c.PoolMaxLifetime, c.PoolMaxIdleTime}
}

// Invalid is the error for a connection string. Its words must not come from the string, apart from the names of parameters.
func Invalid(format string, args ...any) *fault.Error {
	return fault.New(fault.InvalidConfig, "config.connectionString: %s", fmt.Sprintf(format, args...))
}

var parameterName = regexp.MustCompile(`^[A-Za-z][A-Za-z_-]{1,39}$`)

// Shown is a parameter's name for a message. What doesn't look like one may be a piece of a password with & or ? in it.
func Shown(name string) string {
	if parameterName.MatchString(name) {
		return "'" + name + "'"
	}
	return "one with an unusual name"
}

// ReadCA reads a file of PEM certificates. option is how messages name where the path came from.
func ReadCA(option, path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		var failure *fs.PathError
		if errors.As(err, &failure) {
			err = failure.Err // without the path, which %q gives
		}
		return nil, fault.Wrap(fault.InvalidConfig, err, "%s: expected the path of a file with CA certificates, got %q, which can't be read", option, path)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fault.New(fault.InvalidConfig, "%s: expected a file with CA certificates in PEM form (-----BEGIN CERTIFICATE-----), got %q, which has none.", option, path)
	}
	return pool, nil
}

// ReplicaError is the failure to set ReplicaReadConsistency on a connection, most often because the server knows no
// such setting: one that does nothing would let reads be older than the caller asked for.
func (c *Config) ReplicaError(ctx context.Context, setting string, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return fault.New(fault.Metastore, "the server doesn't accept replicaReadConsistency %q (%s). It is for Amazon Aurora with write forwarding; remove the option on other servers. The server says: %s",
		c.ReplicaReadConsistency, setting, strings.TrimSpace(err.Error()))
}

// PlainWarning is the event for a connection that fell back to no TLS.
func (c *Config) PlainWarning(metastore, place, cure string) {
	if c.Warn != nil {
		c.Warn(fault.WarnPlainConnection, fmt.Sprintf(
			"metastore %s %s: the server offers no TLS, so the connection is in plain text; log-in and key rows (encrypted) can be read and changed on the way. Set up TLS on the server and the option requireTls: true, or say that plain text is meant with %s in the connection string",
			metastore, place, cure))
	}
}
