// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"asherah-napi/fault"

	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

type (
	question func(r *region, ctx context.Context) (dataKey, error)
	answer   struct {
		from *region
		key  dataKey
		err  error
	}
)

// ask asks the candidates one after another until one gives an answer that accept takes; the next is asked when the one
// before fails, or has not answered within RegionTimeout (then the first answer of all counts). Regions that failed lately
// come last. The regions that failed or were late are returned in either case.
func (k *KMS) ask(ctx context.Context, candidates []*region, q question, accept func(*region, dataKey) error) (*region, dataKey, failures, error) {
	order := k.order(candidates, q)
	patience := k.patience(ctx, len(order))
	ctx, cancel := context.WithTimeout(ctx, maxLateness*k.RegionTimeout)
	defer cancel() // the losers
	box := &answers{box: make(chan answer, len(order))}
	defer box.close()

	var failed failures
	started, pending := 0, 0
	timer := time.NewTimer(patience)
	defer timer.Stop()
	start := func() {
		if started == len(order) || ctx.Err() != nil {
			return
		}
		r := order[started]
		started, pending = started+1, pending+1
		timer.Reset(patience)
		k.work.Add(1) // below the caller's own count
		go func() {
			defer k.work.Done()
			key, err := recovered(func() (dataKey, error) { return q(r, ctx) })
			box.put(answer{r, key, err})
		}()
	}
	start()
	for pending > 0 {
		select {
		case a := <-box.box:
			pending--
			if a.err == nil {
				if a.err = accept(a.from, a.key); a.err == nil {
					a.from.up()
					return a.from, a.key, failed, nil
				}
				a.key.wipe()
			}
			if failed.of(a.from) == nil || ctx.Err() == nil {
				failed.set(a.from, a.err)
			}
			k.failed(ctx, a.from, a.err)
			if order[started-1] == a.from {
				start()
			}
		case <-timer.C:
			if r := order[started-1]; failed.of(r) == nil {
				failed.set(r, late(patience))
				k.failed(ctx, r, late(patience))
			}
			start()
		}
	}
	return nil, dataKey{}, failed, failure(failed)
}

// patience is RegionTimeout, or less where the call's deadline would come before all so many had their turn.
func (k *KMS) patience(ctx context.Context, turns int) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return min(k.RegionTimeout, time.Until(deadline)/time.Duration(turns+1))
	}
	return k.RegionTimeout
}

// order is candidates, those that are down last. One that is due for a new try gets it beside the call, which doesn't
// wait for it, unless there is none that is up.
func (k *KMS) order(candidates []*region, q question) []*region {
	now := time.Now()
	var up, down, probes []*region
	for _, r := range candidates {
		isDown, probe := r.isDown(now, k.downFor)
		if !isDown {
			up = append(up, r)
			continue
		}
		down = append(down, r)
		if probe {
			probes = append(probes, r)
		}
	}
	if len(up) > 0 {
		for _, r := range probes {
			k.probe(r, q)
		}
	}
	return append(up, down...)
}

// probe finds out whether a region that was down answers again.
func (k *KMS) probe(r *region, q question) {
	ctx, leave, err := k.enter(context.Background())
	if err != nil {
		return
	}
	go func() {
		defer leave()
		ctx, cancel := context.WithTimeout(ctx, k.RegionTimeout)
		defer cancel()
		key, err := recovered(func() (dataKey, error) { return q(r, ctx) })
		key.wipe()
		if err == nil {
			r.up()
		} else {
			r.down(time.Now().Add(k.downFor))
		}
	}()
}

// failed notes that a region is down. What is wrong with one key rather than with the region says nothing about it, nor
// does a call that ended.
func (k *KMS) failed(ctx context.Context, r *region, err error) {
	var ciphertext *types.InvalidCiphertextException
	var key *types.IncorrectKeyException
	if len(k.regions) == 1 || ctx.Err() != nil || errors.As(err, &ciphertext) || errors.As(err, &key) || errors.Is(err, errNotTheKey) {
		return
	}
	if r.down(time.Now().Add(k.downFor)) {
		k.Warn(fault.WarnKMSRegionFailed, fmt.Sprintf("kms %s failed, the other regions are asked first for %v: %v", r.name, k.downFor, describe(err)))
	}
}

// answers hands over answers until it is closed, and wipes those that come later.
type answers struct {
	box    chan answer // has room for all
	mu     sync.Mutex
	closed bool
}

func (b *answers) put(a answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		a.key.wipe()
		return
	}
	b.box <- a
}

func (b *answers) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for len(b.box) > 0 {
		a := <-b.box
		a.key.wipe()
	}
}

func recovered[T any](do func() (T, error)) (result T, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault.New(fault.Internal, "a panic in a request to AWS KMS: %v", r)
		}
	}()
	return do()
}
