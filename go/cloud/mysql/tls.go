// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strings"

	"asherah-napi/cloud/sqlstore"
)

// mode is what MySQL's own programs call --ssl-mode.
type mode int

const (
	unsaid mode = iota
	disabled
	preferred      // TLS if the server has it, whoever it is
	required       // TLS, whoever the server is
	verifyCA       // and its certificate is from a known CA
	verifyIdentity // and it is for this host
)

// tlsSettings collects the parameters about TLS, in the spellings of the Go driver, MySQL's programs, JDBC, node's mysql2
// and the Rust driver.
type tlsSettings struct {
	modes   []mode
	invalid string // name of a parameter with a value that it can't have
	caFile  string
	rust    map[string]bool // require_ssl, verify_ca, verify_identity
}

var modes = map[string]mode{
	"disabled": disabled, "preferred": preferred, "required": required, "verify_ca": verifyCA, "verify_identity": verifyIdentity,
	// sslmode as of PostgreSQL, which is often met in its place
	"disable": disabled, "prefer": preferred, "require": required, "verify_full": verifyIdentity,
}

var driverModes = map[string]mode{
	"true": verifyIdentity, "false": disabled, "skip-verify": required, "preferred": preferred, "1": verifyIdentity, "0": disabled,
}

// take says whether the parameter is one about TLS.
func (s *tlsSettings) take(name, value string) bool {
	switch strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(name)) {
	case "sslmode":
		s.add(name, modes[strings.ReplaceAll(strings.ToLower(value), "-", "_")])
	case "tls":
		s.add(name, driverModes[strings.ToLower(value)])
	case "ssl":
		m := driverModes[strings.ToLower(value)]
		if m != verifyIdentity && m != disabled {
			m = unsaid
		}
		s.add(name, m)
	case "sslca":
		s.caFile = value
	case "requiressl", "verifyca", "verifyidentity":
		if value != "true" && value != "false" {
			s.invalid = name
		}
		if s.rust == nil {
			s.rust = map[string]bool{}
		}
		s.rust[strings.ReplaceAll(strings.ToLower(name), "_", "")] = value == "true"
	default:
		return false
	}
	return true
}

func (s *tlsSettings) add(name string, m mode) {
	if m == unsaid {
		s.invalid = name
	}
	s.modes = append(s.modes, m)
}

// secure decides about TLS.
func (t *target) secure(c *Config, s tlsSettings) error {
	if s.rust != nil {
		m := verifyIdentity
		unverified := func(name string) bool { yes, given := s.rust[name]; return given && !yes }
		switch {
		case !s.rust["requiressl"]:
			m = preferred
		case unverified("verifyca"):
			m = required
		case unverified("verifyidentity"):
			m = verifyCA
		}
		s.modes = append(s.modes, m)
	}
	switch {
	case s.invalid != "":
		return sqlstore.Invalid("expected %s to have a value such as ssl-mode=REQUIRED or tls=true, got one that it can't have. Use ssl-mode: DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY.", s.invalid)
	case len(s.modes) > 1:
		return sqlstore.Invalid("expected one parameter that decides about TLS, got several. Keep one of ssl-mode, tls and ssl.")
	case s.caFile != "" && c.CAFile != "":
		return sqlstore.Invalid("expected no ssl-ca beside config.caFile, got both. Remove one of them.")
	}
	m := unsaid
	if len(s.modes) == 1 {
		m = s.modes[0]
	}
	if t.config.Net == "unix" {
		return nil // nobody listens to a Unix socket
	}
	if m == disabled && c.RequireTLS {
		return sqlstore.Invalid("expected TLS, because config.requireTls is true, got a string that disables it. Change one of them.")
	}
	option, file := "config.caFile", c.CAFile
	if s.caFile != "" {
		option, file = "config.connectionString: ssl-ca", s.caFile
	}
	config := new(tls.Config)
	if file != "" {
		if m == disabled || option != "config.caFile" && (m == preferred || m == required) {
			return sqlstore.Invalid("expected ssl-mode=VERIFY_IDENTITY or VERIFY_CA beside a CA file, got a mode that doesn't look at it. Correct ssl-mode, or leave it out for VERIFY_IDENTITY.")
		}
		pool, err := sqlstore.ReadCA(option, file)
		if err != nil {
			return err
		}
		config.RootCAs = pool
		if m != verifyCA {
			m = verifyIdentity
		}
	}
	if m == unsaid {
		m = preferred
	}
	if m == preferred && c.RequireTLS {
		m = required
	}
	switch m {
	case disabled:
		return nil
	case preferred, required:
		config.InsecureSkipVerify = true
		t.fallback = m == preferred
	case verifyCA: // the chain without the name, which crypto/tls has no setting for
		roots := config.RootCAs
		config.InsecureSkipVerify = true
		config.VerifyPeerCertificate = func(raw [][]byte, _ [][]*x509.Certificate) error { return verifyChain(raw, roots) }
	case verifyIdentity:
		host, _, err := net.SplitHostPort(t.config.Addr)
		if err != nil {
			return sqlstore.Invalid("expected host:port, got something else. Write user:password@tcp(host:3306)/database.")
		}
		config.ServerName = host
	}
	t.tls = config
	return nil
}

func verifyChain(raw [][]byte, roots *x509.CertPool) error {
	options := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	var leaf *x509.Certificate
	for _, der := range raw {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return err
		}
		if leaf == nil {
			leaf = certificate
		} else {
			options.Intermediates.AddCert(certificate)
		}
	}
	if leaf == nil {
		return errors.New("the server sent no certificate")
	}
	_, err := leaf.Verify(options)
	return err
}
