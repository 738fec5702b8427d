// SPDX-License-Identifier: Apache-2.0

package dynamodb

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"asherah-napi/check"
	"asherah-napi/cloud/awsconfig"
	"asherah-napi/fault"
	"asherah-napi/metastore"
	"asherah-napi/metastore/metastoretest"
	"asherah-napi/record"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const minute int64 = 1_795_362_660

var ctx = context.Background()

func source(t *testing.T) awsconfig.Source {
	empty := t.TempDir() + "/empty"
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return awsconfig.Source{Environment: map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIDtest", "AWS_SECRET_ACCESS_KEY": "hunter2secret", "AWS_SESSION_TOKEN": "hunter2token",
		"AWS_CONFIG_FILE": empty, "AWS_SHARED_CREDENTIALS_FILE": empty, "AWS_EC2_METADATA_DISABLED": "true",
	}}
}

func open(t *testing.T, endpoint string, change ...func(*Config)) *Store {
	t.Helper()
	config := Config{Table: "T" + rand.Text(), Region: "us-west-2", Endpoint: endpoint}
	for _, c := range change {
		c(&config)
	}
	s, err := New(config, source(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// server is DynamoDB Local, or what else ASHERAH_TEST_DYNAMODB names.
func server(t *testing.T) string {
	t.Helper()
	endpoint := os.Getenv("ASHERAH_TEST_DYNAMODB")
	if endpoint == "" {
		if os.Getenv("ASHERAH_TEST_REQUIRE") == "1" {
			t.Fatal("ASHERAH_TEST_DYNAMODB is not set")
		}
		t.Skip("no DynamoDB: node scripts/services.mjs run -- COMMAND starts one")
	}
	return endpoint
}

// withTable opens a store whose table was made by CreateSchema.
func withTable(t *testing.T) *Store {
	t.Helper()
	s := open(t, server(t))
	if created, err := s.CreateSchema(ctx); err != nil || !created {
		t.Fatal(created, err)
	}
	return s
}

func mustFail(t *testing.T, err error, code fault.Code, parts ...string) {
	t.Helper()
	if err == nil || fault.CodeOf(err) != code {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in: %s", part, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a secret is in: %s", err)
	}
}

func TestConformance(t *testing.T) {
	tooLong := func(id string, _ int64) bool { return len(id) > maxID }
	metastoretest.RunWithin(t, tooLong, func(t *testing.T) metastore.Metastore { return withTable(t) })
}

// put writes an item as another library or an operator would.
func put(t *testing.T, s *Store, item attributes) {
	t.Helper()
	if _, err := s.client.PutItem(ctx, &dynamodb.PutItemInput{TableName: &s.table, Item: item}); err != nil {
		t.Fatal(err)
	}
}

func TestItemsAreThoseOfTheOtherLibraries(t *testing.T) {
	s := withTable(t)
	key := &record.KeyRecord{Created: minute, Key: []byte{1, 2, 3}, ParentKeyMeta: &record.KeyMeta{ID: "_SK_a_b", Created: minute - 60}}
	if stored, err := s.Store(ctx, "_IK_p_a_b", minute, key); err != nil || !stored {
		t.Fatal(stored, err)
	}
	out, err := s.client.GetItem(ctx, &dynamodb.GetItemInput{TableName: &s.table, Key: primaryKey("_IK_p_a_b", minute)})
	if err != nil {
		t.Fatal(err)
	}
	m := func(v attributes) *types.AttributeValueMemberM { return &types.AttributeValueMemberM{Value: v} }
	str := func(v string) *types.AttributeValueMemberS { return &types.AttributeValueMemberS{Value: v} }
	num := func(v string) *types.AttributeValueMemberN { return &types.AttributeValueMemberN{Value: v} }
	want := attributes{
		"Id": str("_IK_p_a_b"), "Created": num("1795362660"),
		"KeyRecord": m(attributes{
			"Created": num("1795362660"), "Key": str("AQID"),
			"ParentKeyMeta": m(attributes{"KeyId": str("_SK_a_b"), "Created": num("1795362600")}),
		}),
	}
	if !reflect.DeepEqual(out.Item, want) {
		t.Errorf("got %v, want %v", out.Item, want)
	}

	// as Java writes it, with more than anybody asked for, and beside the Rust library's own row
	put(t, s, attributes{"Id": str("__asherah_internal_config_drift_guard_v1__:x"), "Created": num("946684800"), "Note": str("x")})
	put(t, s, attributes{"Id": str("java"), "Created": num("60"), "Expires": num("5"), "KeyRecord": m(attributes{
		"Revoked": &types.AttributeValueMemberBOOL{Value: false}, "ParentKeyMeta": &types.AttributeValueMemberNULL{Value: true},
		"Key": str("AQID"), "Created": num("60"), "More": m(attributes{}),
	})})
	// revoked by hand, in small letters
	put(t, s, attributes{"Id": str("revoked"), "Created": num("60"), "KeyRecord": m(attributes{
		"created": num("60"), "key": str("AQID"), "revoked": &types.AttributeValueMemberBOOL{Value: true},
	})})
	for id, revoked := range map[string]bool{"java": false, "revoked": true} {
		want := &record.KeyRecord{Created: 60, Key: []byte{1, 2, 3}, Revoked: revoked}
		for _, load := range []func() (*record.KeyRecord, error){
			func() (*record.KeyRecord, error) { return s.Load(ctx, id, 60) },
			func() (*record.KeyRecord, error) { return s.LoadLatest(ctx, id) },
		} {
			if got, err := load(); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %v, %v", id, got, err)
			}
		}
	}
}

func TestADamagedItemIsAnErrorAndNeverAnUnrevokedOrMissingKey(t *testing.T) {
	s := withTable(t)
	str := func(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
	one := &types.AttributeValueMemberN{Value: "1"}
	for why, rec := range map[string]types.AttributeValue{
		"KeyRecord is no map":                nil,
		"Key is no string":                   &types.AttributeValueMemberM{Value: attributes{"Created": one}},
		"Key is not base64":                  &types.AttributeValueMemberM{Value: attributes{"Created": one, "Key": str("hunter2!")}},
		"Created is no whole":                &types.AttributeValueMemberM{Value: attributes{"Created": &types.AttributeValueMemberN{Value: "1.5"}, "Key": str("")}},
		"Revoked is no boolean":              &types.AttributeValueMemberM{Value: attributes{"Created": one, "Key": str("AQID"), "Revoked": str("true")}},
		"ParentKeyMeta is no map":            &types.AttributeValueMemberM{Value: attributes{"Created": one, "Key": str("AQID"), "ParentKeyMeta": one}},
		"ParentKeyMeta.KeyId is no string":   &types.AttributeValueMemberM{Value: attributes{"Created": one, "Key": str("AQID"), "ParentKeyMeta": &types.AttributeValueMemberM{Value: attributes{}}}},
		"ParentKeyMeta.Created is no number": &types.AttributeValueMemberM{Value: attributes{"Created": one, "Key": str("AQID"), "ParentKeyMeta": &types.AttributeValueMemberM{Value: attributes{"KeyId": str("x")}}}},
	} {
		item := primaryKey(why, 1)
		if rec != nil {
			item[attributeRecord] = rec
		}
		put(t, s, item)
		_, err := s.Load(ctx, why, 1)
		mustFail(t, err, fault.InvalidKeyRecord, why)
		_, err = s.LoadLatest(ctx, why)
		mustFail(t, err, fault.InvalidKeyRecord, why, s.table)
	}
}

// The answer to the first attempt is lost on its way back from a real server.
func TestOurOwnRowAndTableAreKnownAgainAfterTheAnswerWasLost(t *testing.T) {
	s := withTable(t)
	upstream, err := url.Parse(server(t))
	if err != nil {
		t.Fatal(err)
	}
	var puts atomic.Int32 // requests that write
	relay := httputil.NewSingleHostReverseProxy(upstream)
	lossy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target := r.Header.Get("X-Amz-Target")
		if (strings.HasSuffix(target, ".PutItem") || strings.HasSuffix(target, ".CreateTable")) && puts.Add(1) == 1 {
			relay.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // closes the connection without an answer
		}
		relay.ServeHTTP(w, r)
	}))
	defer lossy.Close()
	through := open(t, lossy.URL, func(c *Config) { c.Table = s.table })
	mine := &record.KeyRecord{Created: minute, Key: []byte("mine")}
	if stored, err := through.Store(ctx, "k", minute, mine); err != nil || !stored || puts.Load() != 2 {
		t.Fatal(stored, err, puts.Load())
	}
	puts.Store(0)
	if stored, err := through.Store(ctx, "k", minute, &record.KeyRecord{Created: minute, Key: []byte("other")}); err != nil || stored || puts.Load() != 2 {
		t.Fatal(stored, err, puts.Load())
	}
	if got, err := s.Load(ctx, "k", minute); err != nil || string(got.Key) != "mine" {
		t.Fatal(got, err)
	}

	puts.Store(0)
	if created, err := open(t, lossy.URL).CreateSchema(ctx); err != nil || !created || puts.Load() != 2 {
		t.Fatal(created, err, puts.Load())
	}
}

