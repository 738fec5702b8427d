// SPDX-License-Identifier: Apache-2.0

// Package dynamodb keeps the key rows in an Amazon DynamoDB table, in the items that every Asherah shares.
//
// It uses the AWS SDK for Go directly and not the official plug-in (appencryption v0.9.0, plugins/aws-v2/dynamodb), which is
// the reference for the items: the plug-in reports a row that is there already as (false, error), like any failure, can't tell
// its own row from another's after an answer was lost, leaves retries and the time of an attempt to the SDK (a connection that
// hangs uses up the caller's whole deadline), signs in the region of the endpoint only, and brings two more modules of the SDK
// and a metrics registry.
package dynamodb

import (
	"bytes"
	"context"
	"errors"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"asherah-napi/cloud/awsconfig"
	"asherah-napi/fault"
	"asherah-napi/record"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// DefaultTable is the name that every Asherah uses.
const DefaultTable = "EncryptionKey"

// maxID is DynamoDB's limit for a partition key, in bytes of UTF-8
// (docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html).
const maxID = 2048

// maxBackoff bounds the pause before the SDK tries again; its own 20 s would outlive any deadline. The number of attempts is
// the SDK's (3) or that of AWS_MAX_ATTEMPTS.
const maxBackoff = 500 * time.Millisecond

// Config says which table. All may be "".
type Config struct {
	Table         string // default DefaultTable
	Region        string // default that of the Source: AWS_REGION, AWS_DEFAULT_REGION, the profile's
	SigningRegion string // the region in the signature, where it differs from Region
	Endpoint      string // a URL in place of the region's own endpoint
}

// Store is a metastore.Metastore, check.Verifier and check.SchemaCreator.
type Store struct {
	client *dynamodb.Client
	aws    aws.Config
	table  string
	name   string // for messages
	closed atomic.Bool
}

// New checks the configuration and resolves the region. It asks no server. Errors are fault.InvalidConfig.
func New(config Config, source awsconfig.Source) (*Store, error) {
	if config.Endpoint != "" {
		if u, err := url.Parse(config.Endpoint); err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil {
			return nil, fault.New(fault.InvalidConfig, `config.dynamoDbEndpoint: expected a URL like "https://dynamodb.us-west-2.amazonaws.com", without user and password, got something else.`)
		}
	}
	cfg, err := awsconfig.Load(context.Background(), source, config.Region)
	if err != nil {
		return nil, err
	}
	s := &Store{aws: cfg, table: config.Table}
	if s.table == "" {
		s.table = DefaultTable
	}
	s.client = dynamodb.NewFromConfig(cfg, func(o *dynamodb.Options) {
		if config.Endpoint != "" {
			o.BaseEndpoint = aws.String(config.Endpoint)
		}
		if config.SigningRegion != "" {
			o.AuthSchemeResolver = signedIn{config.SigningRegion, o.AuthSchemeResolver}
		}
		o.Retryer = retry.AddWithMaxBackoffDelay(o.Retryer, maxBackoff)
		o.APIOptions = append(o.APIOptions, addAttempts)
	})
	host, err := s.host()
	if err != nil {
		return nil, fault.Wrap(fault.InvalidConfig, err, "config.dynamoDbRegion: expected a region of AWS, got %q", cfg.Region)
	}
	s.name = "metastore dynamodb: table " + s.table + " in " + cfg.Region + " (" + host + "): "
	return s, nil
}

// Region is the one that the configuration or the Source names, which a region suffix is made of.
func (s *Store) Region() string { return s.aws.Region }

// host is where requests go, for messages.
func (s *Store) host() (string, error) {
	o := s.client.Options()
	e, err := o.EndpointResolverV2.ResolveEndpoint(context.Background(), dynamodb.EndpointParameters{
		Region:       aws.String(o.Region),
		Endpoint:     o.BaseEndpoint,
		UseFIPS:      aws.Bool(o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled),
		UseDualStack: aws.Bool(o.EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled),
	})
	return e.URI.Host, err
}

// signedIn has requests signed for another region than that of the endpoint.
type signedIn struct {
	region string
	dynamodb.AuthSchemeResolver
}

func (s signedIn) ResolveAuthSchemes(ctx context.Context, params *dynamodb.AuthResolverParameters) ([]*authOption, error) {
	there := *params
	there.Region = s.region
	return s.AuthSchemeResolver.ResolveAuthSchemes(ctx, &there)
}

// Close closes idle connections. Later calls fail with fault.Closed.
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		awsconfig.Close(s.aws)
	}
	return nil
}

