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

// fail makes the error of a call: which table, what was tried, why it failed and what to do. The cause stays in the chain.
func (s *Store) fail(ctx context.Context, tried string, err error) error {
	code, why := explain(err)
	if ctx.Err() != nil {
		// what the SDK says of a cancelled request is not in all cases what the context says
		err = errors.Join(ctx.Err(), err)
		why = "no answer before the deadline"
		if errors.Is(ctx.Err(), context.Canceled) {
			why = "cancelled"
		}
	}
	return &fault.Error{Code: code, Message: fmt.Sprintf("%scan't %s: %s", s.name, tried, why), Cause: err}
}

// explain finds the code, and the server's or the network's own words without the SDK's history of the call.
func explain(err error) (fault.Code, string) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return fault.Metastore, network(err)
	}
	why := api.ErrorCode()
	if m := api.ErrorMessage(); m != "" {
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
	case "InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignatureException":
		// the server's words may quote the request, with a session token in its headers
		return fault.Metastore, api.ErrorCode() + ": the signature is not the one expected. Check the secret access key, the signing region and the clock."
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
		return err.Error()
	}
}
