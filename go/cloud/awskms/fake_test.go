// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"asherah-napi/aesgcm"
	"asherah-napi/cloud/awsconfig"
	"asherah-napi/fault"
)

func TestMain(m *testing.M) {
	if err := aesgcm.Check(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

// fake is the KMS of one region, on the loopback, as much of its protocol (AWS JSON 1.1) as we use. A ciphertext is the
// ARN of its key and the plaintext, in base64.
type fake struct {
	t       *testing.T
	region  string
	address string
	server  *http.Server

	mu       sync.Mutex
	behave   behaviour
	aliases  map[string]string // to ARNs; all other names are key ids of account
	requests map[string]int    // by operation
	keyIDs   []string          // of Decrypt requests
}

// behaviour answers a request itself, or returns false. It may wait.
type behaviour func(w http.ResponseWriter, r *http.Request, operation string) bool

const account = "123456789012"

func arnOf(region, key string) string { return "arn:aws:kms:" + region + ":" + account + ":key/" + key }

func newFake(t *testing.T, region string) *fake {
	f := &fake{t: t, region: region, address: "127.0.0.1:0", aliases: map[string]string{}, requests: map[string]int{}}
	f.start()
	t.Cleanup(f.stop)
	return f
}

func (f *fake) start() {
	f.t.Helper()
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		f.t.Fatal(err)
	}
	f.address = listener.Addr().String()
	f.server = &http.Server{Handler: f}
	go f.server.Serve(listener)
}

// stop makes the region refuse connections, and cuts those there are.
func (f *fake) stop() { f.server.Close() }

func (f *fake) set(b behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.behave = b
}

func (f *fake) count(operation string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if operation == "" {
		n := 0
		for _, c := range f.requests {
			n += c
		}
		return n
	}
	return f.requests[operation]
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "TrentService.")
	f.mu.Lock()
	f.requests[operation]++
	behave := f.behave
	f.mu.Unlock()
	if !strings.Contains(r.Header.Get("Authorization"), "/"+f.region+"/kms/aws4_request") {
		fail(w, 400, "SignatureDoesNotMatch", "wrong region")
		return
	}
	var in struct {
		KeyId, Plaintext, CiphertextBlob, KeySpec string
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		fail(w, 400, "SerializationException", err.Error())
		return
	}
	if behave != nil && behave(w, r, operation) {
		return
	}
	arn := f.arn(in.KeyId)
	switch operation {
	case "GenerateDataKey":
		plaintext := make([]byte, 32)
		rand.Read(plaintext)
		text := base64.StdEncoding.EncodeToString(plaintext)
		reply(w, map[string]string{"KeyId": arn, "Plaintext": text, "CiphertextBlob": seal(arn, text)})
	case "Encrypt":
		reply(w, map[string]string{"KeyId": arn, "CiphertextBlob": seal(arn, in.Plaintext)})
	case "Decrypt":
		f.mu.Lock()
		f.keyIDs = append(f.keyIDs, in.KeyId)
		f.mu.Unlock()
		blob, _ := base64.StdEncoding.DecodeString(in.CiphertextBlob)
		by, plaintext, ok := strings.Cut(string(blob), " ")
		switch {
		case !ok || !strings.HasPrefix(by, "arn:aws:kms:"+f.region+":") || len(plaintext) != 44:
			fail(w, 400, "InvalidCiphertextException", "")
		case arn != "" && arn != by:
			fail(w, 400, "IncorrectKeyException", "The key ID in the request does not identify a CMK that can perform this operation.")
		default:
			reply(w, map[string]string{"KeyId": by, "Plaintext": plaintext})
		}
	default:
		fail(w, 400, "UnknownOperationException", operation)
	}
}

func (f *fake) arn(key string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to := f.aliases[key]; to != "" {
		return to
	}
	if key == "" || strings.HasPrefix(key, "arn:") {
		return key
	}
	return arnOf(f.region, key)
}

