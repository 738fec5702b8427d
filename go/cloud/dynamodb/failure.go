// SPDX-License-Identifier: Apache-2.0

package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"asherah-napi/fault"

	"github.com/aws/smithy-go"
)

// said is the SDK's error in words. The error itself stays out of the chain: it holds requests and answers.
type said struct {
	text string
	end  error // of the context, if that is why
}

func (s *said) Error() string { return s.text }
func (s *said) Unwrap() error { return s.end }

// oneLine leaves out what a server says in further lines: about a wrong signature, that is the whole request, the session
// token included.
func oneLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text, _, _ = strings.Cut(text, "The Canonical String")
	return strings.TrimSpace(text)
}

// fail makes the error of a call: which table, what was tried, why it failed and what to do. The SDK's words are its cause.
func (s *Store) fail(ctx context.Context, tried string, err error) error {
	code, why := explain(err)
	if ctx.Err() != nil {
		why = "no answer before the deadline"
		if errors.Is(ctx.Err(), context.Canceled) {
			why = "cancelled"
		}
	}
	return &fault.Error{Code: code, Message: fmt.Sprintf("%scan't %s: %s", s.name, tried, why), Cause: &said{words(err), ctx.Err()}}
}

// words are the SDK's, with its history of the call.
func words(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) && isAboutSignature(api) {
		return api.ErrorCode()
	}
	return oneLine(err.Error())
}

func isAboutSignature(api smithy.APIError) bool {
	switch api.ErrorCode() {
	case "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException":
		return true
	}
	return false
}

// explain finds the code, and the server's or the network's own words without the SDK's history of the call.
func explain(err error) (fault.Code, string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fault.Metastore, network(err)
	}
	why := api.ErrorCode()
	if isAboutSignature(api) {
		// the server's words may quote the request, with a session token in its headers
		return fault.Metastore, why + ": the signature is not the one expected. Check the secret access key, the signing region and the clock."
	}
	if m := oneLine(api.ErrorMessage()); m != "" {
		why += ": " + strings.TrimRight(m, ". ")
	}
	switch api.ErrorCode() {
	case "ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "LimitExceededException":
		return fault.MetastoreBusy, why + ". Try again; if it stays, raise the table's capacity or use on-demand capacity."
	case "ResourceNotFoundException":
		return fault.Metastore, "there is no such table. Check table name, region and endpoint; createSchema() makes the table, or see docs/metastores.md."
	case "ResourceInUseException":
		return fault.MetastoreBusy, "the table is being made or deleted. Try again when it is ACTIVE."
	case "AccessDeniedException":
		return fault.Metastore, why + ". Allow dynamodb:GetItem, dynamodb:Query and dynamodb:PutItem on the table."
	case "UnrecognizedClientException", "InvalidClientTokenId", "ExpiredTokenException", "MissingAuthenticationTokenException":
		return fault.Metastore, why + ". Check the AWS credentials."
	case "ValidationException":
		return fault.Metastore, why + ". If it is about the key: the table needs the hash key Id (S) and the range key Created (N)."
	default:
		return fault.Metastore, why
	}
}

// network gives the words of the innermost cause that says something: "dial tcp 127.0.0.1:1: connect: connection refused".
func network(err error) string {
	var silent silentError
	var request *url.Error
	switch {
	case errors.As(err, &silent):
		return silent.Error()
	case errors.As(err, &request):
		return request.Err.Error()
	default:
		return oneLine(err.Error())
	}
}
