// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"time"

	"asherah-napi/envelope"
	"asherah-napi/fault"
)

// Config is the JSON that lib/config.ts writes for asherah_factory_open: checked, complete, durations in seconds where the
// name does not say otherwise. The static KMS's master key is not in it; it comes as bytes, so that it never lies in a
// string.
//
//	{"service":"svc","product":"prod","regionSuffix":"","recoveryRegionSuffixes":[],
//	 "expireAfter":7776000,"checkInterval":3600,"maxKeyStaleness":0,"requestTimeoutMs":10000,
//	 "intermediateKeyCacheMaxSize":1000,"systemKeyCacheMaxSize":100,"lockedMemory":"prefer",
//	 "kms":{"type":"static"},
//	 "metastore":{"type":"sqlite","path":"keys.db","busyTimeoutMs":5000}}
type Config struct {
	Service                     string          `json:"service"`
	Product                     string          `json:"product"`
	RegionSuffix                string          `json:"regionSuffix"`
	RecoveryRegionSuffixes      []string        `json:"recoveryRegionSuffixes"`
	ExpireAfter                 int64           `json:"expireAfter"`
	CheckInterval               int64           `json:"checkInterval"`
	MaxKeyStaleness             int64           `json:"maxKeyStaleness"`  // 0: no limit
	RequestTimeoutMs            int64           `json:"requestTimeoutMs"` // 0: no limit, for what asks no server
	IntermediateKeyCacheMaxSize int             `json:"intermediateKeyCacheMaxSize"`
	SystemKeyCacheMaxSize       int             `json:"systemKeyCacheMaxSize"`
	LockedMemory                string          `json:"lockedMemory"` // prefer or require
	KMS                         KMSConfig       `json:"kms"`
	Metastore                   MetastoreConfig `json:"metastore"`
	AWS                         AWSConfig       `json:"aws"`
}

// KMSConfig names the KMS, with the options of the one it is.
type KMSConfig struct {
	Type string `json:"type"` // static or aws

	// aws
	Regions           []KMSRegion `json:"regions"` // the preferred one first
	RequireAllRegions bool        `json:"requireAllRegions"`
	RegionTimeoutMs   int64       `json:"regionTimeoutMs"`
}

// KMSRegion is one master key.
type KMSRegion struct {
	Region   string `json:"region"` // "": the one that the environment or profile names (kmsKeyId)
	Key      string `json:"key"`    // ARN, key id or alias
	Endpoint string `json:"endpoint"`
}

// MetastoreConfig names the metastore, with the options of the one it is.
type MetastoreConfig struct {
	Type string `json:"type"` // memory, sqlite, dynamodb, mysql or postgres

	// sqlite
	Path          string `json:"path"`
	BusyTimeoutMs int64  `json:"busyTimeoutMs"`

	// dynamodb
	Table         string `json:"table"`
	Region        string `json:"region"`        // "": the one that the environment or profile names
	SigningRegion string `json:"signingRegion"` // "": Region
	Endpoint      string `json:"endpoint"`
	RegionSuffix  bool   `json:"regionSuffix"` // the region ends the id of every key

	// mysql, postgres
	ConnectionString       string `json:"connectionString"` // as the user gave it; never part of a message
	ReplicaReadConsistency string `json:"replicaReadConsistency"`
	RequireTLS             bool   `json:"requireTls"`
	CAFile                 string `json:"caFile"`
	PoolMaxOpen            int    `json:"poolMaxOpen"` // 0: no limit
	PoolMaxIdle            int    `json:"poolMaxIdle"`
	PoolMaxLifetimeMs      int64  `json:"poolMaxLifetimeMs"` // 0: no limit
	PoolMaxIdleTimeMs      int64  `json:"poolMaxIdleTimeMs"` // 0: no limit
}

// AWSConfig is how the AWS parts find their credentials and settings.
type AWSConfig struct {
	// The AWS_* variables as JavaScript's process.env has them: Go's own copy of the environment is older, and a worker
	// thread's is another.
	Environment map[string]string `json:"environment"`
	Profile     string            `json:"profile"`
	// Credentials come from a function in JavaScript, by asherah_credentials.
	CredentialsFunction bool `json:"credentialsFunction"`
}

// maxSeconds keeps durations inside an int64 of nanoseconds, 292 years, with room to double them.
const maxSeconds = 100 * 365 * 24 * 3600

func parseConfig(text []byte) (*Config, error) {
	c := new(Config)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fault.Wrap(fault.InvalidConfig, err, "the engine's configuration")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.InvalidConfig, "the engine's configuration: text after its end")
	}
	if c.ExpireAfter < 1 || c.CheckInterval < 1 || c.MaxKeyStaleness < 0 || c.RequestTimeoutMs < 0 || c.RequestTimeoutMs > maxSeconds*1000 || c.IntermediateKeyCacheMaxSize < 1 || c.SystemKeyCacheMaxSize < 1 ||
		max(c.ExpireAfter, c.CheckInterval, c.MaxKeyStaleness) > maxSeconds || (c.LockedMemory != "prefer" && c.LockedMemory != "require") {
		return nil, fault.New(fault.InvalidConfig, "the engine's configuration: a value is out of range")
	}
	return c, nil
}

func (c *Config) envelope(warn func(fault.Code, string)) envelope.Config {
	return envelope.Config{
		Service:                     c.Service,
		Product:                     c.Product,
		RegionSuffix:                c.RegionSuffix,
		RecoveryRegionSuffixes:      c.RecoveryRegionSuffixes,
		ExpireAfter:                 time.Duration(c.ExpireAfter) * time.Second,
		CheckInterval:               time.Duration(c.CheckInterval) * time.Second,
		MaxKeyStaleness:             time.Duration(c.MaxKeyStaleness) * time.Second,
		RequestTimeout:              time.Duration(c.RequestTimeoutMs) * time.Millisecond,
		IntermediateKeyCacheMaxSize: c.IntermediateKeyCacheMaxSize,
		SystemKeyCacheMaxSize:       c.SystemKeyCacheMaxSize,
		RequireLockedMemory:         c.LockedMemory == "require",
		Warn:                        warn,
	}
}
