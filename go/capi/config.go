// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"time"

	"asherah-napi/envelope"
	"asherah-napi/fault"
	"asherah-napi/observe"
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
	Service                     string
	Product                     string
	RegionSuffix                string
	RecoveryRegionSuffixes      []string
	ExpireAfter                 int64
	CheckInterval               int64
	MaxKeyStaleness             int64 // 0: no limit
	RequestTimeoutMs            int64 // 0: no limit, for what asks no server
	IntermediateKeyCacheMaxSize int
	SystemKeyCacheMaxSize       int
	LockedMemory                string // prefer or require
	KMS                         KMSConfig
	Metastore                   MetastoreConfig
	AWS                         AWSConfig
}

// KMSConfig names the KMS, with the options of the one it is.
type KMSConfig struct {
	Type string // static, aws or provider

	// aws
	Regions           []KMSRegion // the preferred one first
	RequireAllRegions bool
	RegionTimeoutMs   int64
}

// KMSRegion is one master key.
type KMSRegion struct {
	Region   string // "": the one that the environment or profile names (kmsKeyId)
	Key      string // ARN, key id or alias
	Endpoint string
}

// MetastoreConfig names the metastore, with the options of the one it is.
type MetastoreConfig struct {
	Type string // memory, sqlite, dynamodb, mysql, postgres or provider

	// sqlite
	Path          string
	BusyTimeoutMs int64

	// dynamodb
	Table         string
	Region        string // "": the one that the environment or profile names
	SigningRegion string // "": Region
	Endpoint      string
	RegionSuffix  bool // the region ends the id of every key

	// mysql, postgres
	ConnectionString       string // as the user gave it; never part of a message
	ReplicaReadConsistency string
	RequireTLS             bool
	CAFile                 string
	PoolMaxOpen            int // 0: no limit
	PoolMaxIdle            int
	PoolMaxLifetimeMs      int64 // 0: no limit
	PoolMaxIdleTimeMs      int64 // 0: no limit
}

// AWSConfig is how the AWS parts find their credentials and settings.
type AWSConfig struct {
	// The AWS_* variables as JavaScript's process.env has them: Go's own copy of the environment is older, and a worker
	// thread's is another.
	Environment map[string]string
	Profile     string
	// Credentials come from a function in JavaScript, by asherah_credentials.
	CredentialsFunction bool
}

// maxSeconds keeps durations inside an int64 of nanoseconds, 292 years, with room to double them.
const maxSeconds = 100 * 365 * 24 * 3600

func parseConfig(text []byte) (*Config, error) {
	o, err := parseObject(text)
	if err != nil {
		return nil, fault.Wrap(fault.InvalidConfig, err, "the engine's configuration")
	}
	c := &Config{
		Service:                     o.string("service"),
		Product:                     o.string("product"),
		RegionSuffix:                o.string("regionSuffix"),
		RecoveryRegionSuffixes:      o.strings("recoveryRegionSuffixes"),
		ExpireAfter:                 o.int("expireAfter"),
		CheckInterval:               o.int("checkInterval"),
		MaxKeyStaleness:             o.int("maxKeyStaleness"),
		RequestTimeoutMs:            o.int("requestTimeoutMs"),
		IntermediateKeyCacheMaxSize: int(o.int("intermediateKeyCacheMaxSize")),
		SystemKeyCacheMaxSize:       int(o.int("systemKeyCacheMaxSize")),
		LockedMemory:                o.string("lockedMemory"),
		KMS:                         readKMS(o.object("kms")),
		Metastore:                   readMetastore(o.object("metastore")),
		AWS:                         readAWS(o.object("aws")),
	}
	if err := o.check(); err != nil {
		return nil, fault.Wrap(fault.InvalidConfig, err, "the engine's configuration")
	}
	if c.ExpireAfter < 1 || c.CheckInterval < 1 || c.MaxKeyStaleness < 0 || c.RequestTimeoutMs < 0 || c.RequestTimeoutMs > maxSeconds*1000 || c.IntermediateKeyCacheMaxSize < 1 || c.SystemKeyCacheMaxSize < 1 ||
		max(c.ExpireAfter, c.CheckInterval, c.MaxKeyStaleness) > maxSeconds || (c.LockedMemory != "prefer" && c.LockedMemory != "require") {
		return nil, fault.New(fault.InvalidConfig, "the engine's configuration: a value is out of range")
	}
	return c, nil
}

func readKMS(o object) KMSConfig {
	c := KMSConfig{
		Type:              o.string("type"),
		RequireAllRegions: o.bool("requireAllRegions"),
		RegionTimeoutMs:   o.int("regionTimeoutMs"),
	}
	for _, region := range o.objects("regions") {
		c.Regions = append(c.Regions, KMSRegion{region.string("region"), region.string("key"), region.string("endpoint")})
	}
	return c
}

func readMetastore(o object) MetastoreConfig {
	return MetastoreConfig{
		Type:                   o.string("type"),
		Path:                   o.string("path"),
		BusyTimeoutMs:          o.int("busyTimeoutMs"),
		Table:                  o.string("table"),
		Region:                 o.string("region"),
		SigningRegion:          o.string("signingRegion"),
		Endpoint:               o.string("endpoint"),
		RegionSuffix:           o.bool("regionSuffix"),
		ConnectionString:       o.string("connectionString"),
		ReplicaReadConsistency: o.string("replicaReadConsistency"),
		RequireTLS:             o.bool("requireTls"),
		CAFile:                 o.string("caFile"),
		PoolMaxOpen:            int(o.int("poolMaxOpen")),
		PoolMaxIdle:            int(o.int("poolMaxIdle")),
		PoolMaxLifetimeMs:      o.int("poolMaxLifetimeMs"),
		PoolMaxIdleTimeMs:      o.int("poolMaxIdleTimeMs"),
	}
}

func readAWS(o object) AWSConfig {
	return AWSConfig{
		Environment:         o.stringMap("environment"),
		Profile:             o.string("profile"),
		CredentialsFunction: o.bool("credentialsFunction"),
	}
}

func (c *Config) envelope(warn func(fault.Code, string), sink *observe.Sink) envelope.Config {
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
		Sink:                        sink,
		MetastoreName:               c.Metastore.Type,
	}
}

// describe names a factory in logs: no file, no address, no table.
func (c *Config) describe() string {
	return "service " + c.Service + ", product " + c.Product + ", kms " + c.KMS.Type + ", metastore " + c.Metastore.Type
}
