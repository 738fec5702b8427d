// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"asherah-napi/aesgcm"
	enginekms "asherah-napi/kms"
	"asherah-napi/observe"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// region is one master key, the client that reaches it, and whether it answered lately.
type region struct {
	name, key string
	client    *kms.Client
	sink      *observe.Sink

	mu        sync.Mutex
	account   string    // of key; "": not known yet
	downUntil time.Time // zero: it answers
}

// dataKey is 32 random bytes, and the same encrypted. The SDK leaves the plaintext on Go's heap, from where wipe removes
// it; the text of the answer it came in is out of reach.
type dataKey struct{ plaintext, blob []byte }

func (d dataKey) wipe() { clear(d.plaintext) }

// attempts per region: throttling, a lost connection or an error of the server is worth one more, a server that can't be
// reached is not, for the next region can be asked meanwhile. AWS_MAX_ATTEMPTS=1 makes it one.
const attempts = 2

func newRegion(cfg aws.Config, name string, r Region, account string, sink *observe.Sink) *region {
	client := kms.NewFromConfig(cfg, func(o *kms.Options) {
		o.Region = name
		if r.Endpoint != "" {
			o.BaseEndpoint = aws.String(r.Endpoint)
		}
		o.Retryer = retry.NewStandard(func(s *retry.StandardOptions) {
			s.MaxAttempts = attempts
			if cfg.RetryMaxAttempts == 1 {
				s.MaxAttempts = 1
			}
			s.MaxBackoff = 200 * time.Millisecond
			s.RateLimiter = ratelimit.None
			s.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(isUnreachable)}, s.Retryables...)
		})
		o.RetryMaxAttempts = 0 // or it would wrap the retryer
	})
	return &region{name: name, key: r.Key, client: client, sink: sink, account: account}
}

// observed tells of one request, all attempts of the SDK together.
func observed[T any](r *region, kind observe.Kind, operation string, request func() (T, error)) (out T, err error) {
	err = enginekms.Observe(r.sink, kind, r.name, r.name, operation, func() error {
		out, err = request()
		return err
	})
	return out, err
}

func isUnreachable(err error) aws.Ternary {
	if e := (*net.OpError)(nil); errors.As(err, &e) && e.Op == "dial" {
		return aws.FalseTernary
	}
	return aws.UnknownTernary
}

func (r *region) generate(ctx context.Context) (dataKey, error) {
	out, err := observed(r, observe.KMSEncrypt, "GenerateDataKey", func() (*kms.GenerateDataKeyOutput, error) {
		return r.client.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &r.key, KeySpec: types.DataKeySpecAes256})
	})
	if err != nil {
		return dataKey{}, err
	}
	key := dataKey{out.Plaintext, out.CiphertextBlob}
	if len(key.plaintext) != aesgcm.KeySize || len(key.blob) == 0 {
		key.wipe()
		return dataKey{}, fmt.Errorf("it answered with a data key of %d bytes, encrypted %d; expected %d, and some", len(key.plaintext), len(key.blob), aesgcm.KeySize)
	}
	r.noteAccount(out.KeyId)
	return key, nil
}

func (r *region) encrypt(ctx context.Context, plaintext []byte) ([]byte, error) {
	out, err := observed(r, observe.KMSEncrypt, "Encrypt", func() (*kms.EncryptOutput, error) {
		return r.client.Encrypt(ctx, &kms.EncryptInput{KeyId: &r.key, Plaintext: plaintext})
	})
	if err != nil {
		return nil, err
	}
	if len(out.CiphertextBlob) == 0 {
		return nil, errors.New("it answered without a ciphertext")
	}
	r.noteAccount(out.KeyId)
	return out.CiphertextBlob, nil
}

// decrypt names the configured key in the request, as AWS advises and the Go library does: otherwise whoever can write to
// the metastore could have a system key of his own used, encrypted by a key in his own AWS account that he lets everybody
// use. But an alias may have been pointed at another key since, or the configuration changed: then the key that did it is
// taken if it is of the same account as the configured one.
func (r *region) decrypt(ctx context.Context, c *kek) (dataKey, error) {
	ask := func(keyID *string) (*kms.DecryptOutput, error) {
		return observed(r, observe.KMSDecrypt, "Decrypt", func() (*kms.DecryptOutput, error) {
			return r.client.Decrypt(ctx, &kms.DecryptInput{CiphertextBlob: c.EncryptedKEK, KeyId: keyID})
		})
	}
	out, err := ask(&r.key)
	if other := (*types.IncorrectKeyException)(nil); errors.As(err, &other) {
		out, err = ask(nil)
		if err == nil {
			if err = r.sameAccount(ctx, aws.ToString(out.KeyId)); err != nil {
				clear(out.Plaintext)
			}
		}
	}
	if err != nil {
		return dataKey{}, err
	}
	if len(out.Plaintext) != aesgcm.KeySize {
		clear(out.Plaintext)
		return dataKey{}, fmt.Errorf("it answered with a data key of %d bytes, expected %d", len(out.Plaintext), aesgcm.KeySize)
	}
	return dataKey{plaintext: out.Plaintext}, nil
}

func (r *region) sameAccount(ctx context.Context, used string) error {
	r.mu.Lock()
	account := r.account
	r.mu.Unlock()
	if account == "" { // an id or alias is configured: KMS's answers have its ARN
		key, err := r.generate(ctx)
		if err != nil {
			return fmt.Errorf("which AWS account %s is of could not be found out: %w", r.key, err)
		}
		key.wipe()
		r.mu.Lock()
		account = r.account
		r.mu.Unlock()
	}
	if key, err := arn.Parse(used); err != nil || account == "" || key.AccountID != account {
		return fmt.Errorf("the system key was encrypted by %s, which is of another AWS account than the configured key %s", used, r.key)
	}
	return nil
}

func (r *region) noteAccount(keyID *string) {
	if key, err := arn.Parse(aws.ToString(keyID)); err == nil {
		r.mu.Lock()
		r.account = key.AccountID
		r.mu.Unlock()
	}
}

// up notes an answer.
func (r *region) up() {
	r.mu.Lock()
	r.downUntil = time.Time{}
	r.mu.Unlock()
}

// down notes a failure, and says whether it is the first one.
func (r *region) down(until time.Time) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first = r.downUntil.IsZero()
	r.downUntil = until
	return first
}

// isDown says so, and to one caller, once the time is over, that the region should be probed.
func (r *region) isDown(now time.Time, again time.Duration) (down, probe bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.downUntil.IsZero() {
		return false, false
	}
	if probe = now.After(r.downUntil); probe {
		r.downUntil = now.Add(again)
	}
	return true, probe
}
