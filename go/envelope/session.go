// SPDX-License-Identifier: Apache-2.0

package envelope

import (
	"context"
	"errors"
	"sync/atomic"

	"asherah-napi/aesgcm"
	"asherah-napi/fault"
	"asherah-napi/observe"
	"asherah-napi/record"
)

// Session encrypts and decrypts the records of one partition. It is safe for concurrent use, and keeps the intermediate
// keys it used last, so that a hot call takes no lock.
type Session struct {
	f        *Factory
	keyID    string
	template record.Template
	closed   atomic.Bool

	encryptKey atomic.Pointer[key] // each holds a reference
	decryptKey atomic.Pointer[key]
}

// ErrCold says that a call would have had to ask the metastore or the KMS. Nothing was done, and of such an attempt nobody
// is told.
var ErrCold = errors.New("the keys are not at hand")

// Session opens a session for a partition, a non-empty UTF-8 text. It does no I/O.
func (f *Factory) Session(partition string) (*Session, error) {
	if partition == "" {
		return nil, fault.New(fault.InvalidArgument, "partition: expected a non-empty string")
	}
	id := f.intermediateKeyID(partition)
	s := &Session{f: f, keyID: id, template: record.NewTemplate(id)}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sessions == nil {
		return nil, errClosed
	}
	f.sessions[s] = struct{}{}
	return s, nil
}

// Close lets go of the session's keys. Calls in flight end with a result. It may be called twice.
func (s *Session) Close() {
	s.f.mu.Lock()
	delete(s.f.sessions, s)
	s.f.mu.Unlock()
	s.letGo()
}

func (s *Session) letGo() {
	s.closed.Store(true)
	keep(&s.encryptKey, nil)
	keep(&s.decryptKey, nil)
}

// keep makes k the key that a session holds on to.
func keep(held *atomic.Pointer[key], k *key) {
	if k != nil {
		k.acquire() // the caller's reference keeps it above 0
	}
	if old := held.Swap(k); old != nil {
		old.release()
	}
}

// ASCII says whether this session's records are ASCII texts.
func (s *Session) ASCII() bool { return s.template.ASCII() }

// RecordRoom is how many bytes Encrypt needs for the record of so much data.
func (s *Session) RecordRoom(data int) int { return s.template.MaxSize(data + aesgcm.Overhead) }

// Encrypt writes the data row record of in to out, RecordRoom(len(in)) bytes or more, and returns its size. cold is the
// error to give up with instead of asking the metastore or the KMS; nil: it asks.
func (s *Session) Encrypt(ctx context.Context, cold error, in, out []byte) (int, error) {
	watched := s.f.Sink.WantsMetrics()
	now := s.f.now()
	n, err := s.encrypt(ctx, now, cold, watched, in, out)
	if watched || err != nil {
		s.f.called(observe.Encrypt, watched, now, err)
	}
	return n, err
}

func (s *Session) encrypt(ctx context.Context, now moment, cold error, watched bool, in, out []byte) (int, error) {
	k, err := s.keyForEncrypt(ctx, now, cold, watched)
	if err != nil {
		return 0, err
	}
	defer k.release()
	sc, err := s.f.takeScratch()
	if err != nil {
		return 0, err
	}
	defer sc.giveBack()

	// One call to the generator for the data row key and both nonces.
	aesgcm.Random(sc.random[:])
	sealedKey := (*[record.KeySize]byte)(sc.sealedKey[:])
	k.cipher.Seal(sealedKey[:], (*[aesgcm.NonceSize]byte)(sc.random[32:44]), sc.random[:32])
	k.seals.Add(1)
	sc.cipher.Expand((*[aesgcm.KeySize]byte)(sc.random[:32]))
	return s.template.Write(out, now.unix, sealedKey, k.created, len(in)+aesgcm.Overhead, func(sealed []byte) {
		sc.cipher.Seal(sealed, (*[aesgcm.NonceSize]byte)(sc.random[44:56]), in)
	}), nil
}

func (s *Session) keyForEncrypt(ctx context.Context, now moment, cold error, watched bool) (*key, error) {
	k := s.encryptKey.Load()
	found := observe.CacheHit
	if k != nil && !k.fresh(now) {
		found = observe.CacheStale
	}
	// valid last: a refresh that ends meanwhile notes a revocation first and freshness second
	if k != nil && (found == observe.CacheHit || s.f.tend(ctx, &s.f.intermediate, k, now)) && s.f.valid(k, now) && k.acquire() {
		if watched {
			s.f.Sink.Count(found, observe.IntermediateKeys)
		}
		return k, nil
	}
	if s.closed.Load() {
		return nil, errClosed
	}
	if cold != nil {
		return nil, cold
	}
	k, err := s.await(ctx, func(ctx context.Context) (*key, error) { return s.f.intermediate.latest(ctx, s.keyID) })
	if err != nil {
		return nil, err
	}
	s.hold(&s.encryptKey, k)
	return k, nil
}

// Waiter is what a call's context may be too: somebody who has something to give up while the call waits for a key.
type Waiter interface {
	Leave()
	Return() error
}

