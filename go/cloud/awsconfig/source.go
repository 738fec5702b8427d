// SPDX-License-Identifier: Apache-2.0

// Package awsconfig makes the aws.Config that the parts on AWS share. The SDK's own config.LoadDefaultConfig reads the
// variables with os.Getenv, and in an addon those are what they were when the process started: what JavaScript set later
// in process.env, or a worker thread in its copy, is not among them. So the variables come from the caller, and the SDK's
// pieces (profiles, credential providers, HTTP transport) are put together here, in the SDK's order.
package awsconfig

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"

	"asherah-napi/fault"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
)

// Source is where settings and credentials come from.
type Source struct {
	// Environment holds the AWS_* variables; those of the process are not looked at. (But HTTPS_PROXY, NO_PROXY and HOME
	// are the process's, as they were when it started.)
	Environment map[string]string
	// Profile is a profile of the shared files; it goes before AWS_PROFILE and before keys in Environment. "": none given.
	Profile string
	// Credentials, if not nil, are used instead of the SDK's chain.
	Credentials aws.CredentialsProvider
}

// settings are a Source after its files were read.
type settings struct {
	Source
	shared config.SharedConfig
}

func (s *settings) env(names ...string) string {
	for _, name := range names {
		if v := s.Environment[name]; v != "" {
			return v
		}
	}
	return ""
}

// Load returns the configuration for a region; "": the one that AWS_REGION, AWS_DEFAULT_REGION or the profile names. It
// reads files but asks no server, so the instance metadata service is not asked for the region. Errors are
// fault.InvalidConfig. The caller gives the configuration back with Close.
func Load(ctx context.Context, src Source, region string) (aws.Config, error) {
	s := &settings{Source: src}
	if err := s.readProfile(ctx); err != nil {
		return aws.Config{}, err
	}
	if region == "" {
		if region = s.env("AWS_REGION", "AWS_DEFAULT_REGION"); region == "" {
			region = s.shared.Region
		}
	}
	if region == "" {
		return aws.Config{}, fault.New(fault.InvalidConfig, "AWS region: expected one in the configuration, in AWS_REGION or in the profile, got none")
	}
	client, err := s.httpClient()
	if err != nil {
		return aws.Config{}, err
	}
	cfg := aws.Config{Region: region, HTTPClient: client, AppID: s.shared.AppID}
	if cfg.RetryMaxAttempts, cfg.RetryMode, err = s.retries(); err != nil {
		return aws.Config{}, err
	}
	endpoints, err := s.endpointSettings()
	if err != nil {
		return aws.Config{}, err
	}
	cfg.ConfigSources = []any{endpoints}
	cfg.ServiceOptions = []func(string, any){s.setEndpoint}
	if s.Credentials != nil {
		cfg.Credentials = s.Credentials // a cache of its own, if it wants one
	} else if cfg.Credentials, err = s.chain(cfg); err != nil {
		return aws.Config{}, fault.Wrap(fault.InvalidConfig, err, "AWS credentials")
	}
	return cfg, nil
}

// Close closes the idle connections of a configuration that Load returned.
func Close(cfg aws.Config) {
	if c, ok := cfg.HTTPClient.(*http.Client); ok {
		c.CloseIdleConnections()
	}
}

