// SPDX-License-Identifier: Apache-2.0

// A peer for the tests: the official Go Asherah library over the same SQLite file, driven by JSON lines. It reads one
// request per line from standard input and answers each with one line, until the input ends.
//
//	{"op":"encrypt","db":"keys.db","service":"s","product":"p","masterKey":"<64 hex>","partition":"a","data":"<base64>"}
//	{"op":"decrypt", the same, "record":"<data row record>" in place of data}
//	{"op":"sql","db":"keys.db","sql":"SELECT ...","params":[...]}       // also with "keep":true, see sql.go
//
// Answers: {"record":"..."}, {"data":"<base64>"}, {"rows":[{...}]}, {"error":"..."}.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/godaddy/asherah/go/appencryption"
	"github.com/godaddy/asherah/go/appencryption/pkg/crypto/aead"
	"github.com/godaddy/asherah/go/appencryption/pkg/kms"
)

type request struct {
	Op        string `json:"op"`
	DB        string `json:"db"`
	Service   string `json:"service"`
	Product   string `json:"product"`
	MasterKey string `json:"masterKey"`
	Partition string `json:"partition"`
	Data      []byte `json:"data"`
	Record    string `json:"record"`
	SQL       string `json:"sql"`
	Params    []any  `json:"params"`
	Keep      bool   `json:"keep"`
}

type answer struct {
	Record string           `json:"record,omitempty"`
	Data   []byte           `json:"data"`
	Rows   []map[string]any `json:"rows"`
	Error  string           `json:"error,omitempty"`
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var q request
		var a answer
		if err = json.Unmarshal(line, &q); err == nil {
			a, err = handle(&q)
		}
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := out.Encode(a); err != nil {
			return
		}
	}
}

func handle(q *request) (answer, error) {
	switch q.Op {
	case "encrypt", "decrypt":
		return crypt(q)
	case "sql":
		rows, err := query(q)
		return answer{Rows: rows}, err
	default:
		return answer{}, fmt.Errorf("unknown op %q", q.Op)
	}
}

// crypt makes a factory for the one call, so that every key comes from the file.
func crypt(q *request) (answer, error) {
	master, err := hex.DecodeString(q.MasterKey)
	if err != nil {
		return answer{}, err
	}
	crypto := aead.NewAES256GCM()
	keys, err := kms.NewStatic(string(master), crypto)
	if err != nil {
		return answer{}, err
	}
	defer keys.Close()
	store, err := openStore(q.DB)
	if err != nil {
		return answer{}, err
	}
	defer store.db.Close()
	config := &appencryption.Config{Service: q.Service, Product: q.Product, Policy: appencryption.NewCryptoPolicy()}
	factory := appencryption.NewSessionFactory(config, store, keys, crypto)
	defer factory.Close()
	session, err := factory.GetSession(q.Partition)
	if err != nil {
		return answer{}, err
	}
	defer session.Close()

	if q.Op == "encrypt" {
		record, err := session.Encrypt(context.Background(), q.Data)
		if err != nil {
			return answer{}, err
		}
		text, err := json.Marshal(record)
		return answer{Record: string(text)}, err
	}
	var record appencryption.DataRowRecord
	if err := json.Unmarshal([]byte(q.Record), &record); err != nil {
		return answer{}, err
	}
	data, err := session.Decrypt(context.Background(), record)
	return answer{Data: data}, err
}
