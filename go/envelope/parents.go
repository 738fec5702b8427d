// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"

	"asherah-napi/aesgcm"
	"asherah-napi/fault"
	"asherah-napi/observe"
	"asherah-napi/record"
)

func newSystemLevel(f *Factory) level {
	return level{f: f, name: "system key", observed: observe.SystemKeys, flights: flights{f: f}, cache: newCache(f.SystemKeyCacheMaxSize),
		unwrap: func(ctx context.Context, row *record.KeyRecord, raw []byte) (*key, error) {
			if err := f.kms.DecryptKey(ctx, row.Key, raw); err != nil {
				return nil, fault.Wrap(codeOr(fault.KMS, err), err, "the KMS can't decrypt system key %s created at %d", f.systemKeyID(), row.Created)
			}
			return nil, nil
		},
		wrap: func(ctx context.Context, row *record.KeyRecord, raw []byte) (_ *key, err error) {
			if row.Key, err = f.kms.EncryptKey(ctx, raw); err != nil {
				return nil, fault.Wrap(codeOr(fault.KMS, err), err, "the KMS can't encrypt a new system key %s", f.systemKeyID())
			}
			return nil, nil
		},
	}
}

func newIntermediateLevel(f *Factory) level {
	return level{f: f, name: "intermediate key", observed: observe.IntermediateKeys, flights: flights{f: f}, cache: newCache(f.IntermediateKeyCacheMaxSize),
		unwrap: func(ctx context.Context, row *record.KeyRecord, raw []byte) (*key, error) {
			switch {
			case row.ParentKeyMeta == nil:
				return nil, fault.New(fault.InvalidKeyRecord, "an intermediate key's row in the metastore has no ParentKeyMeta")
			case !f.accepts(f.systemKeyID(), row.ParentKeyMeta.ID):
				return nil, fault.New(fault.InvalidKeyRecord, "an intermediate key's row in the metastore names system key %q, expected %q", row.ParentKeyMeta.ID, f.systemKeyID())
			case len(row.Key) != aesgcm.KeySize+aesgcm.Overhead:
				return nil, fault.New(fault.InvalidKeyRecord, "an intermediate key's row in the metastore holds %d bytes, expected %d", len(row.Key), aesgcm.KeySize+aesgcm.Overhead)
			}
			parent, err := f.system.exact(ctx, *row.ParentKeyMeta)
			if err != nil {
				return nil, err
			}
			defer parent.release()
			if _, err := parent.cipher.Open(raw, row.Key); err != nil {
				return nil, fault.New(fault.InvalidKeyRecord, "an intermediate key's row in the metastore can't be decrypted by its system key: it was changed")
			}
			return parent, nil
		},
		wrap: func(ctx context.Context, row *record.KeyRecord, raw []byte) (*key, error) {
			parent, err := f.system.latest(ctx, f.systemKeyID())
			if err != nil {
				return nil, err
			}
			defer parent.release()
			var nonce [aesgcm.NonceSize]byte
			aesgcm.Random(nonce[:])
			row.Key = make([]byte, aesgcm.KeySize+aesgcm.Overhead)
			parent.cipher.Seal(row.Key, &nonce, raw)
			meta := parent.meta()
			row.ParentKeyMeta = &meta
			return parent, nil
		},
	}
}
