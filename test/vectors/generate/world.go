// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/godaddy/asherah/go/appencryption"
	"github.com/godaddy/asherah/go/appencryption/pkg/crypto/aead"
)

// publicMasterKey is the one that every Asherah library has for tests. It is text, as the static KMS of the Java library asks.
const publicMasterKey = "thisIsAStaticMasterKeyForTesting"

// world is who encrypts, and with which keys.
type world struct {
	service, product, partition string
	store                       store
	kms                         KMS
	policy                      *appencryption.CryptoPolicy
}

func newWorld() *world {
	return &world{
		service: "service", product: "product", partition: "partition",
		kms:    KMS{Type: "static", MasterKeyHex: hex.EncodeToString([]byte(publicMasterKey))},
		policy: appencryption.NewCryptoPolicy(),
	}
}

// use runs do with a session of a factory that is made for it, so that every key comes from the rows.
func (w *world) use(do func(s *appencryption.Session) error) error {
	crypto := aead.NewAES256GCM()
	kms, closeKMS := w.kms.open(crypto)
	defer closeKMS()
	config := &appencryption.Config{Service: w.service, Product: w.product, Policy: w.policy}
	factory := appencryption.NewSessionFactory(config, &w.store, kms, crypto)
	defer factory.Close()
	session, err := factory.GetSession(w.partition)
	if err != nil {
		return err
	}
	defer session.Close()
	return do(session)
}

// encrypt gives the record's text as encoding/json writes it.
func (w *world) encrypt(data string) (text string) {
	must(w.use(func(s *appencryption.Session) error {
		record, err := s.Encrypt(context.Background(), []byte(data))
		if err == nil {
			text = string(need(json.Marshal(record)))
		}
		return err
	}))
	return text
}

// rotating makes every key expire after a second, and dates exact to it.
func (w *world) rotating() *world {
	w.policy = appencryption.NewCryptoPolicy(appencryption.WithExpireAfterDuration(time.Second))
	w.policy.CreateDatePrecision = time.Second
	return w
}

// record is the case of this world's session reading a record.
func (w *world) record(text string, expect Expect) *Case {
	kms := w.kms
	kms.Decrypts = slices.Clone(kms.Decrypts)
	return &Case{
		Service: w.service, Product: w.product, Partition: w.partition, RegionSuffix: w.store.suffix,
		KMS: kms, Metastore: append([]Row{}, w.store.rows...), Record: text, Expect: expect,
	}
}

// roundTrip is the case of data that is encrypted and decrypted.
func (w *world) roundTrip(data string) *Case { return w.record(w.encrypt(data), plaintext(data)) }

func plaintext(data string) Expect {
	b := []byte(data)
	e := Expect{Plaintext: &b}
	if utf8.ValidString(data) {
		e.Text = &data
	}
	return e
}

func failure(kind string) Expect { return Expect{Failure: kind} }

// or is for what some readers do and others refuse.
func (e Expect) or(kind string) Expect {
	e.Failure = kind
	return e
}
