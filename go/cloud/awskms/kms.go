// SPDX-License-Identifier: Apache-2.0

// Package awskms guards system keys with AWS KMS keys of one or more regions.
//
// A system key is sealed under a data key, which each region's KMS key encrypts (a "key encryption key", kek); any one of
// the regions can decrypt it. The stored format (envelope.go) is that of every Asherah; how regions fail over
// (failover.go) is ours. The plug-in of the Go library (appencryption v0.9.0, plugins/aws-v2/kms) waits for the SDK's
// retries, without limit for a region that hangs, and leaves a failing region out of what it stores without a word.
package awskms

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"asherah-napi/aesgcm"
	"asherah-napi/cloud/awsconfig"
	"asherah-napi/fault"
	"asherah-napi/lockedmem"
	"asherah-napi/observe"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
)

// Config is which keys, and how long to wait for them. The options of lib/config.ts have the same names.
type Config struct {
	// Regions, the preferred one first: it is asked first, as long as it answers.
	Regions []Region
	// RequireAllRegions makes it an error when one region can't encrypt a new system key. Otherwise that is a warning, and
	// the key can't be decrypted in that region until it is replaced.
	RequireAllRegions bool
	// RegionTimeout is after how long without an answer the next region is asked too. A late answer is still taken if it
	// is the first one; after maxLateness times as long nobody waits for it any more.
	RegionTimeout time.Duration
	// RequireLockedMemory refuses to hold a data key in memory that could not be locked.
	RequireLockedMemory bool
	// Warn is told fault.WarnKMSRegionFailed, on any thread; it must not call the KMS.
	Warn func(code fault.Code, message string)
	// Sink is told of each request to a region; nil: nobody is.
	Sink *observe.Sink
}

// Region is one master key.
type Region struct {
	Region   string // "": the ARN's, or the one that the environment or profile names
	Key      string // ARN of a key or alias, key id, or alias/name
	Endpoint string // "": as the environment or profile says, or AWS's own
}

const (
	maxLateness   = 5                // times RegionTimeout
	downFor       = 30 * time.Second // how long a failed region is asked last
	credentialMax = 15 * time.Second // a little more than awsconfig gives one attempt
)

// KMS implements kms.KMS, kms.Completer and check.Verifier.
type KMS struct {
	Config
	aws     aws.Config
	regions []*region // the preferred one, and the others by name: the order of asking and of the stored keks
	downFor time.Duration

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	mu     sync.Mutex
	closed bool
	work   sync.WaitGroup // calls and goroutines
}

// New reads files (profile, certificates) but asks no server. Errors are fault.InvalidConfig.
func New(config Config, src awsconfig.Source) (*KMS, error) {
	if len(config.Regions) == 0 {
		return nil, fault.New(fault.InvalidConfig, "kms: expected the key of at least one region, got none")
	}
	if config.RegionTimeout <= 0 {
		return nil, fault.New(fault.InvalidConfig, "kms: expected a region timeout above 0, got %v", config.RegionTimeout)
	}
	if config.Warn == nil {
		config.Warn = func(fault.Code, string) {}
	}
	k := &KMS{Config: config, downFor: downFor}
	for i, r := range config.Regions {
		if r.Key == "" {
			return nil, fault.New(fault.InvalidConfig, "kms %s: expected the ARN or id of a key, got an empty string", cmp.Or(r.Region, "region"))
		}
		key, err := arn.Parse(r.Key)
		if err == nil && r.Region != "" && key.Region != r.Region {
			return nil, fault.New(fault.InvalidConfig, "kms %s: the key's ARN is of region %s; give a key of %s, for a multi-Region key its replica's ARN", r.Region, key.Region, r.Region)
		}
		name := cmp.Or(r.Region, key.Region)
		if i == 0 {
			if k.aws, err = awsconfig.Load(context.Background(), src, name); err != nil {
				return nil, err
			}
		}
		name = cmp.Or(name, k.aws.Region)
		if slices.ContainsFunc(k.regions, func(other *region) bool { return other.name == name }) {
			return nil, fault.New(fault.InvalidConfig, "kms: region %s is given twice", name)
		}
		k.regions = append(k.regions, newRegion(k.aws, name, r, key.AccountID, k.Sink))
	}
	slices.SortFunc(k.regions[1:], func(a, b *region) int { return strings.Compare(a.name, b.name) })
	k.ctx, k.cancel = context.WithCancel(context.Background())
	return k, nil
}

var errClosed = fault.New(fault.Closed, "the AWS KMS client is closed")

// Close ends calls and goroutines and closes the connections that are idle then.
func (k *KMS) Close() {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.cancel()
	k.work.Wait()
	awsconfig.Close(k.aws)
}

// enter counts a call or goroutine that Close has to wait for, with a context that Close ends.
func (k *KMS) enter(ctx context.Context) (context.Context, func(), error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed {
		return nil, nil, errClosed
	}
	k.work.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(k.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
		k.work.Done()
	}, nil
}

// begin is enter for a call, which needs credentials. They are waited for here, so that a slow credential service does
// not look like a slow region.
func (k *KMS) begin(ctx context.Context) (context.Context, func(), error) {
	ctx, leave, err := k.enter(ctx)
	if err != nil {
		return nil, nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, credentialMax)
	defer cancel()
	if _, err := k.aws.Credentials.Retrieve(waiting); err != nil {
		leave()
		return nil, nil, k.closedOr(fault.Wrap(fault.KMS, describe(err), "AWS credentials"))
	}
	return ctx, leave, nil
}

func (k *KMS) closedOr(err error) error {
	if k.ctx.Err() != nil {
		return errClosed
	}
	return err
}

