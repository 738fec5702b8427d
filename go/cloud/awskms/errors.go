// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"asherah-napi/fault"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// regionError is why one region is of no help.
type regionError struct {
	region *region
	err    error
}

type failures []regionError

func (f failures) of(r *region) error {
	for _, e := range f {
		if e.region == r {
			return e.err
		}
	}
	return nil
}

func (f *failures) set(r *region, err error) {
	for i := range *f {
		if (*f)[i].region == r {
			(*f)[i].err = err
			return
		}
	}
	*f = append(*f, regionError{r, err})
}

// failure names every region and its cause.
func failure(failed failures) error {
	var texts []string
	var causes []error
	for _, f := range failed {
		cause := describe(f.err)
		texts = append(texts, "kms "+f.region.name+": "+cause.Error())
		causes = append(causes, cause)
	}
	return &fault.Error{Code: fault.KMS, Message: strings.Join(texts, "; "), Cause: errors.Join(causes...)}
}

var errLate = errors.New("no answer in time")

func late(patience time.Duration) error {
	return fmt.Errorf("%w, within %v", errLate, patience.Round(time.Millisecond))
}

// described is an error in words for people. What it was is left out of the chain, apart from the end of a context: the
// SDK's errors hold requests and answers.
type described struct {
	text  string
	cause error
}

func (d *described) Error() string { return d.text }
func (d *described) Unwrap() error { return d.cause }

// describe says what was wrong, without what the SDK says around it.
func describe(err error) error {
	var api smithy.APIError
	var response *awshttp.ResponseError
	var network *net.OpError
	var unanswered *url.Error
	switch d := (*described)(nil); {
	case errors.As(err, &d):
		return d
	case errors.Is(err, errLate):
		return &described{err.Error(), errLate}
	case errors.As(err, &api) && api.ErrorCode() != "UnknownError": // the SDK's word for an answer without a code
		return &described{oneLine(api.ErrorCode() + ": " + api.ErrorMessage()), nil}
	case errors.Is(err, context.DeadlineExceeded):
		return &described{"no answer before the deadline of the call", context.DeadlineExceeded}
	case errors.Is(err, context.Canceled):
		return &described{"the call was cancelled", context.Canceled}
	case errors.As(err, &network):
		return &described{oneLine(network.Error()), nil}
	case errors.As(err, &unanswered): // a connection that ended without an answer, or a certificate
		return &described{oneLine("the request got no answer: " + unanswered.Err.Error()), nil}
	case errors.As(err, &response):
		return &described{fmt.Sprintf("HTTP status %d that is no answer of AWS KMS", response.HTTPStatusCode()), nil}
	default:
		return &described{oneLine(err.Error()), nil}
	}
}

// oneLine cuts a message short. Those about wrong signatures go on with the whole request in further lines, the session
// token included.
func oneLine(message string) string {
	message, _, _ = strings.Cut(message, "\n")
	message, _, _ = strings.Cut(message, "The Canonical String")
	const most = 400
	if len(message) > most {
		message = strings.ToValidUTF8(message[:most], "") + "..."
	}
	return strings.TrimSpace(message)
}