// await runs load, which may wait for the metastore and the KMS.
func (s *Session) await(ctx context.Context, load func(context.Context) (*key, error)) (*key, error) {
	waiter, _ := ctx.(Waiter)
	if waiter != nil {
		waiter.Leave()
	}
	limited, cancel := s.f.callContext(ctx)
	defer cancel()
	k, err := load(limited)
	if err == nil && waiter != nil {
		if err = waiter.Return(); err != nil {
			k.release()
		}
	}
	if err != nil {
		return nil, s.f.closedOr(err)
	}
	return k, nil
}

func (s *Session) hold(held *atomic.Pointer[key], k *key) {
	keep(held, k)
	if s.closed.Load() { // closed meanwhile: nobody else would let go
		keep(held, nil)
	}
}

// Decrypt writes the plaintext of a data row record to out and returns its size, or how many bytes out must have as a
// negative number; then nothing was done. Neither age nor revocation of a key matters here, as in the Go library, and
// nothing is ever written to the metastore. cold as for Encrypt.
func (s *Session) Decrypt(ctx context.Context, cold error, in, out []byte) (int, error) {
	watched := s.f.Sink.WantsMetrics()
	var now moment
	if watched {
		now = s.f.now()
	}
	n, err := s.decrypt(ctx, cold, watched, in, out)
	if err != nil || (watched && n >= 0) {
		s.f.called(observe.Decrypt, watched, now, err)
	}
	return n, err
}

func (s *Session) decrypt(ctx context.Context, cold error, watched bool, in, out []byte) (int, error) {
	if s.closed.Load() {
		return 0, errClosed
	}
	sc, err := s.f.takeScratch()
	if err != nil {
		return 0, err
	}
	defer sc.giveBack()
	fields, ok := s.template.Parse(in)
	if ok {
		if room := fields.DataRoom(); room > len(out) {
			return -room, nil
		}
		if n, ok := fields.DecodeData(out); ok && fields.DecodeKey(&sc.sealedKey) {
			return s.open(ctx, cold, watched, sc, record.KeyMeta{ID: s.keyID, Created: fields.ParentCreated}, sc.sealedKey[:record.KeySize], out[:n])
		}
	}
	row, err := record.ParseDataRow(in)
	if err != nil {
		return 0, fault.Wrap(fault.InvalidRecord, err, "record: expected the JSON text that encrypt returned")
	}
	if !s.f.accepts(s.keyID, row.ParentKeyMeta.ID) {
		return 0, fault.New(fault.PartitionMismatch, "record: it belongs to intermediate key %q, this session's is %q; use the session of the partition that encrypted it", row.ParentKeyMeta.ID, s.keyID)
	}
	if len(row.Data) > len(out) {
		return -len(row.Data), nil
	}
	return s.open(ctx, cold, watched, sc, row.ParentKeyMeta, row.Key, out[:copy(out, row.Data)])
}

// open decrypts data in place.
func (s *Session) open(ctx context.Context, cold error, watched bool, sc *scratch, parent record.KeyMeta, sealedKey, data []byte) (int, error) {
	if len(sealedKey) != record.KeySize || len(data) < aesgcm.Overhead {
		return 0, fault.New(fault.InvalidRecord, "record: expected Key of %d bytes and Data of %d or more, got %d and %d", record.KeySize, aesgcm.Overhead, len(sealedKey), len(data))
	}
	k, err := s.keyForDecrypt(ctx, parent, cold, watched, sc)
	if err != nil {
		return 0, err
	}
	defer k.release()
	raw := (*[aesgcm.KeySize]byte)(sc.random[:32])
	if _, err := k.cipher.Open(raw[:], sealedKey); err != nil {
		return 0, fault.New(fault.AuthenticationFailed, "record: its key can't be decrypted by intermediate key %s created at %d: the record was changed, or made with another key", parent.ID, parent.Created)
	}
	sc.cipher.Expand(raw)
	plaintext, err := sc.cipher.Open(data[:0], data)
	if err != nil {
		return 0, fault.New(fault.AuthenticationFailed, "record: its data can't be decrypted: the record was changed")
	}
	return len(plaintext), nil
}

func (s *Session) keyForDecrypt(ctx context.Context, meta record.KeyMeta, cold error, watched bool, sc *scratch) (*key, error) {
	for _, held := range [...]*atomic.Pointer[key]{&s.encryptKey, &s.decryptKey} {
		if k := held.Load(); k != nil && k.created == meta.Created && k.id == meta.ID && k.acquire() {
			if watched {
				s.f.Sink.Count(observe.CacheHit, observe.IntermediateKeys)
			}
			return k, nil
		}
	}
	k := s.f.intermediate.cache.get(meta)
	if k != nil {
		if watched {
			s.f.Sink.Count(observe.CacheHit, observe.IntermediateKeys)
		}
	} else {
		if cold != nil {
			return nil, cold
		}
		var err error
		sc.sleep()
		if k, err = s.await(ctx, func(ctx context.Context) (*key, error) { return s.f.intermediate.exact(ctx, meta) }); err != nil {
			return nil, err
		}
		if err = sc.wake(s.f); err != nil {
			k.release()
			return nil, err
		}
	}
	s.hold(&s.decryptKey, k)
	return k, nil
}