// EncryptKey seals raw under a new data key that every region encrypts.
func (k *KMS) EncryptKey(ctx context.Context, raw []byte) ([]byte, error) {
	return k.encrypt(ctx, raw, k.RequireAllRegions)
}

// EncryptKeyComplete is EncryptKey with RequireAllRegions.
func (k *KMS) EncryptKeyComplete(ctx context.Context, raw []byte) ([]byte, error) {
	return k.encrypt(ctx, raw, true)
}

func (k *KMS) encrypt(ctx context.Context, raw []byte, all bool) ([]byte, error) {
	ctx, leave, err := k.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	first, key, failed, err := k.ask(ctx, k.regions, (*region).generate, func(*region, dataKey) error { return nil })
	if err != nil {
		return nil, k.closedOr(err)
	}
	defer key.wipe()

	e := envelope{EncryptedKey: make([]byte, len(raw)+aesgcm.Overhead)}
	if err := k.expand(key.plaintext, func(cipher *aesgcm.Key) error {
		var nonce [aesgcm.NonceSize]byte
		aesgcm.Random(nonce[:])
		cipher.Seal(e.EncryptedKey, &nonce, raw)
		return nil
	}); err != nil {
		return nil, err
	}

	keks, left := k.encryptDataKey(ctx, first, key, failed, all)
	if len(left) > 0 {
		if err := k.closedOr(nil); err != nil {
			return nil, err
		}
		if all {
			return nil, failure(left)
		}
		for _, f := range left {
			k.Warn(fault.WarnKMSRegionFailed, "kms "+f.region.name+" is left out of a new system key, which can't be decrypted there until it is replaced: "+f.err.Error())
		}
	}
	e.KEKs = keks
	return e.marshal(), nil
}

// encryptDataKey lets the regions other than first, where the data key is from, encrypt it too, at the same time and each
// within RegionTimeout. Whoever was late already in this call is not waited for again, unless all are needed.
func (k *KMS) encryptDataKey(ctx context.Context, first *region, key dataKey, failed failures, all bool) (keks []kek, left failures) {
	blobs := make([][]byte, len(k.regions))
	errs := make([]error, len(k.regions))
	patience := k.patience(ctx, 1)
	within, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var asking sync.WaitGroup
	for i, r := range k.regions {
		if r == first {
			blobs[i] = key.blob
			continue
		}
		if err := failed.of(r); errors.Is(err, errLate) && !all {
			errs[i] = err
			continue
		}
		asking.Add(1)
		go func() {
			defer asking.Done()
			blobs[i], errs[i] = recovered(func() ([]byte, error) { return r.encrypt(within, key.plaintext) })
			if errs[i] != nil && within.Err() != nil && ctx.Err() == nil {
				errs[i] = late(patience)
			}
		}()
	}
	asking.Wait() // also because they read key; within ends them
	for i, r := range k.regions {
		if errs[i] == nil {
			keks = append(keks, kek{r.name, r.key, blobs[i]})
			r.up()
		} else {
			left = append(left, regionError{r, describe(errs[i])})
			k.failed(ctx, r, errs[i])
		}
	}
	return keks, left
}

// DecryptKey asks the regions that raw's key was encrypted for.
func (k *KMS) DecryptKey(ctx context.Context, encrypted, raw []byte) error {
	e, err := parseEnvelope(encrypted)
	if err != nil {
		return err
	}
	if len(e.EncryptedKey) != len(raw)+aesgcm.Overhead {
		return fault.New(fault.InvalidKeyRecord, "a system key that AWS KMS encrypted: encryptedKey: expected %d bytes, got %d", len(raw)+aesgcm.Overhead, len(e.EncryptedKey))
	}
	var candidates []*region
	for _, r := range k.regions {
		if e.kek(r) != nil {
			candidates = append(candidates, r)
		}
	}
	if len(candidates) == 0 {
		return fault.New(fault.KMS, "the system key was encrypted in %s; none of them is configured, which are %s: add one of them", e.regions(), k.names())
	}
	ctx, leave, err := k.begin(ctx)
	if err != nil {
		return err
	}
	defer leave()
	_, key, _, err := k.ask(ctx, candidates,
		func(r *region, ctx context.Context) (dataKey, error) { return r.decrypt(ctx, e.kek(r)) },
		func(_ *region, key dataKey) error {
			return k.expand(key.plaintext, func(cipher *aesgcm.Key) error {
				if _, err := cipher.Open(raw, e.EncryptedKey); err != nil {
					return errNotTheKey
				}
				return nil
			})
		})
	if err != nil {
		return k.closedOr(err)
	}
	key.wipe()
	return nil
}

var errNotTheKey = errors.New("its data key can't decrypt the system key: the row was changed")

// Complete says whether every configured region can decrypt what EncryptKey returned.
func (k *KMS) Complete(encrypted []byte) bool {
	e, err := parseEnvelope(encrypted)
	if err != nil {
		return false
	}
	return !slices.ContainsFunc(k.regions, func(r *region) bool { return e.kek(r) == nil })
}

func (k *KMS) names() string {
	var names []string
	for _, r := range k.regions {
		names = append(names, r.name)
	}
	return strings.Join(names, ", ")
}

// expand gives use a data key's cipher, in locked memory, for the time of the call.
func (k *KMS) expand(plaintext []byte, use func(*aesgcm.Key) error) error {
	slot, err := lockedmem.Get(k.RequireLockedMemory)
	if err != nil {
		return fault.Wrap(fault.LockedMemory, err, "lockedMemory")
	}
	defer slot.Free()
	defer aesgcm.ClearRegisters()
	var cipher aesgcm.Key
	cipher.Attach(slot.Key())
	raw := (*[aesgcm.KeySize]byte)(slot.Scratch())
	copy(raw[:], plaintext)
	cipher.Expand(raw)
	return use(&cipher)
}