func seal(arn, plaintext string) string {
	return base64.StdEncoding.EncodeToString([]byte(arn + " " + plaintext))
}

func reply(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	json.NewEncoder(w).Encode(body)
}

func fail(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	w.Header().Set("X-Amzn-Errortype", code)
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"__type": code, "message": message})
}

// Behaviours.

func hangs(_ http.ResponseWriter, r *http.Request, _ string) bool {
	<-r.Context().Done()
	return true
}

func resets(w http.ResponseWriter, _ *http.Request, _ string) bool {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
	return true
}

func hangsUp(w http.ResponseWriter, _ *http.Request, _ string) bool {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
	return true
}

func denies(w http.ResponseWriter, _ *http.Request, _ string) bool {
	fail(w, 400, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/u is not authorized to perform: kms")
	return true
}

func throttles(w http.ResponseWriter, _ *http.Request, _ string) bool {
	fail(w, 400, "ThrottlingException", "Rate exceeded")
	return true
}

func breaks(w http.ResponseWriter, _ *http.Request, _ string) bool {
	w.WriteHeader(http.StatusBadGateway)
	w.Write([]byte("<html>a proxy's page</html>"))
	return true
}

// corrupts answers with another key, of the right size.
func corrupts(w http.ResponseWriter, _ *http.Request, _ string) bool {
	text := base64.StdEncoding.EncodeToString(make([]byte, 32))
	reply(w, map[string]string{"KeyId": arnOf("us-west-2", "k"), "Plaintext": text, "CiphertextBlob": text})
	return true
}

func shortens(w http.ResponseWriter, _ *http.Request, _ string) bool {
	reply(w, map[string]string{"KeyId": arnOf("us-west-2", "k"), "Plaintext": "AAAA", "CiphertextBlob": ""})
	return true
}

func slow(by time.Duration) behaviour {
	return func(_ http.ResponseWriter, r *http.Request, _ string) bool {
		select {
		case <-time.After(by):
			return false
		case <-r.Context().Done():
			return true
		}
	}
}

func only(operation string, b behaviour) behaviour {
	return func(w http.ResponseWriter, r *http.Request, is string) bool { return is == operation && b(w, r, is) }
}

// world is two regions and a KMS on them.
type world struct {
	*KMS
	t                *testing.T
	preferred, other *fake
	warnings         chan string
}

const timeout = 300 * time.Millisecond // of a region; long enough for this machine when busy

func newWorld(t *testing.T, change func(*Config)) *world {
	w := &world{t: t, preferred: newFake(t, "us-west-2"), other: newFake(t, "eu-west-1"), warnings: make(chan string, 10_000)}
	w.KMS = w.open(change)
	return w
}

func (w *world) open(change func(*Config)) *KMS {
	w.t.Helper()
	config := Config{
		Regions: []Region{
			{"us-west-2", arnOf("us-west-2", "k"), "http://" + w.preferred.address},
			{"eu-west-1", arnOf("eu-west-1", "k"), "http://" + w.other.address},
		},
		RegionTimeout: timeout,
		Warn:          func(code fault.Code, message string) { w.warnings <- string(code) + " " + message },
	}
	if change != nil {
		change(&config)
	}
	k, err := New(config, source(w.t))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(k.Close)
	return k
}

const secretKey, sessionToken = "do-not-show-this-secret", "nor-this-token"

func source(t *testing.T) awsconfig.Source {
	empty := t.TempDir() + "/empty"
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return awsconfig.Source{Environment: map[string]string{
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": empty, "AWS_SHARED_CREDENTIALS_FILE": empty,
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": secretKey, "AWS_SESSION_TOKEN": sessionToken,
	}}
}

// warned are the warnings until now that contain text.
func (w *world) warned(text string) (found []string) {
	for {
		select {
		case message := <-w.warnings:
			if strings.Contains(message, text) {
				found = append(found, message)
			}
		default:
			return found
		}
	}
}
