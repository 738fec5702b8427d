// SPDX-License-Identifier: Apache-2.0

package kms

import (
	"context"
	"errors"
	"fmt"
	"time"

	"asherah-napi/fault"
	"asherah-napi/observe"
)

// Observed returns k with its calls told to sink. For a KMS that is asked as a whole; one of several regions tells of each.
func Observed(k KMS, name string, sink *observe.Sink) KMS { return &observed{k, name, sink} }

type observed struct {
	KMS
	name string
	sink *observe.Sink
}

func (o *observed) EncryptKey(ctx context.Context, raw []byte) (encrypted []byte, err error) {
	err = Observe(o.sink, observe.KMSEncrypt, o.name, "", "encrypt", func() error {
		encrypted, err = o.KMS.EncryptKey(ctx, raw)
		return err
	})
	return encrypted, err
}

func (o *observed) DecryptKey(ctx context.Context, encrypted, raw []byte) error {
	return Observe(o.sink, observe.KMSDecrypt, o.name, "", "decrypt", func() error {
		return o.KMS.DecryptKey(ctx, encrypted, raw)
	})
}

// Observe makes a call and tells sink of it. region is "" where there are none.
func Observe(sink *observe.Sink, kind observe.Kind, name, region, operation string, call func() error) error {
	logs := sink.WantsLog(observe.Debug)
	if !logs && !sink.WantsMetrics() {
		return call()
	}
	began := time.Now()
	err := call()
	took := time.Since(began)
	var code fault.Code
	how := "took"
	if err != nil {
		code = fault.KMS
		if e := (*fault.Error)(nil); errors.As(err, &e) {
			code = e.Code
		}
		how = "failed after"
	}
	sink.Took(kind, took, code, region)
	if logs {
		// Why it failed, the caller tells, in better words than an SDK's.
		sink.Log(observe.Debug, observe.OfKMS, code, fmt.Sprintf("kms %s: %s %s %.3f ms", name, operation, how, took.Seconds()*1000))
	}
	return err
}