func TestCreateSchemaLeavesATableAlone(t *testing.T) {
	s := withTable(t)
	if _, err := s.Store(ctx, "k", minute, &record.KeyRecord{Created: minute}); err != nil {
		t.Fatal(err)
	}
	if created, err := s.CreateSchema(ctx); err != nil || created {
		t.Fatal(created, err)
	}
	if got, err := s.Load(ctx, "k", minute); err != nil || got == nil {
		t.Fatal(got, err)
	}
}

func statuses(results []check.Result) (all string) {
	for _, r := range results {
		all += r.Name + ": " + string(r.Status) + "; "
	}
	return all
}

func TestVerifySaysWhatIsWrong(t *testing.T) {
	s := withTable(t)
	if got := statuses(s.Verify(ctx)); got != "metastore connection: ok; metastore table: ok; metastore clock: ok; " {
		t.Error(got, s.Verify(ctx))
	}
	missing := open(t, server(t))
	results := missing.Verify(ctx)
	if got := statuses(results); got != "metastore connection: failure; " || !strings.Contains(results[0].Message, "createSchema()") {
		t.Error(got, results)
	}
	// right names, wrong type: reads of it fail, so it never gets as far as the check of the table
	other := open(t, server(t))
	if _, err := other.client.CreateTable(ctx, &dynamodb.CreateTableInput{
		TableName: &other.table, BillingMode: types.BillingModePayPerRequest,
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("Id"), AttributeType: "S"}},
		KeySchema:            []types.KeySchemaElement{{AttributeName: aws.String("Id"), KeyType: "HASH"}},
	}); err != nil {
		t.Fatal(err)
	}
	results = other.Verify(ctx)
	if got := statuses(results); got != "metastore connection: failure; " || !strings.Contains(results[0].Message, "range key Created (N)") {
		t.Error(got, results)
	}
	if status, message := other.inspect(ctx); status != check.Failure || !strings.Contains(message, "HASH Id S, not HASH Id S, RANGE Created N") {
		t.Error(status, message)
	}
}

