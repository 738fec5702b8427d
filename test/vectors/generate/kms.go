// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
	"github.com/godaddy/asherah/go/appencryption"
	"github.com/godaddy/asherah/go/appencryption/pkg/kms"
	plugin "github.com/godaddy/asherah/go/appencryption/plugins/aws-v2/kms"
)

// open gives the library's own KMS, and what closes it.
func (k *KMS) open(crypto appencryption.AEAD) (appencryption.KeyManagementService, func()) {
	if k.Type == "static" {
		static := need(kms.NewStatic(string(need(hex.DecodeString(k.MasterKeyHex))), crypto))
		return static, static.Close
	}
	return need(plugin.NewBuilder(crypto, k.RegionMap).
		WithPreferredRegion(k.PreferredRegion).
		WithAWSConfig(aws.Config{}).
		WithKMSFactory(func(cfg aws.Config, _ ...func(*awskms.Options)) plugin.AWSClient {
			return region{k, cfg.Region}
		}).
		Build()), func() {}
}

// region is AWS KMS in one region: a ciphertext is random bytes, and decrypting it is finding it in the list of answers.
type region struct {
	kms  *KMS
	name string
}

// blobSize is that of the ciphertext of a 256-bit key at AWS.
const blobSize = 184

func (r region) encrypt(keyID string, plaintext []byte) []byte {
	blob := random(blobSize)
	r.kms.Decrypts = append(r.kms.Decrypts, Decrypt{r.name, keyID, blob, bytes.Clone(plaintext)}) // the library wipes its own
	return blob
}

func (r region) GenerateDataKey(_ context.Context, q *awskms.GenerateDataKeyInput, _ ...func(*awskms.Options)) (*awskms.GenerateDataKeyOutput, error) {
	key := random(32)
	return &awskms.GenerateDataKeyOutput{KeyId: q.KeyId, Plaintext: key, CiphertextBlob: r.encrypt(*q.KeyId, key)}, nil
}

// Encrypt is called for one region only, as no case has more than two: the list needs no lock.
func (r region) Encrypt(_ context.Context, q *awskms.EncryptInput, _ ...func(*awskms.Options)) (*awskms.EncryptOutput, error) {
	return &awskms.EncryptOutput{KeyId: q.KeyId, CiphertextBlob: r.encrypt(*q.KeyId, q.Plaintext)}, nil
}

func (r region) Decrypt(_ context.Context, q *awskms.DecryptInput, _ ...func(*awskms.Options)) (*awskms.DecryptOutput, error) {
	for _, d := range r.kms.Decrypts {
		if d.Region == r.name && d.KeyID == *q.KeyId && bytes.Equal(d.CiphertextBlob, q.CiphertextBlob) {
			return &awskms.DecryptOutput{KeyId: q.KeyId, Plaintext: bytes.Clone(d.Plaintext)}, nil
		}
	}
	return nil, &types.InvalidCiphertextException{Message: aws.String(fmt.Sprintf("not of %s in %s", *q.KeyId, r.name))}
}

func random(size int) []byte {
	b := make([]byte, size)
	rand.Read(b) // never fails
	return b
}
