// SPDX-License-Identifier: Apache-2.0

package dynamodb

import (
	"context"
	"errors"
	"time"

	smithyauth "github.com/aws/smithy-go/auth"
	"github.com/aws/smithy-go/middleware"
)

type authOption = smithyauth.Option

// attemptTimeout is how long one attempt may take, from connecting (credentials are there) to the whole answer: DynamoDB answers within milliseconds,
// so a connection that is silent for so long is dead, and the next attempt takes another one. Without it the first call on a
// half-open connection would wait for its whole deadline.
const attemptTimeout = 1500 * time.Millisecond

type counterKey struct{}

// counting has the attempts of a call counted.
func counting(ctx context.Context, attempts *int) context.Context {
	return context.WithValue(ctx, counterKey{}, attempts)
}

// silentError says to the SDK's retryer what a cancelled context would hide from it: that this is worth another attempt.
type silentError struct{}

func (silentError) Error() string        { return "no answer within " + attemptTimeout.String() }
func (silentError) RetryableError() bool { return true }

// addAttempts puts a limit on each attempt, inside the SDK's own retrying. Getting credentials comes before and is not part of
// it: a server of tokens, or a person's function, may be slow.
func addAttempts(stack *middleware.Stack) error {
	limit := func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (out middleware.FinalizeOutput, data middleware.Metadata, err error) {
		if attempts, ok := ctx.Value(counterKey{}).(*int); ok {
			*attempts++ // the attempts of a call follow one another
		}
		limited, cancel := context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
		out, data, err = next.HandleFinalize(limited, in)
		if err != nil && ctx.Err() == nil && errors.Is(limited.Err(), context.DeadlineExceeded) {
			err = silentError{}
		}
		return out, data, err
	}
	return stack.Finalize.Insert(middleware.FinalizeMiddlewareFunc("AsherahAttempt", limit), "Signing", middleware.After)
}
