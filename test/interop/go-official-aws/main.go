// SPDX-License-Identifier: Apache-2.0

// A peer for the tests: the official Go Asherah library with its own metastores for servers and its plug-ins for AWS (SDK
// v2), driven by JSON lines as go-official is.
//
//	{"op":"encrypt", "service":"s","product":"p","partition":"a","data":"<base64>",
//	 "postgres":"postgres://...","regionMap":{"us-west-2":"arn:..."},"preferredRegion":"us-west-2","kmsEndpoints":{"us-west-2":"http://..."}}
//	{"op":"decrypt", the same, "record":"<data row record>" in place of data}
//
// "masterKey":"<64 hex>" in place of regionMap and what follows is the static KMS; and in place of "postgres" there may be
//
//	"mysql":"user:password@tcp(host:port)/database"
//	"dynamodb":{"endpoint":"http://...","region":"us-west-2","name":"EncryptionKey","regionSuffix":false}
//
// Answers: {"record":"..."}, {"data":"<base64>"}, {"error":"..."}.
package main

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/godaddy/asherah/go/appencryption"
	"github.com/godaddy/asherah/go/appencryption/pkg/crypto/aead"
	statickms "github.com/godaddy/asherah/go/appencryption/pkg/kms"
	"github.com/godaddy/asherah/go/appencryption/plugins/aws-v2/kms"
)

type request struct {
	Op              string            `json:"op"`
	Service         string            `json:"service"`
	Product         string            `json:"product"`
	Partition       string            `json:"partition"`
	Postgres        string            `json:"postgres"`
	MySQL           string            `json:"mysql"`
	DynamoDB        *table            `json:"dynamodb"`
	MasterKey       string            `json:"masterKey"`
	RegionMap       map[string]string `json:"regionMap"`
	PreferredRegion string            `json:"preferredRegion"`
	KMSEndpoints    map[string]string `json:"kmsEndpoints"`
	Data            []byte            `json:"data"`
	Record          string            `json:"record"`
}

type answer struct {
	Record string `json:"record,omitempty"`
	Data   []byte `json:"data"`
	Error  string `json:"error,omitempty"`
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
			a, err = crypt(&q)
		}
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := out.Encode(a); err != nil {
			return
		}
	}
}

// openKMS gives the static KMS if there is a master key, else AWS KMS.
func openKMS(q *request, crypto appencryption.AEAD) (appencryption.KeyManagementService, error) {
	if q.MasterKey != "" {
		master, err := hex.DecodeString(q.MasterKey)
		if err != nil {
			return nil, err
		}
		return statickms.NewStatic(string(master), crypto)
	}
	return kms.NewBuilder(crypto, q.RegionMap).
		WithPreferredRegion(q.PreferredRegion).
		WithAWSConfig(aws.Config{Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}).
		WithKMSFactory(func(cfg aws.Config, _ ...func(*awskms.Options)) kms.AWSClient {
			return awskms.NewFromConfig(cfg, func(o *awskms.Options) { o.BaseEndpoint = aws.String(q.KMSEndpoints[cfg.Region]) })
		}).
		Build()
}

// crypt makes a factory for the one call, so that every key comes from the table and is decrypted by the KMS.
func crypt(q *request) (answer, error) {
	crypto := aead.NewAES256GCM()
	keys, err := openKMS(q, crypto)
	if err != nil {
		return answer{}, err
	}
	store, closeStore, err := openStore(q)
	if err != nil {
		return answer{}, err
	}
	defer closeStore()
	config := &appencryption.Config{Service: q.Service, Product: q.Product, Policy: appencryption.NewCryptoPolicy()}
	factory := appencryption.NewSessionFactory(config, store, keys, crypto)
	defer factory.Close()
	session, err := factory.GetSession(q.Partition)
	if err != nil {
		return answer{}, err
	}
	defer session.Close()

	ctx := context.Background()
	switch q.Op {
	case "encrypt":
		record, err := session.Encrypt(ctx, q.Data)
		if err != nil {
			return answer{}, err
		}
		text, err := json.Marshal(record)
		return answer{Record: string(text)}, err
	case "decrypt":
		var record appencryption.DataRowRecord
		if err := json.Unmarshal([]byte(q.Record), &record); err != nil {
			return answer{}, err
		}
		data, err := session.Decrypt(ctx, record)
		return answer{Data: data}, err
	default:
		return answer{}, fmt.Errorf("unknown op %q", q.Op)
	}
}
