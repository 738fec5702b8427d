// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"context"
	"testing"
)

// A turn that comes at the moment when its call is cancelled must not be lost: a line without turns stands still.
func TestTurnOfACancelledCallIsGivenOn(t *testing.T) {
	const env = 1 << 60
	defer turns.closeEnv(env)
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for range 1000 { // which of the two is seen first is chance
		own := turns.join(cancelled, env)
		if own.await() == nil {
			turns.end(env)
		}
	}
	if taken := turns.byEnv[env].taken; taken != 0 {
		t.Fatalf("%d turns are lost", taken)
	}
}