func TestNothingReachesTheServerThatItWouldMisread(t *testing.T) {
	s := open(t, "http://127.0.0.1:1")
	_, err := s.Store(ctx, strings.Repeat("é", 1025), minute, &record.KeyRecord{})
	mustFail(t, err, fault.Metastore, "2050 bytes", "2048")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = s.Load(ctx, "k", minute)
	mustFail(t, err, fault.Closed)
	began := time.Now()
	_, err = open(t, "http://127.0.0.1:1").Load(ctx, "k", minute)
	mustFail(t, err, fault.Metastore, "connection refused", "us-west-2", "127.0.0.1:1")
	if took := time.Since(began); took > 5*time.Second {
		t.Error(took)
	}
}

func TestAKeyIsRevokedAsTheDocumentSays(t *testing.T) {
	document, err := os.ReadFile("../../../docs/metastores.md")
	if err != nil {
		t.Fatal(err)
	}
	find := func(option string) *string {
		found := regexp.MustCompile(option + ` '(.*?)'`).FindSubmatch(document)
		if found == nil {
			t.Fatal("docs/metastores.md has no ", option)
		}
		return aws.String(string(found[1]))
	}
	s := withTable(t)
	if _, err := s.Store(ctx, "k", minute, &record.KeyRecord{Created: minute, Key: []byte{1}}); err != nil {
		t.Fatal(err)
	}
	revoke := func(id string) error {
		_, err := s.client.UpdateItem(ctx, &dynamodb.UpdateItemInput{
			TableName: &s.table, Key: primaryKey(id, minute),
			UpdateExpression: find("--update-expression"), ConditionExpression: find("--condition-expression"),
			ExpressionAttributeValues: attributes{":true": &types.AttributeValueMemberBOOL{Value: true}},
		})
		return err
	}
	if err := revoke("k"); err != nil {
		t.Fatal(err)
	}
	if got, err := s.LoadLatest(ctx, "k"); err != nil || !got.Revoked {
		t.Fatal(got, err)
	}
	if err := revoke("no such key"); err == nil {
		t.Fatal("it made an item")
	}
}
