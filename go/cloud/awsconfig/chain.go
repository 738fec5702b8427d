// SPDX-License-Identifier: Apache-2.0

package awsconfig

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/logincreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/signin"
	"github.com/aws/aws-sdk-go-v2/service/sso"
	"github.com/aws/aws-sdk-go-v2/service/ssooidc"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// chain is the SDK's order: a profile named in the configuration, keys in variables, a web identity in variables, the
// profile that AWS_PROFILE names or the default one, a container, the instance.
func (s *settings) chain(cfg aws.Config) (aws.CredentialsProvider, error) {
	keys := s.keys()
	switch file := s.env("AWS_WEB_IDENTITY_TOKEN_FILE"); {
	case s.Profile != "":
		return s.fromProfile(cfg, &s.shared)
	case keys.HasKeys():
		return credentials.StaticCredentialsProvider{Value: keys}, nil
	case file != "":
		return webIdentity(cfg, s.env("AWS_ROLE_ARN"), file, s.env("AWS_ROLE_SESSION_NAME"))
	default:
		return s.fromProfile(cfg, &s.shared)
	}
}

func (s *settings) keys() aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     s.env("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"),
		SecretAccessKey: s.env("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"),
		SessionToken:    s.env("AWS_SESSION_TOKEN"),
		AccountID:       s.env("AWS_ACCOUNT_ID"),
		Source:          "environment",
	}
}

func (s *settings) fromProfile(cfg aws.Config, p *config.SharedConfig) (provider aws.CredentialsProvider, err error) {
	switch {
	case p.Source != nil:
		provider, err = s.fromProfile(cfg, p.Source)
	case p.Credentials.HasKeys():
		provider = credentials.StaticCredentialsProvider{Value: p.Credentials}
	case p.CredentialSource != "":
		provider, err = s.fromNamedSource(p)
	case p.WebIdentityTokenFile != "":
		return webIdentity(cfg, p.RoleARN, p.WebIdentityTokenFile, p.RoleSessionName)
	case p.SSOAccountID != "" || p.SSOSession != nil || p.SSOStartURL != "":
		provider, err = fromSSO(cfg, p)
	case p.LoginSession != "":
		provider, err = s.fromLogin(cfg, p)
	case p.CredentialProcess != "":
		provider = cached(discreet{processcreds.NewProvider(p.CredentialProcess)})
	case s.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI") != "":
		provider, err = s.fromContainer()
	default:
		provider = s.fromInstance()
	}
	if err != nil || p.RoleARN == "" {
		return provider, err
	}
	return assumeRole(cfg, p, provider)
}

func (s *settings) fromNamedSource(p *config.SharedConfig) (aws.CredentialsProvider, error) {
	switch p.CredentialSource {
	case "Environment":
		return credentials.StaticCredentialsProvider{Value: s.keys()}, nil
	case "EcsContainer":
		return s.fromContainer()
	case "Ec2InstanceMetadata":
		return s.fromInstance(), nil
	default:
		return nil, fmt.Errorf("profile %q: credential_source: expected Environment, EcsContainer or Ec2InstanceMetadata, got %q", p.Profile, p.CredentialSource)
	}
}

func webIdentity(cfg aws.Config, role, file, session string) (aws.CredentialsProvider, error) {
	if role == "" {
		return nil, errors.New("a web identity token file needs a role: set AWS_ROLE_ARN, or role_arn in the profile")
	}
	return cached(stscreds.NewWebIdentityRoleProvider(sts.NewFromConfig(cfg), role, stscreds.IdentityTokenFile(file),
		func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = session })), nil
}

func assumeRole(cfg aws.Config, p *config.SharedConfig, base aws.CredentialsProvider) (aws.CredentialsProvider, error) {
	if p.MFASerial != "" {
		return nil, fmt.Errorf("profile %q: mfa_serial: nobody can be asked for a code here; use credentials that need none", p.Profile)
	}
	cfg = cfg.Copy()
	cfg.Credentials = base
	return cached(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(cfg), p.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = p.RoleSessionName
		if p.ExternalID != "" {
			o.ExternalID = &p.ExternalID
		}
		if p.RoleDurationSeconds != nil {
			o.Duration = *p.RoleDurationSeconds
		}
	})), nil
}

func fromSSO(cfg aws.Config, p *config.SharedConfig) (aws.CredentialsProvider, error) {
	cfg = cfg.Copy()
	cfg.Region = p.SSORegion
	var options []func(*ssocreds.Options)
	if p.SSOSession != nil {
		cfg.Region = p.SSOSession.SSORegion
		file, err := ssocreds.StandardCachedTokenFilepath(p.SSOSession.Name)
		if err != nil {
			return nil, err
		}
		tokens := ssocreds.NewSSOTokenProvider(ssooidc.NewFromConfig(cfg), file)
		options = append(options, func(o *ssocreds.Options) { o.SSOTokenProvider, o.CachedTokenFilepath = tokens, file })
	}
	return cached(ssocreds.New(sso.NewFromConfig(cfg), p.SSOAccountID, p.SSORoleName, p.SSOStartURL, options...)), nil
}

