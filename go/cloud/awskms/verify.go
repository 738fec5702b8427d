// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"context"
	"crypto/subtle"
	"fmt"
	"sync"

	"asherah-napi/check"
)

// Verify lets every region make a data key and decrypt it again, all at the same time.
func (k *KMS) Verify(ctx context.Context) []check.Result {
	results := make([]check.Result, len(k.regions))
	var all sync.WaitGroup
	for i, r := range k.regions {
		all.Add(1)
		go func() {
			defer all.Done()
			results[i] = check.Timed("kms "+r.name, func() (check.Status, string) {
				if _, err := recovered(func() (struct{}, error) { return struct{}{}, k.verify(ctx, r) }); err != nil {
					return check.Failure, fmt.Sprintf("%s: %v", r.key, describe(err))
				}
				return check.OK, r.key + " encrypts and decrypts"
			})
		}()
	}
	all.Wait()
	return results
}

func (k *KMS) verify(ctx context.Context, r *region) error {
	ctx, cancel := context.WithTimeout(ctx, credentialMax+maxLateness*k.RegionTimeout)
	defer cancel()
	ctx, leave, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer leave()
	made, err := r.generate(ctx)
	if err != nil {
		return err
	}
	defer made.wipe()
	got, err := r.decrypt(ctx, &kek{r.name, r.key, made.blob})
	if err != nil {
		return err
	}
	defer got.wipe()
	if subtle.ConstantTimeCompare(made.plaintext, got.plaintext) != 1 {
		return errNotTheKey
	}
	return nil
}
