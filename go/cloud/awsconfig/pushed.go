// SPDX-License-Identifier: Apache-2.0

package awsconfig

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// Pushed are credentials that a function in JavaScript gives. It can't be called from here, only asked for an answer:
// want is called when one is needed, and Set or Fail is the answer, from any thread and at any time.
type Pushed struct {
	want func()

	mu       sync.Mutex
	value    aws.Credentials
	failure  error         // the last answer, if it was Fail
	answered chan struct{} // closed by the next answer
	asked    time.Time
	closed   bool
}

const (
	renewBefore = 5 * time.Minute // of the expiry
	askInterval = time.Second
)

// NewPushed takes the function that asks for credentials. It is called on any thread, must not block, and must not call
// Set or Fail itself.
func NewPushed(want func()) *Pushed { return &Pushed{want: want, answered: make(chan struct{})} }

// Set gives credentials. Zero expires: they don't.
func (p *Pushed) Set(accessKeyID, secretAccessKey, sessionToken string, expires time.Time) {
	p.answer(aws.Credentials{
		AccessKeyID: accessKeyID, SecretAccessKey: secretAccessKey, SessionToken: sessionToken, Source: "credentials function",
		CanExpire: !expires.IsZero(), Expires: expires,
	}, nil)
}

// Fail says why there are none. Those from before are used until they expire.
func (p *Pushed) Fail(message string) { p.answer(aws.Credentials{}, errors.New(message)) }

func (p *Pushed) answer(value aws.Credentials, failure error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	if failure == nil {
		if p.value = value; !p.usable(time.Now()) {
			failure = errors.New("it gave credentials that lack a part or have expired")
		}
	}
	if failure != nil {
		failure = errors.New("credentials: the function failed: " + failure.Error())
	}
	p.failure = failure
	close(p.answered)
	p.answered = make(chan struct{})
}

// Ready says whether Retrieve would return at once: credentials are there and unexpired.
func (p *Pushed) Ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.usable(time.Now())
}

func (p *Pushed) usable(now time.Time) bool {
	return p.value.HasKeys() && (!p.value.CanExpire || now.Before(p.value.Expires))
}

var errClosed = errors.New("credentials: the factory is closed")

// Retrieve returns what is there while it is unexpired, and waits for an answer otherwise. It is a cache of its own.
func (p *Pushed) Retrieve(ctx context.Context) (aws.Credentials, error) {
	for {
		value, wait, err := p.look(time.Now())
		if err != nil || wait == nil {
			return value, err
		}
		select {
		case <-wait:
			if err := p.failed(); err != nil {
				return aws.Credentials{}, err
			}
		case <-ctx.Done():
			return aws.Credentials{}, errors.Join(errors.New("credentials: the function gave none in time"), ctx.Err())
		}
	}
}

func (p *Pushed) failed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.usable(time.Now()) {
		return nil
	}
	return p.failure
}

// look returns credentials, or what to wait for, or why there is nothing to wait for.
func (p *Pushed) look(now time.Time) (value aws.Credentials, wait <-chan struct{}, err error) {
	p.mu.Lock()
	ask := false
	switch {
	case p.closed:
		err = errClosed
	case p.usable(now):
		value = p.value
		ask = p.value.CanExpire && now.Add(renewBefore).After(p.value.Expires)
	default:
		ask = true
		wait = p.answered
	}
	if ask && now.Sub(p.asked) < askInterval {
		ask = false
		if wait != nil && p.failure != nil { // the answer is there already, and it was no
			wait, err = nil, p.failure
		}
	}
	if ask {
		p.asked = now
		p.failure = nil // what it says next counts
	}
	p.mu.Unlock()
	if ask {
		p.want()
	}
	return value, wait, err
}

// Close forgets the credentials; whoever waits gets an error.
func (p *Pushed) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed, p.value, p.failure = true, aws.Credentials{}, nil
		close(p.answered)
	}
}