func (s *settings) fromLogin(cfg aws.Config, p *config.SharedConfig) (aws.CredentialsProvider, error) {
	file, err := logincreds.StandardCachedTokenFilepath(p.LoginSession, s.env("AWS_LOGIN_CACHE_DIRECTORY"))
	if err != nil {
		return nil, err
	}
	return cached(logincreds.New(signin.NewFromConfig(cfg), file)), nil
}

// fromContainer is for ECS, EKS and Lambda SnapStart (sdkref, feature-container-credentials).
func (s *settings) fromContainer() (aws.CredentialsProvider, error) {
	endpoint := s.env("AWS_CONTAINER_CREDENTIALS_FULL_URI")
	if path := s.env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); path != "" {
		endpoint = "http://169.254.170.2" + path
	}
	if u, err := url.Parse(endpoint); err != nil || u.Hostname() == "" {
		return nil, errors.New("AWS_CONTAINER_CREDENTIALS_FULL_URI: expected a URL; also, with credential_source = EcsContainer, one must be set")
	} else if u.Scheme != "https" && !localHost(u.Hostname()) {
		return nil, fmt.Errorf("AWS_CONTAINER_CREDENTIALS_FULL_URI: expected https, a loopback address or that of a container agent, got %s", u.Hostname())
	}
	return cached(endpointcreds.New(endpoint, func(o *endpointcreds.Options) {
		o.AuthorizationToken = s.env("AWS_CONTAINER_AUTHORIZATION_TOKEN")
		if file := s.env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); file != "" {
			o.AuthorizationTokenProvider = endpointcreds.TokenProviderFunc(func() (string, error) {
				token, err := os.ReadFile(file)
				return strings.TrimSpace(string(token)), err
			})
		}
	})), nil
}

func localHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip.IsLoopback() || ip.Equal(net.IPv4(169, 254, 170, 2)) || ip.Equal(net.IPv4(169, 254, 170, 23)) ||
		ip.Equal(net.ParseIP("fd00:ec2::23"))
}

func (s *settings) fromInstance() aws.CredentialsProvider {
	if strings.EqualFold(s.env("AWS_EC2_METADATA_DISABLED"), "true") {
		return noCredentials{}
	}
	endpoint, mode := s.env("AWS_EC2_METADATA_SERVICE_ENDPOINT"), s.shared.EC2IMDSEndpointMode
	if strings.EqualFold(s.env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "IPv6") {
		mode = imds.EndpointModeStateIPv6
	}
	switch { // explicit, or the client asks the process's environment
	case endpoint != "":
	case s.shared.EC2IMDSEndpoint != "":
		endpoint = s.shared.EC2IMDSEndpoint
	case mode == imds.EndpointModeStateIPv6:
		endpoint = "http://[fd00:ec2::254]"
	default:
		endpoint = "http://169.254.169.254"
	}
	client := imds.New(imds.Options{ClientEnableState: imds.ClientEnabled, Endpoint: endpoint})
	return cached(ec2rolecreds.New(func(o *ec2rolecreds.Options) { o.Client = client }))
}

// discreet keeps what a process printed out of errors. The SDK's error quotes all of it where it is not what was expected.
type discreet struct{ aws.CredentialsProvider }

func (d discreet) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := d.CredentialsProvider.Retrieve(ctx)
	if err != nil && strings.Contains(err.Error(), "process output:") {
		err = errors.New("credential_process: expected JSON of credentials in version 1 (docs.aws.amazon.com/sdkref, feature-process-credentials), and the process printed something else")
	}
	return c, err
}

type noCredentials struct{}

func (noCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errors.New("none found: neither in AWS_ACCESS_KEY_ID and its like, nor in a profile, nor from a container, and AWS_EC2_METADATA_DISABLED keeps the instance from being asked")
}

// cached keeps credentials until five minutes before they expire.
func cached(provider aws.CredentialsProvider) aws.CredentialsProvider {
	return aws.NewCredentialsCache(bounded{provider}, func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
}

// credentialTimeout ends an attempt to get credentials, which the SDK's cache runs without the caller's deadline and
// which all callers wait for.
const credentialTimeout = 10 * time.Second

// bounded gives up after credentialTimeout, and survives a panic: it runs on a goroutine of the SDK's.
type bounded struct{ aws.CredentialsProvider }

func (b bounded) Retrieve(ctx context.Context) (c aws.Credentials, err error) {
	defer func() {
		if r := recover(); r != nil {
			c, err = aws.Credentials{}, fmt.Errorf("a panic in a credential provider: %v", r)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, credentialTimeout)
	defer cancel()
	return b.CredentialsProvider.Retrieve(ctx)
}
