// SPDX-License-Identifier: Apache-2.0

package awsconfig

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// environment is one without a trace of this machine, and what the test adds.
func environment(t *testing.T, more map[string]string) map[string]string {
	empty := file(t, "")
	all := map[string]string{"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": empty, "AWS_SHARED_CREDENTIALS_FILE": empty}
	for k, v := range more {
		all[k] = v
	}
	return all
}

func load(t *testing.T, src Source, region string) aws.Config {
	t.Helper()
	cfg, err := Load(context.Background(), src, region)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(cfg) })
	return cfg
}

func keyOf(t *testing.T, cfg aws.Config) string {
	t.Helper()
	c, err := cfg.Credentials.Retrieve(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return c.AccessKeyID + "/" + c.SecretAccessKey + "/" + c.SessionToken
}

// kmsEndpoint is where a client would send its requests; "": to AWS.
func kmsEndpoint(cfg aws.Config) string {
	return aws.ToString(kms.NewFromConfig(cfg).Options().BaseEndpoint)
}

func TestNoVariableOfTheProcessIsUsed(t *testing.T) {
	stale := file(t, "[default]\nregion = eu-stale-1\naws_access_key_id = STALE\naws_secret_access_key = stale\n[profile p]\nregion = eu-stale-2\n")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "STALE", "AWS_SECRET_ACCESS_KEY": "stale", "AWS_SESSION_TOKEN": "stale", "AWS_REGION": "eu-stale-3",
		"AWS_PROFILE": "p", "AWS_CONFIG_FILE": stale, "AWS_SHARED_CREDENTIALS_FILE": stale, "AWS_ENDPOINT_URL": "http://stale",
		"AWS_ENDPOINT_URL_KMS": "http://stale-kms", "AWS_CA_BUNDLE": "/nonexistent", "AWS_WEB_IDENTITY_TOKEN_FILE": stale, "AWS_ROLE_ARN": "arn:stale",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/stale", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_MAX_ATTEMPTS": "77",
	} {
		t.Setenv(name, value)
	}
	src := Source{Environment: environment(t, nil)}
	if _, err := Load(context.Background(), src, ""); err == nil || !strings.Contains(err.Error(), "AWS_REGION") {
		t.Fatalf("a region from nowhere: %v", err)
	}
	cfg := load(t, src, "us-west-2")
	if _, err := cfg.Credentials.Retrieve(context.Background()); err == nil || !strings.Contains(err.Error(), "none found") {
		t.Errorf("credentials from nowhere: %v", err)
	}
	if e := kmsEndpoint(cfg); e != "" {
		t.Errorf("endpoint %s", e)
	}
	if o := kms.NewFromConfig(cfg).Options(); o.EndpointOptions.UseFIPSEndpoint == aws.FIPSEndpointStateEnabled || o.RetryMaxAttempts == 77 {
		t.Errorf("%+v", o.EndpointOptions)
	}

	src.Environment["AWS_ACCESS_KEY_ID"], src.Environment["AWS_SECRET_ACCESS_KEY"] = "FRESH", "secret"
	src.Environment["AWS_ENDPOINT_URL"] = "http://fresh"
	src.Environment["AWS_DEFAULT_REGION"] = "us-fresh-1"
	cfg = load(t, src, "")
	if got := keyOf(t, cfg); got != "FRESH/secret/" || cfg.Region != "us-fresh-1" || kmsEndpoint(cfg) != "http://fresh" {
		t.Errorf("%s %s %s", got, cfg.Region, kmsEndpoint(cfg))
	}
	// the SDK leaves out a service's own endpoint where the process has the general one only
	os.Unsetenv("AWS_ENDPOINT_URL_KMS")
	src.Environment["AWS_ENDPOINT_URL_KMS"] = "http://fresh-kms"
	if e := kmsEndpoint(load(t, src, "")); e != "http://fresh-kms" {
		t.Error(e)
	}
}

func TestProfiles(t *testing.T) {
	src := Source{Environment: environment(t, map[string]string{
		"AWS_ACCESS_KEY_ID": "VARIABLE", "AWS_SECRET_ACCESS_KEY": "v", "AWS_PROFILE": "b",
		"AWS_CONFIG_FILE": file(t, `
[profile a]
region = us-a-1
aws_access_key_id = A
aws_secret_access_key = a
services = mine
[services mine]
kms =
  endpoint_url = http://kms-of-a
[profile b]
region = us-b-1
aws_access_key_id = B
aws_secret_access_key = b
endpoint_url = http://all-of-b
[profile process]
region = us-c-1
credential_process = printf '{"Version":1,"AccessKeyId":"P","SecretAccessKey":"p"}'
[profile talkative]
credential_process = printf '{"Version":1,"AccessKeyId":"P","SecretAccessKey":"hunter2"'
[profile from-variables]
region = us-d-1
role_arn = arn:aws:iam::123456789012:role/r
credential_source = Nowhere
`)})}
	for _, c := range []struct{ profile, region, keys, endpoint string }{
		{"", "us-b-1", "VARIABLE/v/", "http://all-of-b"}, // keys in variables go before AWS_PROFILE's
		{"a", "us-a-1", "A/a/", "http://kms-of-a"},       // and after a profile that the configuration names
		{"process", "us-c-1", "P/p/", ""},
	} {
		src.Profile = c.profile
		cfg := load(t, src, "")
		if got := keyOf(t, cfg); got != c.keys || cfg.Region != c.region || kmsEndpoint(cfg) != c.endpoint {
			t.Errorf("profile %q: %s %s %s", c.profile, got, cfg.Region, kmsEndpoint(cfg))
		}
	}
	src.Profile = "talkative"
	if _, err := load(t, src, "us-west-2").Credentials.Retrieve(context.Background()); err == nil || !strings.Contains(err.Error(), "credential_process") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	delete(src.Environment, "AWS_ACCESS_KEY_ID")
	src.Profile = ""
	if got := keyOf(t, load(t, src, "")); got != "B/b/" {
		t.Error(got)
	}
	for _, c := range []struct{ profile, want string }{{"none", `AWS profile "none"`}, {"from-variables", "credential_source"}} {
		src.Profile = c.profile
		if _, err := Load(context.Background(), src, "us-west-2"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("profile %s: %v", c.profile, err)
		}
	}
}

