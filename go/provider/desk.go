// SPDX-License-Identifier: Apache-2.0

// Package provider is a KMS and a metastore whose work functions in JavaScript do. Go never calls JavaScript: a request waits
// at the desk of the environment whose functions are meant until its thread takes it, and later answers it by its number.
// docs/design.md says why nobody waits for ever.
package provider

import (
	"context"
	"sync"
	"sync/atomic"

	"asherah-napi/fault"
	"asherah-napi/waiting"
)

// Kind says which function is asked. src-cpp/asherah.h and lib/providers.ts have the same numbers.
type Kind int32

const (
	EncryptKey Kind = 1 + iota
	DecryptKey
	Load
	LoadLatest
	Store
)

var names = map[Kind]string{
	EncryptKey: "kms.encryptKey",
	DecryptKey: "kms.decryptKey",
	Load:       "metastore.load",
	LoadLatest: "metastore.loadLatest",
	Store:      "metastore.store",
}

func (k Kind) code() fault.Code {
	if k == EncryptKey || k == DecryptKey {
		return fault.KMS
	}
	return fault.Metastore
}

// Outcome says how a request was answered. src-cpp/asherah.h and lib/providers.ts have the same numbers.
type Outcome int32

const (
	Value   Outcome = 1 + iota // bytes
	Nothing                    // there is no such row, or there was one already
	Done                       // the row is stored
	Failed                     // the function failed; with its message
	Misfit                     // its result is none; with the whole message
	Promise                    // the answer comes later
)

// Desk is where the requests of one environment wait.
type Desk struct {
	env  uint64
	wake func() // tells the environment's thread that there are requests; must not block

	mu       sync.Mutex
	isClosed bool
	queue    []*request          // not taken
	open     map[uint64]*request // not answered
}

type request struct {
	factory uint64
	kind    Kind
	id      string
	created int64
	body    []byte // may be key memory, which is gone once the request is no longer open
	raw     []byte // where DecryptKey's result goes; the same

	number   uint64
	wait     waiting.Request
	answered chan struct{}
	result   []byte
	outcome  Outcome
	err      error
}

// number of the last request; one for all desks, so that none answers another's.
var number atomic.Uint64

func NewDesk(env uint64, wake func()) *Desk {
	return &Desk{env: env, wake: wake, open: map[uint64]*request{}}
}

// Close ends all requests, since nobody is there any more to take or answer them.
func (d *Desk) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.isClosed = true
	d.queue = nil
	for n, r := range d.open {
		delete(d.open, n)
		r.end(errEnded(r.kind))
	}
}

func errEnded(kind Kind) error {
	return fault.New(kind.code(), "%s: expected the thread that it belongs to, got one that has ended. Open the factory, or call setup(), in a thread that goes on.", names[kind])
}

// end is called once, under the desk's lock.
func (r *request) end(err error) {
	r.err = err
	close(r.answered)
}

// ask waits for the answer.
func (d *Desk) ask(ctx context.Context, r *request) error {
	r.number = number.Add(1)
	r.answered = make(chan struct{})
	r.wait = waiting.Request{Env: d.env, Name: names[r.kind]}
	defer waiting.ForRequest(ctx, &r.wait)()
	d.mu.Lock()
	if d.isClosed {
		d.mu.Unlock()
		return errEnded(r.kind)
	}
	d.open[r.number] = r
	d.queue = append(d.queue, r)
	isFirst := len(d.queue) == 1
	d.mu.Unlock()
	if isFirst {
		d.wake()
	}
	select {
	case <-r.answered:
	case <-ctx.Done():
		d.giveUp(r)
	}
	return r.err
}

// giveUp ends a request unless it was answered at the last moment.
func (d *Desk) giveUp(r *request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open[r.number] != r {
		return
	}
	delete(d.open, r.number)
	for i, other := range d.queue {
		if other == r {
			d.queue = append(d.queue[:i], d.queue[i+1:]...)
			break
		}
	}
	if r.wait.IsTaken() {
		r.end(fault.New(r.kind.code(), "%s: expected a result within requestTimeout, got none. Look why it takes so long; "+
			"a promise can only settle while no synchronous call follows the other: await something now and then.", names[r.kind]))
	} else {
		r.end(fault.New(r.kind.code(), "%s: expected to be called within requestTimeout, got no turn: its thread was busy. "+
			"Let the event loop of the thread that opened the factory turn.", names[r.kind]))
	}
}

// Taken is a request for JavaScript. Its id and then its body are in the output.
type Taken struct {
	Number, Factory uint64
	Kind            Kind
	Created         int64
	ID, Body        int // bytes
}

// Take takes the oldest request. n is how much it wrote to out, 0: there is none, -n: out must have n bytes.
func (d *Desk) Take(out []byte) (taken Taken, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.queue) == 0 {
		return taken, 0
	}
	r := d.queue[0]
	size := len(r.id) + len(r.body)
	if size > len(out) {
		return taken, -size
	}
	d.queue = d.queue[1:]
	r.wait.Taken()
	copy(out[copy(out, r.id):], r.body)
	return Taken{r.number, r.factory, r.kind, r.created, len(r.id), len(r.body)}, size
}

// Thrown is what a function in JavaScript failed with. Number is by what lib finds the very object again.
type Thrown struct {
	Number  uint64
	Message string
}

func (t *Thrown) Error() string { return t.Message }

// Answer ends a request, but for a Promise; one that is not open is ignored. thrown: with Failed, see Thrown.
func (d *Desk) Answer(number uint64, outcome Outcome, data []byte, thrown uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.open[number]
	if r == nil {
		return
	}
	if outcome == Promise {
		r.wait.Promised()
		return
	}
	delete(d.open, number)
	r.outcome = outcome
	switch {
	case outcome == Failed:
		r.end(fault.Wrap(r.kind.code(), &Thrown{thrown, string(data)}, "%s failed", names[r.kind]))
	case outcome == Misfit:
		r.end(&fault.Error{Code: r.kind.code(), Message: string(data)})
	case !r.fits(data):
		r.end(fault.New(fault.Internal, "%s: an answer that lib should have refused", names[r.kind]))
	case r.kind == DecryptKey:
		copy(r.raw, data)
		r.end(nil)
	default:
		r.result = append([]byte(nil), data...)
		r.end(nil)
	}
}

// fits says whether an answer is one to this request: lib has checked it, but the addon may be called by others.
func (r *request) fits(data []byte) bool {
	switch r.kind {
	case EncryptKey:
		return r.outcome == Value && len(data) > 0
	case DecryptKey:
		return r.outcome == Value && len(data) == len(r.raw)
	case Load, LoadLatest:
		return r.outcome == Value || r.outcome == Nothing
	default:
		return r.outcome == Done || r.outcome == Nothing
	}
}
