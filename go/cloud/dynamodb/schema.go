// SPDX-License-Identifier: Apache-2.0

package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"asherah-napi/check"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

// maxSkew is how far this clock may be from the server's: keys are dated by the minute. AWS itself refuses 5 minutes.
const maxSkew = time.Minute

// schemaWait bounds CreateSchema where the caller's context has no deadline.
const schemaWait = 2 * time.Minute

// CreateSchema makes the table, with on-demand capacity, and waits until it can be used.
func (s *Store) CreateSchema(ctx context.Context) (bool, error) {
	if err := s.ready(""); err != nil {
		return false, err
	}
	// Asked first, because a table may be there after an attempt whose answer was lost, too.
	_, err := s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
	var missing *types.ResourceNotFoundException
	if err == nil {
		return false, nil
	} else if !errors.As(err, &missing) {
		return false, s.fail(ctx, "look for the table", err)
	}
	attempts := 0
	_, err = s.client.CreateTable(counting(ctx, &attempts), &dynamodb.CreateTableInput{
		TableName:   &s.table,
		BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{
			{AttributeName: aws.String(attributeID), AttributeType: types.ScalarAttributeTypeS},
			{AttributeName: aws.String(attributeCreated), AttributeType: types.ScalarAttributeTypeN},
		},
		KeySchema: []types.KeySchemaElement{
			{AttributeName: aws.String(attributeID), KeyType: types.KeyTypeHash},
			{AttributeName: aws.String(attributeCreated), KeyType: types.KeyTypeRange},
		},
	})
	var exists *types.ResourceInUseException
	if err != nil && !errors.As(err, &exists) {
		return false, s.fail(ctx, "create the table", err)
	}
	wait := schemaWait
	if deadline, ok := ctx.Deadline(); ok {
		wait = time.Until(deadline)
	}
	waiter := dynamodb.NewTableExistsWaiter(s.client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = 100*time.Millisecond, 2*time.Second
	})
	if err := waiter.Wait(ctx, &dynamodb.DescribeTableInput{TableName: &s.table}, wait); err != nil {
		return false, s.fail(ctx, "wait until the new table is ACTIVE", err)
	}
	return exists == nil || attempts > 1, nil // else another process was faster
}

// Verify reads a row that can't exist, looks at the table and compares the clocks.
func (s *Store) Verify(ctx context.Context) []check.Result {
	const none = "asherah-verify" // no key id starts so
	var err error
	var skew time.Duration
	connection := check.Timed("metastore connection", func() (check.Status, string) {
		var data middleware.Metadata
		if data, err = s.read(ctx, none); err != nil {
			return check.Failure, err.Error()
		}
		skew, _ = awsmiddleware.GetAttemptSkew(data)
		return check.OK, strings.TrimSuffix(s.name, ": ") + " can be read; writing was not tried"
	})
	if err != nil {
		return []check.Result{connection}
	}
	return []check.Result{
		connection,
		check.Timed("metastore table", func() (check.Status, string) { return s.inspect(ctx) }),
		check.Timed("metastore clock", func() (check.Status, string) {
			if skew.Abs() > maxSkew {
				return check.Warning, fmt.Sprintf("the clocks of this machine and the server are %s apart. Keys of machines whose clocks differ expire at different times; set this one by NTP", skew.Abs().Round(time.Second))
			}
			return check.OK, "the clocks of this machine and the server agree to " + maxSkew.String()
		}),
	}
}

// read does what Load and LoadLatest do, whose permissions are granted apart.
func (s *Store) read(ctx context.Context, id string) (data middleware.Metadata, err error) {
	if _, err = s.Load(ctx, id, 0); err != nil {
		return data, err
	}
	out, err := s.client.Query(ctx, s.latest(id))
	if err != nil {
		return data, s.fail(ctx, "read the latest key", err)
	}
	return out.ResultMetadata, nil
}

func (s *Store) inspect(ctx context.Context) (check.Status, string) {
	out, err := s.client.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &s.table})
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "AccessDeniedException" {
		return check.Warning, s.name + "not looked at: dynamodb:DescribeTable is not allowed, which only this check needs"
	}
	if err != nil {
		return check.Failure, s.fail(ctx, "look at the table", err).Error()
	}
	if problem := keyProblem(out.Table); problem != nil {
		return check.Failure, s.name + problem.Error()
	}
	status := out.Table.TableStatus
	if status != types.TableStatusActive && status != types.TableStatusUpdating {
		return check.Failure, fmt.Sprintf("%sits status is %s, so it can't be used", s.name, status)
	}
	capacity := "provisioned capacity"
	if b := out.Table.BillingModeSummary; b != nil && b.BillingMode == types.BillingModePayPerRequest {
		capacity = "on-demand capacity"
	}
	message := fmt.Sprintf("status %s, %s", status, capacity)
	if n := len(out.Table.Replicas); n > 0 {
		message += fmt.Sprintf("; a global table of %d more regions: writers in several regions need enableRegionSuffix", n)
	}
	return check.OK, message
}

// keyProblem says why rows could not be found or kept apart in this table.
func keyProblem(t *types.TableDescription) error {
	kinds := map[string]string{}
	for _, a := range t.AttributeDefinitions {
		kinds[aws.ToString(a.AttributeName)] = string(a.AttributeType)
	}
	var found []string
	for _, k := range t.KeySchema {
		name := aws.ToString(k.AttributeName)
		found = append(found, fmt.Sprintf("%s %s %s", k.KeyType, name, kinds[name]))
	}
	const want = "HASH Id S, RANGE Created N"
	if got := strings.Join(found, ", "); got != want {
		return fmt.Errorf("its key is %s, not %s, so it was made for something else: use another table, or createSchema() for a new one", got, want)
	}
	return nil
}