func TestAContainersCredentials(t *testing.T) {
	token := file(t, "secret token\n")
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "secret token" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.Write([]byte(`{"AccessKeyId":"C","SecretAccessKey":"c","Token":"t","Expiration":"2099-01-01T00:00:00Z"}`))
	}))
	defer agent.Close()
	src := Source{Environment: environment(t, map[string]string{
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.URL + "/x", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": token})}
	if got := keyOf(t, load(t, src, "us-west-2")); got != "C/c/t" {
		t.Error(got)
	}
	src.Environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://example.com/"
	if _, err := Load(context.Background(), src, "us-west-2"); err == nil {
		t.Error("credentials are asked for in clear text at example.com")
	}
}

func TestAWebIdentityIsExchangedAtTheEndpointOfSTS(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Form.Get("WebIdentityToken") != "jwt" || r.Form.Get("RoleArn") != "arn:aws:iam::123456789012:role/r" || r.Form.Get("RoleSessionName") != "me" {
			t.Errorf("%v %v", r.Form, err)
		}
		w.Write([]byte(`<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>W</AccessKeyId><SecretAccessKey>w</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`))
	}))
	defer server.Close()
	src := Source{Environment: environment(t, map[string]string{
		"AWS_WEB_IDENTITY_TOKEN_FILE": file(t, "jwt"), "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r",
		"AWS_ROLE_SESSION_NAME": "me", "AWS_ENDPOINT_URL_STS": server.URL})}
	cfg := load(t, src, "us-west-2")
	if got := keyOf(t, cfg); got != "W/w/t" {
		t.Error(got)
	}
	if e := aws.ToString(sts.NewFromConfig(cfg).Options().BaseEndpoint); e != server.URL {
		t.Error(e)
	}
	if e := kmsEndpoint(cfg); e != "" {
		t.Error(e)
	}
	delete(src.Environment, "AWS_ROLE_ARN")
	if _, err := Load(context.Background(), src, "us-west-2"); err == nil || !strings.Contains(err.Error(), "AWS_ROLE_ARN") {
		t.Error(err)
	}
}

func TestTheInstanceIsAskedWhereTheVariableSays(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true") // of the process: not looked at
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/api/token"):
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "100")
			w.Write([]byte("t"))
		case strings.HasSuffix(r.URL.Path, "/security-credentials/"):
			w.Write([]byte("role"))
		default:
			w.Write([]byte(`{"Code":"Success","AccessKeyId":"I","SecretAccessKey":"i","Token":"t","Expiration":"2099-01-01T00:00:00Z"}`))
		}
	}))
	defer server.Close()
	src := Source{Environment: environment(t, map[string]string{
		"AWS_EC2_METADATA_DISABLED": "", "AWS_EC2_METADATA_SERVICE_ENDPOINT": server.URL})}
	if got := keyOf(t, load(t, src, "us-west-2")); got != "I/i/t" {
		t.Error(got)
	}
}

func TestWrongSettingsAreErrorsThatNameTheVariable(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_MAX_ATTEMPTS": "many", "AWS_RETRY_MODE": "often", "AWS_USE_FIPS_ENDPOINT": "maybe", "AWS_USE_DUALSTACK_ENDPOINT": "1",
		"AWS_CA_BUNDLE": file(t, "no certificate"), "AWS_PROFILE": "none",
	} {
		_, err := Load(context.Background(), Source{Environment: environment(t, map[string]string{name: value})}, "us-west-2")
		if err == nil || !(strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "AWS profile")) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

func TestACertificateBundleIsTrusted(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	server.Config.ErrorLog = nil
	defer server.Close()
	get := func(env map[string]string) error {
		cfg := load(t, Source{Environment: environment(t, env)}, "us-west-2")
		request, err := http.NewRequest("GET", server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := cfg.HTTPClient.Do(request)
		if err == nil {
			response.Body.Close()
		}
		return err
	}
	if err := get(nil); err == nil {
		t.Error("an unknown certificate is trusted")
	}
	if err := get(map[string]string{"AWS_CA_BUNDLE": file(t, certificate(server))}); err != nil {
		t.Error(err)
	}
}
