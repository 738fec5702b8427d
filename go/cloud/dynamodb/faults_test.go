// SPDX-License-Identifier: Apache-2.0

package dynamodb

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"asherah-napi/check"
	"asherah-napi/cloud/awsconfig"
	"asherah-napi/fault"
	"asherah-napi/record"
)

// request is what the store sent: its operation and its body.
type request struct {
	*http.Request
	operation string
	body      map[string]any
	number    int // from 1
}

// answering is a server that answers as a test wants. handle runs for one request at a time or more.
func answering(t *testing.T, handle func(w http.ResponseWriter, r request)) (endpoint string, requests *atomic.Int32) {
	requests = &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := io.ReadAll(r.Body)
		var body map[string]any
		_ = json.Unmarshal(raw, &body)
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		w.Header().Set("Content-Type", "application/x-amz-json-1.0")
		handle(w, request{r, operation, body, int(requests.Add(1))})
	}))
	t.Cleanup(s.Close)
	return s.URL, requests
}

func refuse(w http.ResponseWriter, status int, kind, message string, more ...string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"__type":"com.amazonaws.dynamodb.v20120810#%s","message":%q%s}`, kind, message, strings.Join(more, ""))
}

// hang keeps a request until its client gives up.
func hang(r request) { <-r.Context().Done() }

func TestAServerThatHangsEndsWithTheDeadline(t *testing.T) {
	endpoint, _ := answering(t, func(_ http.ResponseWriter, r request) { hang(r) })
	s := open(t, endpoint)
	for name, call := range map[string]func(context.Context) error{
		"Load":         func(c context.Context) error { _, err := s.Load(c, "k", minute); return err },
		"LoadLatest":   func(c context.Context) error { _, err := s.LoadLatest(c, "k"); return err },
		"Store":        func(c context.Context) error { _, err := s.Store(c, "k", minute, &record.KeyRecord{}); return err },
		"CreateSchema": func(c context.Context) error { _, err := s.CreateSchema(c); return err },
	} {
		limited, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
		began := time.Now()
		err := call(limited)
		cancel()
		mustFail(t, err, fault.Metastore, "no answer before the deadline", s.table, "us-west-2", "127.0.0.1")
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 2*time.Second {
			t.Error(name, time.Since(began), err)
		}
	}
}

func TestADeadConnectionCostsOneAttemptAndNotTheCall(t *testing.T) {
	endpoint, requests := answering(t, func(w http.ResponseWriter, r request) {
		if r.number == 1 {
			hang(r)
		}
		fmt.Fprint(w, `{}`)
	})
	limited, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	if got, err := open(t, endpoint).Load(limited, "k", minute); got != nil || err != nil || requests.Load() != 2 {
		t.Fatal(got, err, requests.Load())
	}
}

func TestAServerInTroubleIsAskedAFewTimes(t *testing.T) {
	endpoint, requests := answering(t, func(w http.ResponseWriter, r request) {
		if r.number <= 2 {
			refuse(w, 500, "InternalServerError", "hiccup")
			return
		}
		fmt.Fprint(w, `{"Items":[{"Id":{"S":"k"},"KeyRecord":{"M":{"Created":{"N":"60"},"Key":{"S":"AQID"}}}}]}`)
	})
	if got, err := open(t, endpoint).LoadLatest(ctx, "k"); err != nil || got.Created != 60 || requests.Load() != 3 {
		t.Fatal(got, err, requests.Load())
	}
	endpoint, requests = answering(t, func(w http.ResponseWriter, _ request) { refuse(w, 500, "InternalServerError", "hiccup") })
	_, err := open(t, endpoint).Load(ctx, "k", minute)
	mustFail(t, err, fault.Metastore, "InternalServerError", "hiccup")
	if n := requests.Load(); n != 3 {
		t.Error(n)
	}
}

func TestEachRefusalHasItsCodeAndCure(t *testing.T) {
	for kind, want := range map[string]struct {
		code  fault.Code
		parts []string
	}{
		"ProvisionedThroughputExceededException": {fault.MetastoreBusy, []string{"words", "capacity"}},
		"ThrottlingException":                    {fault.MetastoreBusy, []string{"words"}},
		"RequestLimitExceeded":                   {fault.MetastoreBusy, []string{"words"}},
		"ResourceNotFoundException":              {fault.Metastore, []string{"no such table", "createSchema()"}},
		"AccessDeniedException":                  {fault.Metastore, []string{"words", "dynamodb:PutItem"}},
		"UnrecognizedClientException":            {fault.Metastore, []string{"words", "credentials"}},
		"ExpiredTokenException":                  {fault.Metastore, []string{"words", "credentials"}},
		"InvalidSignatureException":              {fault.Metastore, []string{"secret access key", "clock"}},
		"ValidationException":                    {fault.Metastore, []string{"words", "range key"}},
		"SomethingNewException":                  {fault.Metastore, []string{"words", "SomethingNewException"}},
	} {
		endpoint, _ := answering(t, func(w http.ResponseWriter, _ request) {
			words := "words"
			if kind == "InvalidSignatureException" {
				words = "expected x-amz-security-token:hunter2token"
			}
			refuse(w, 400, kind, words)
		})
		s := open(t, endpoint)
		_, err := s.Store(ctx, "k", minute, &record.KeyRecord{Created: minute})
		mustFail(t, err, want.code, append(want.parts, s.table, "us-west-2")...)
		if cause := errors.Unwrap(err); cause == nil || errors.Unwrap(cause) != nil || !strings.Contains(cause.Error(), kind) || strings.Contains(cause.Error(), "hunter2") {
			t.Error(cause)
		}
	}
}

func TestLostAnswers(t *testing.T) {
	mine := &record.KeyRecord{Created: 60, Key: []byte{1, 2, 3}}
	const item = `{"Id":{"S":"k"},"Created":{"N":"60"},"KeyRecord":{"M":{"Created":{"N":"60"},"Key":{"S":"%s"}}}}`
	for _, test := range []struct {
		name           string
		key            string // in the row that is there
		lost, returned bool   // whether the first answer is lost; whether the server returns the row with its refusal
		want           bool
	}{
		{"ours, returned", "AQID", true, true, true},
		{"ours, read back", "AQID", true, false, true},
		{"another's, returned", "BBBB", true, true, false},
		{"another's, read back", "BBBB", true, false, false},
		{"nothing was lost", "AQID", false, true, false},
	} {
		endpoint, _ := answering(t, func(w http.ResponseWriter, r request) {
			there := fmt.Sprintf(item, test.key)
			switch {
			case r.operation == "GetItem":
				fmt.Fprintf(w, `{"Item":%s}`, there)
			case test.lost && r.number == 1:
				panic(http.ErrAbortHandler)
			case test.returned:
				refuse(w, 400, "ConditionalCheckFailedException", "there", `,"Item":`, there)
			default:
				refuse(w, 400, "ConditionalCheckFailedException", "there")
			}
		})
		if stored, err := open(t, endpoint).Store(ctx, "k", 60, mine); err != nil || stored != test.want {
			t.Errorf("%s: %v, %v", test.name, stored, err)
		}
	}
}

func TestEveryReadIsConsistentAndEveryPutConditional(t *testing.T) {
	endpoint, _ := answering(t, func(w http.ResponseWriter, r request) {
		if r.operation == "PutItem" && r.body["ConditionExpression"] != "attribute_not_exists(Id)" || r.operation != "PutItem" && r.body["ConsistentRead"] != true {
			t.Error(r.operation, r.body)
		}
		fmt.Fprint(w, `{}`)
	})
	s := open(t, endpoint)
	_, err := s.Load(ctx, "k", minute)
	_, err2 := s.LoadLatest(ctx, "k")
	_, err3 := s.Store(ctx, "k", minute, &record.KeyRecord{})
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsAreSignedForTheSigningRegion(t *testing.T) {
	var signed atomic.Value
	endpoint, _ := answering(t, func(w http.ResponseWriter, r request) {
		signed.Store(r.Header.Get("Authorization"))
		fmt.Fprint(w, `{}`)
	})
	for signing, want := range map[string]string{"": "/us-west-2/dynamodb/", "eu-west-3": "/eu-west-3/dynamodb/"} {
		s := open(t, endpoint, func(c *Config) { c.SigningRegion = signing })
		if _, err := s.Load(ctx, "k", minute); err != nil {
			t.Fatal(err)
		}
		if got := signed.Load().(string); !strings.Contains(got, want) || s.Region() != "us-west-2" {
			t.Error(got, s.Region())
		}
	}
}

func TestVerifyNeedsNoMorePermissionsThanTheLibrary(t *testing.T) {
	endpoint, _ := answering(t, func(w http.ResponseWriter, r request) {
		w.Header().Set("Date", time.Now().Add(-10*time.Minute).UTC().Format(http.TimeFormat))
		if r.operation == "DescribeTable" {
			refuse(w, 400, "AccessDeniedException", "no")
			return
		}
		fmt.Fprint(w, `{}`)
	})
	results := open(t, endpoint).Verify(ctx)
	if got := statuses(results); got != "metastore connection: ok; metastore table: warning; metastore clock: warning; " {
		t.Error(got, results)
	}
	// and says so when there is less
	endpoint, _ = answering(t, func(w http.ResponseWriter, r request) {
		if r.operation == "Query" {
			refuse(w, 400, "AccessDeniedException", "no Query for you")
			return
		}
		fmt.Fprint(w, `{}`)
	})
	results = open(t, endpoint).Verify(ctx)
	if len(results) != 1 || results[0].Status != check.Failure || !strings.Contains(results[0].Message, "no Query for you") {
		t.Error(results)
	}
}

func TestConfiguration(t *testing.T) {
	for _, endpoint := range []string{"localhost:8000", "ftp://x", "http://user:hunter2@x", "http://"} {
		_, err := New(Config{Region: "us-west-2", Endpoint: endpoint}, source(t))
		mustFail(t, err, fault.InvalidConfig, "config.dynamoDbEndpoint")
	}
	_, err := New(Config{}, source(t))
	mustFail(t, err, fault.InvalidConfig, "region")
	_, err = New(Config{Region: "us west"}, source(t))
	mustFail(t, err, fault.InvalidConfig, "config.dynamoDbRegion")

	src := source(t)
	src.Environment["AWS_REGION"] = "eu-north-1"
	s, err := New(Config{}, src)
	if err != nil || s.Region() != "eu-north-1" || !strings.Contains(s.name, "table EncryptionKey in eu-north-1 (dynamodb.eu-north-1.amazonaws.com)") {
		t.Fatal(err, s.name)
	}
	src.Environment["AWS_ENDPOINT_URL_DYNAMODB"] = "http://127.0.0.1:1"
	for endpoint, host := range map[string]string{"": "127.0.0.1:1", "http://127.0.0.1:2": "127.0.0.1:2"} {
		s, err := New(Config{Endpoint: endpoint}, src)
		if err != nil || !strings.Contains(s.name, host) {
			t.Fatal(err, s.name)
		}
	}
}

func TestCredentialsThatCannotBeHadAreSaidSo(t *testing.T) {
	endpoint, requests := answering(t, func(w http.ResponseWriter, _ request) { fmt.Fprint(w, `{}`) })
	src := source(t)
	var pushed *awsconfig.Pushed
	pushed = awsconfig.NewPushed(func() { go pushed.Fail("the vault is sealed") })
	src.Credentials = pushed
	s, err := New(Config{Region: "us-west-2", Endpoint: endpoint}, src)
	if err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	_, err = s.Load(limited, "k", minute)
	mustFail(t, err, fault.Metastore, "the vault is sealed")
	if requests.Load() != 0 {
		t.Error("asked without credentials")
	}
}
