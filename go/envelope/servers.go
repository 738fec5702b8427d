// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"bytes"
	"context"

	"asherah-napi/aesgcm"
	"asherah-napi/check"
	"asherah-napi/fault"
	"asherah-napi/observe"
)

// Verify tries the KMS and the metastore out, side by side, and writes nothing.
func (f *Factory) Verify() []check.Result {
	ctx, cancel := f.callContext(f.ctx)
	defer cancel()
	ofKMS := make(chan []check.Result, 1)
	go func() { ofKMS <- verified("kms", func() []check.Result { return f.verifyKMS(ctx) }) }()
	ofMetastore := verified("metastore", func() []check.Result { return f.verifyMetastore(ctx) })
	return append(<-ofKMS, ofMetastore...)
}

func verified(name string, verify func() []check.Result) (results []check.Result) {
	defer func() {
		if r := recover(); r != nil {
			results = []check.Result{{Name: name, Status: check.Failure, Message: fault.New(fault.Internal, "a panic, please report it: %v", r).Message}}
		}
	}()
	return verify()
}

func (f *Factory) verifyKMS(ctx context.Context) []check.Result {
	if v, ok := f.kms.(check.Verifier); ok {
		return v.Verify(ctx)
	}
	return []check.Result{check.Timed("kms", func() (check.Status, string) {
		if err := f.roundTrip(ctx); err != nil {
			return check.Failure, err.Error()
		}
		return check.OK, "it decrypts what it encrypted"
	})}
}

func (f *Factory) roundTrip(ctx context.Context) error {
	slot, err := f.slot()
	if err != nil {
		return err
	}
	defer slot.Free()
	defer aesgcm.ClearRegisters()
	raw, again := slot.Scratch()[:aesgcm.KeySize], slot.Scratch()[aesgcm.KeySize:][:aesgcm.KeySize]
	aesgcm.Random(raw)
	encrypted, err := f.kms.EncryptKey(ctx, raw)
	if err != nil {
		return err
	}
	if err := f.kms.DecryptKey(ctx, encrypted, again); err != nil {
		return err
	}
	if !bytes.Equal(raw, again) {
		return fault.New(fault.KMS, "it decrypts another key than it encrypted")
	}
	return nil
}

func (f *Factory) verifyMetastore(ctx context.Context) []check.Result {
	if v, ok := f.store.Metastore.(check.Verifier); ok {
		return v.Verify(ctx)
	}
	return []check.Result{check.Timed("metastore", func() (check.Status, string) {
		row, err := f.store.LoadLatest(ctx, f.systemKeyID())
		switch {
		case err != nil:
			return check.Failure, err.Error()
		case row == nil:
			return check.OK, "it answers, and has no system key of this service and product yet"
		default:
			return check.OK, "it answers, and has a system key of this service and product"
		}
	})}
}

// CreateSchema makes the table that the metastore needs. False: there is one already, or the metastore needs none or
// makes it by itself.
func (f *Factory) CreateSchema() (bool, error) {
	ctx, cancel := f.callContext(f.ctx)
	defer cancel()
	creator, ok := f.store.Metastore.(check.SchemaCreator)
	if !ok {
		return false, nil
	}
	created, err := creator.CreateSchema(ctx)
	if err != nil {
		return false, f.storeError(err, "creating the table")
	}
	if created {
		f.Sink.Log(observe.Info, observe.OfMetastore, "", "made the table of the metastore")
	}
	return created, nil
}
