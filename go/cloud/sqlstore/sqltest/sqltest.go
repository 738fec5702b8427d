// SPDX-License-Identifier: Apache-2.0

// Package sqltest is what the tests of the MySQL and PostgreSQL metastores share: the servers, certificates, and a TCP
// proxy that fails on demand.
package sqltest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/record"
)

// Minute is a date that a key may have.
const Minute int64 = 1_795_362_660

// Servers gives the servers of an environment variable, or skips the test.
func Servers(t *testing.T, variable string) []string {
	t.Helper()
	list := os.Getenv(variable)
	if list == "" {
		if os.Getenv("ASHERAH_TEST_REQUIRE") == "1" {
			t.Fatalf("%s is not set", variable)
		}
		t.Skipf("%s is not set; `npm run services -- run -- COMMAND` starts servers and sets it", variable)
	}
	return strings.Split(list, ",")
}

// Name is a name for a database of one test.
func Name() string {
	random := make([]byte, 6)
	_, _ = rand.Read(random)
	return "asherah_" + hex.EncodeToString(random)
}

// Context ends with the test's patience.
func Context(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// Key is a key record whose ciphertext has that byte.
func Key(fill byte, created int64) *record.KeyRecord {
	return &record.KeyRecord{Created: created, Key: bytes.Repeat([]byte{fill}, 60)}
}

// MustStore stores a row that isn't there.
func MustStore(t *testing.T, m metastore.Metastore, id string, created int64) {
	t.Helper()
	if stored, err := m.Store(Context(t, 20*time.Second), id, created, Key(1, created)); !stored || err != nil {
		t.Fatalf("Store(%q) = %v, %v", id, stored, err)
	}
}

// MustLoad finds the row, both ways.
func MustLoad(t *testing.T, m metastore.Metastore, id string, created int64) *record.KeyRecord {
	t.Helper()
	got, err := m.Load(Context(t, 20*time.Second), id, created)
	if err != nil || got == nil || got.Created != created {
		t.Fatalf("Load(%q, %d) = %+v, %v", id, created, got, err)
	}
	if latest, err := m.LoadLatest(Context(t, 20*time.Second), id); err != nil || latest == nil {
		t.Fatalf("LoadLatest(%q) = %+v, %v", id, latest, err)
	}
	return got
}

// MustFail checks an error's code and that its message has all of the words.
func MustFail(t *testing.T, err error, code fault.Code, words ...string) {
	t.Helper()
	if err == nil || fault.CodeOf(err) != code {
		t.Fatalf("got %v (%s), want %s", err, fault.CodeOf(err), code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Fatalf("%q lacks %q", err, word)
		}
	}
}

// MustHide checks that no part of the error has the secret.
func MustHide(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for ; err != nil; err = errors.Unwrap(err) {
		for _, secret := range secrets {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q is in %q", secret, err)
			}
		}
	}
}

// Warnings collects events.
type Warnings struct {
	mu   sync.Mutex
	list []string
}

// Add is for Config.Warn.
func (w *Warnings) Add(code fault.Code, message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, string(code)+": "+message)
}

// All gives the events so far.
func (w *Warnings) All() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.list...)
}

// Hooks look at what goes through a proxy. Each may be nil. Rewrite and RewriteBack change what goes to the server and
// comes from it, keeping the length; Answer speaks in the server's place, if it returns something.
type Hooks struct{ Rewrite, RewriteBack, Answer func([]byte) []byte }

// Proxy is a TCP proxy to a server that can cut, freeze and rewrite.
type Proxy struct {
	Address  string
	listener net.Listener
	upstream string

	mu      sync.Mutex
	pairs   []*pair
	dropOne string // cut the next connection that asks for this, after the server answered
	refuse  bool
	opened  int
	hooks   Hooks
}

type pair struct {
	client, server net.Conn
	mu             sync.Mutex
	frozen, mute   bool
}

// NewProxy listens on a free port until the test ends.
func NewProxy(t *testing.T, upstream string) *Proxy {
	t.Helper()
	return NewProxyAt(t, "127.0.0.1", upstream)
}

// Elsewhere is an address of this machine that the servers' certificates are not for. Not every system has it.
const Elsewhere = "127.0.0.2"

// NewProxyAt is NewProxy on another address of this machine.
func NewProxyAt(t *testing.T, host, upstream string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		if host == Elsewhere && runtime.GOOS != "linux" {
			t.Skip("no address ", host)
		}
		t.Fatal(err)
	}
	p := &Proxy{Address: listener.Addr().String(), listener: listener, upstream: upstream}
	go p.accept()
	t.Cleanup(func() { _ = listener.Close(); p.Cut() })
	return p
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuse := p.refuse
		p.mu.Unlock()
		server, err := net.Dial("tcp", p.upstream)
		if err != nil || refuse {
			_ = client.Close()
			continue
		}
		c := &pair{client: client, server: server}
		p.mu.Lock()
		p.pairs = append(p.pairs, c)
		p.opened++
		p.mu.Unlock()
		go p.copy(c, server, client, true)
		go p.copy(c, client, server, false)
	}
}

func (p *Proxy) copy(c *pair, to, from net.Conn, toServer bool) {
	defer c.client.Close()
	defer c.server.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		data := buffer[:n]
		p.mu.Lock()
		hooks := p.hooks
		p.mu.Unlock()
		if toServer && hooks.Rewrite != nil {
			data = hooks.Rewrite(data)
		}
		if !toServer && hooks.RewriteBack != nil {
			data = hooks.RewriteBack(data)
		}
		if toServer && hooks.Answer != nil {
			if answer := hooks.Answer(data); answer != nil {
				_, _ = from.Write(answer)
				continue
			}
		}
		if toServer {
			p.mu.Lock()
			if p.dropOne != "" && bytes.Contains(data, []byte(p.dropOne)) {
				p.dropOne = ""
				c.mu.Lock()
				c.mute = true
				c.mu.Unlock()
			}
			p.mu.Unlock()
		}
		c.mu.Lock()
		frozen, mute := c.frozen, c.mute
		c.mu.Unlock()
		if mute && !toServer { // the server has done what it was asked, and nobody hears of it
			return
		}
		if !frozen {
			if _, err := to.Write(data); err != nil {
				return
			}
		}
		if err != nil {
			if !errors.Is(err, io.EOF) || !frozen {
				return
			}
		}
	}
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.pairs {
		_ = c.client.Close()
		_ = c.server.Close()
	}
	p.pairs = nil
}

// Freeze lets all connections that there are fall silent, as a router does that forgot them. New ones work.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.pairs {
		c.mu.Lock()
		c.frozen = true
		c.mu.Unlock()
	}
}

// DropAnswer cuts the next connection on which text is sent to the server once the server has answered.
func (p *Proxy) DropAnswer(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dropOne = text
}

// Use sets the hooks for what comes.
func (p *Proxy) Use(hooks Hooks) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hooks = hooks
}

// Opened is how many connections there have been.
func (p *Proxy) Opened() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened
}

// Refuse ends new connections at once, or no longer.
func (p *Proxy) Refuse(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = yes
}

// NewCA is the file of a CA that signed nothing.
func NewCA(t *testing.T) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Silent is the address of a listener that never answers.
func Silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.Addr().String()
}