// ready refuses what must not reach the server.
func (s *Store) ready(id string) error {
	if s.closed.Load() {
		return fault.New(fault.Closed, "%sit is closed.", s.name)
	}
	if len(id) > maxID {
		return fault.New(fault.Metastore, "%sthe key id %.40q… is too long: %d bytes, of which DynamoDB allows %d. Use a shorter partition, service or product name.", s.name, id, len(id), maxID)
	}
	return nil
}

// Load reads one item, strongly consistent.
func (s *Store) Load(ctx context.Context, id string, created int64) (*record.KeyRecord, error) {
	if err := s.ready(id); err != nil {
		return nil, err
	}
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{
		TableName:            &s.table,
		Key:                  primaryKey(id, created),
		ConsistentRead:       aws.Bool(true),
		ProjectionExpression: aws.String(attributeID + ", " + attributeRecord),
	})
	if err != nil {
		return nil, s.fail(ctx, "read a key", err)
	}
	if len(out.Item) == 0 {
		return nil, nil
	}
	return s.decode(id, out.Item)
}

// LoadLatest reads the item with the greatest created date, strongly consistent.
func (s *Store) LoadLatest(ctx context.Context, id string) (*record.KeyRecord, error) {
	if err := s.ready(id); err != nil {
		return nil, err
	}
	out, err := s.client.Query(ctx, s.latest(id))
	if err != nil {
		return nil, s.fail(ctx, "read the latest key", err)
	}
	if len(out.Items) == 0 {
		return nil, nil
	}
	return s.decode(id, out.Items[0])
}

func (s *Store) latest(id string) *dynamodb.QueryInput {
	return &dynamodb.QueryInput{
		TableName:                 &s.table,
		KeyConditionExpression:    aws.String(attributeID + " = :id"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":id": &types.AttributeValueMemberS{Value: id}},
		ScanIndexForward:          aws.Bool(false),
		Limit:                     aws.Int32(1),
		ConsistentRead:            aws.Bool(true),
		ProjectionExpression:      aws.String(attributeID + ", " + attributeRecord),
	}
}

// Store puts the item if there is none of this id and date.
func (s *Store) Store(ctx context.Context, id string, created int64, key *record.KeyRecord) (bool, error) {
	if err := s.ready(id); err != nil {
		return false, err
	}
	item := primaryKey(id, created)
	item[attributeRecord] = encode(key)
	attempts := 0
	_, err := s.client.PutItem(counting(ctx, &attempts), &dynamodb.PutItemInput{
		TableName: &s.table,
		Item:      item,
		// of the item with this whole primary key, of which Id is a part
		ConditionExpression:                 aws.String("attribute_not_exists(" + attributeID + ")"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	})
	if err == nil {
		return true, nil
	}
	var exists *types.ConditionalCheckFailedException
	if !errors.As(err, &exists) {
		return false, s.fail(ctx, "store a key", err)
	}
	if attempts < 2 {
		return false, nil
	}
	// An attempt before this one may have stored the row, and only its answer was lost. Keys are sealed under a random nonce,
	// so nobody else's row has these bytes.
	var there *record.KeyRecord
	if len(exists.Item) > 0 {
		there, err = s.decode(id, exists.Item)
	} else { // an emulator that doesn't return it
		there, err = s.Load(ctx, id, created)
	}
	if err != nil {
		return false, err
	}
	return there != nil && bytes.Equal(record.AppendKeyRecord(nil, there), record.AppendKeyRecord(nil, key)), nil
}

func primaryKey(id string, created int64) map[string]types.AttributeValue {
	return map[string]types.AttributeValue{
		attributeID:      &types.AttributeValueMemberS{Value: id},
		attributeCreated: &types.AttributeValueMemberN{Value: strconv.FormatInt(created, 10)},
	}
}
