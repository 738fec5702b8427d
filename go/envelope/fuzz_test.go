// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"asherah-napi/metastore"
	"asherah-napi/record"
)

// testdata/fixture.json: key rows and data row records under the public test master key, with their plaintexts.
type fixture struct {
	Rows    map[string][]record.KeyRecord `json:"rows"`
	Records map[string]string             `json:"records"` // text -> plaintext
}

const fixtureFile = "testdata/fixture.json"

var update = flag.Bool("update", false, "make "+fixtureFile+" anew")

func TestRecordsOfAnEarlierDayDecrypt(t *testing.T) {
	if *update {
		writeFixture(t)
	}
	known, s := openFixture(t)
	for text, plaintext := range known.Records {
		if got, err := decrypt(s, text); err != nil || got != plaintext {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func writeFixture(t *testing.T) {
	b := newHarness(t, newStore(), nil)
	out := fixture{b.store.rows, map[string]string{}}
	s := testSession(t, b.Factory, "p")
	for _, plaintext := range []string{"", "x", "a text of some length", strings.Repeat("0123456789", 40)} {
		text, err := encrypt(s, plaintext)
		if err != nil {
			t.Fatal(err)
		}
		out.Records[text] = plaintext
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err == nil {
		err = os.WriteFile(fixtureFile, append(text, '\n'), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func openFixture(t testing.TB) (known fixture, s *Session) {
	t.Helper()
	text, err := os.ReadFile(fixtureFile)
	if err == nil {
		err = json.Unmarshal(text, &known)
	}
	if err != nil {
		t.Fatal(err)
	}
	store := metastore.NewMemory()
	for id, rows := range known.Rows {
		for _, row := range rows {
			if _, err := store.Store(context.Background(), id, row.Created, &row); err != nil {
				t.Fatal(err)
			}
		}
	}
	return known, testSession(t, testFactory(t, testConfig(), store), "p")
}

// Any text that decrypt is given: an error, or exactly the plaintext of a record that was encrypted, and nothing written.
func FuzzDecrypt(f *testing.F) {
	known, s := openFixture(f)
	plaintexts := map[string]bool{}
	for text, plaintext := range known.Records {
		f.Add([]byte(text))
		plaintexts[plaintext] = true
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		out := make([]byte, len(text)+record.DecodeSlack)
		n, err := s.Decrypt(context.Background(), nil, text, out)
		if err == nil && (n < 0 || !plaintexts[string(out[:n])]) {
			t.Fatalf("%d bytes that nobody encrypted", n)
		}
		if s.f.Stats().KeysStored != 0 {
			t.Fatal("decrypt wrote a key")
		}
	})
}