func (s *settings) readProfile(ctx context.Context) error {
	profile := s.Profile
	if profile == "" {
		profile = s.env("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	}
	named := profile != ""
	if !named {
		profile = config.DefaultSharedConfigProfile
	}
	var err error
	s.shared, err = config.LoadSharedConfigProfile(ctx, profile, func(o *config.LoadSharedConfigOptions) {
		if file := s.env("AWS_CONFIG_FILE"); file != "" {
			o.ConfigFiles = []string{file}
		}
		if file := s.env("AWS_SHARED_CREDENTIALS_FILE"); file != "" {
			o.CredentialsFiles = []string{file}
		}
	})
	var missing config.SharedConfigProfileNotExistError
	if errors.As(err, &missing) && !named {
		s.shared, err = config.SharedConfig{}, nil
	}
	if err != nil {
		return fault.Wrap(fault.InvalidConfig, err, "AWS profile %q", profile)
	}
	return nil
}

// httpClient is the SDK's transport in a client whose connections can be closed.
func (s *settings) httpClient() (*http.Client, error) {
	transport := awshttp.NewBuildableClient().GetTransport()
	file := s.env("AWS_CA_BUNDLE")
	if file == "" {
		file = s.shared.CustomCABundle
	}
	if file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fault.Wrap(fault.InvalidConfig, err, "AWS_CA_BUNDLE")
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.InvalidConfig, "AWS_CA_BUNDLE: expected certificates in PEM, found none in %s", file)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	// No AWS service redirects; following one would send a signed request elsewhere.
	noRedirect := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &http.Client{Transport: transport, CheckRedirect: noRedirect}, nil
}

func (s *settings) retries() (attempts int, mode aws.RetryMode, err error) {
	attempts, mode = s.shared.RetryMaxAttempts, s.shared.RetryMode
	if v := s.env("AWS_MAX_ATTEMPTS"); v != "" {
		if attempts, err = strconv.Atoi(v); err != nil || attempts < 1 {
			return 0, "", fault.New(fault.InvalidConfig, "AWS_MAX_ATTEMPTS: expected a whole number of 1 or more, got %q", v)
		}
	}
	if v := s.env("AWS_RETRY_MODE"); v != "" {
		if mode, err = aws.ParseRetryMode(v); err != nil {
			return 0, "", fault.New(fault.InvalidConfig, "AWS_RETRY_MODE: expected standard or adaptive, got %q", v)
		}
	}
	return attempts, mode, nil
}

// endpointSettings is what the SDK's clients look for among aws.Config's sources.
type endpointSettings struct {
	fips      aws.FIPSEndpointState
	dualStack aws.DualStackEndpointState
}

func (e endpointSettings) GetUseFIPSEndpoint(context.Context) (aws.FIPSEndpointState, bool, error) {
	return e.fips, e.fips != aws.FIPSEndpointStateUnset, nil
}

func (e endpointSettings) GetUseDualStackEndpoint(context.Context) (aws.DualStackEndpointState, bool, error) {
	return e.dualStack, e.dualStack != aws.DualStackEndpointStateUnset, nil
}

func (s *settings) endpointSettings() (endpointSettings, error) {
	e := endpointSettings{s.shared.UseFIPSEndpoint, s.shared.UseDualStackEndpoint}
	if on, given, err := s.flag("AWS_USE_FIPS_ENDPOINT"); err != nil {
		return e, err
	} else if given {
		e.fips = aws.FIPSEndpointStateDisabled
		if on {
			e.fips = aws.FIPSEndpointStateEnabled
		}
	}
	if on, given, err := s.flag("AWS_USE_DUALSTACK_ENDPOINT"); err != nil {
		return e, err
	} else if given {
		e.dualStack = aws.DualStackEndpointStateDisabled
		if on {
			e.dualStack = aws.DualStackEndpointStateEnabled
		}
	}
	return e, nil
}

func (s *settings) flag(name string) (on, given bool, err error) {
	switch v := s.env(name); {
	case v == "":
		return false, false, nil
	case strings.EqualFold(v, "true"), strings.EqualFold(v, "false"):
		return strings.EqualFold(v, "true"), true, nil
	default:
		return false, false, fault.New(fault.InvalidConfig, "%s: expected true or false, got %q", name, v)
	}
}

// setEndpoint overwrites what a client found in the process's environment. Every client's Options have this field, and
// it runs before the options of the client's maker, which therefore win.
func (s *settings) setEndpoint(service string, options any) {
	field := reflect.ValueOf(options).Elem().FieldByName("BaseEndpoint")
	if !field.IsValid() {
		return
	}
	var endpoint *string
	if e := s.endpoint(service); e != "" {
		endpoint = &e
	}
	field.Set(reflect.ValueOf(endpoint))
}

// endpoint is what is configured for a service, "" for the one that AWS has: the SDK's order
// (docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html).
func (s *settings) endpoint(service string) string {
	if ignore := s.shared.IgnoreConfiguredEndpoints; strings.EqualFold(s.env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") || (ignore != nil && *ignore) {
		return ""
	}
	variable := "AWS_ENDPOINT_URL_" + strings.ToUpper(strings.NewReplacer(" ", "_", "-", "_").Replace(service))
	if e := s.env(variable, "AWS_ENDPOINT_URL"); e != "" {
		return e
	}
	if e, found, err := s.shared.GetServiceBaseEndpoint(context.Background(), service); found && err == nil {
		return e
	}
	return s.shared.BaseEndpoint
}
