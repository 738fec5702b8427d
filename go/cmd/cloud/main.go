// SPDX-License-Identifier: Apache-2.0

// Command cloud is the Go half of the addon asherah-cloud: all of the core, and what needs a network. It is built as a C
// archive and linked with src-cpp.
package main

/*
#cgo CFLAGS: -I${SRCDIR}/../../../src-cpp
#include "asherah.h"
*/
import "C"

import (
	"time"
	"unsafe"

	"asherah-napi/capi"
	"asherah-napi/cloud/awsconfig"
	"asherah-napi/cloud/awskms"
	"asherah-napi/cloud/dynamodb"
	"asherah-napi/cloud/mysql"
	"asherah-napi/cloud/postgres"
	"asherah-napi/cloud/sqlstore"
	"asherah-napi/kms"
	"asherah-napi/local"
	"asherah-napi/metastore"
)

//export asherah_start
func asherah_start(host *C.asherah_host, e *C.asherah_error) C.int32_t {
	return C.int32_t(capi.Start(open, unsafe.Pointer(host), unsafe.Pointer(e)))
}

func open(c *capi.Config, around capi.Surroundings) (capi.Opened, error) {
	source := awsconfig.Source{Environment: c.AWS.Environment, Profile: c.AWS.Profile}
	var pushed *awsconfig.Pushed
	if c.AWS.CredentialsFunction {
		pushed = awsconfig.NewPushed(around.WantCredentials)
		source.Credentials = pushed
	}
	opened, err := capi.OpenBoth(
		func() (kms.KMS, error) { return newKMS(c, around, source) },
		func() (metastore.Metastore, error) { return newMetastore(c, around, source) },
	)
	if pushed != nil {
		if err != nil {
			pushed.Close()
			return opened, err
		}
		opened.Credentials = pushed
	}
	return opened, err
}

func newKMS(c *capi.Config, around capi.Surroundings, source awsconfig.Source) (kms.KMS, error) {
	if c.KMS.Type != "aws" {
		return local.KMS(c, around)
	}
	config := awskms.Config{
		RequireAllRegions:   c.KMS.RequireAllRegions,
		RegionTimeout:       milliseconds(c.KMS.RegionTimeoutMs),
		RequireLockedMemory: c.LockedMemory == "require",
		Warn:                around.Warn,
		Sink:                around.Sink,
	}
	for _, r := range c.KMS.Regions {
		config.Regions = append(config.Regions, awskms.Region{Region: r.Region, Key: r.Key, Endpoint: r.Endpoint})
	}
	master, err := awskms.New(config, source)
	if err != nil {
		return nil, err
	}
	return master, nil
}

func newMetastore(c *capi.Config, around capi.Surroundings, source awsconfig.Source) (metastore.Metastore, error) {
	m := c.Metastore
	sql := sqlstore.Config{
		ConnectionString: m.ConnectionString, ReplicaReadConsistency: m.ReplicaReadConsistency,
		RequireTLS: m.RequireTLS, CAFile: m.CAFile,
		PoolMaxOpen: m.PoolMaxOpen, PoolMaxIdle: m.PoolMaxIdle,
		PoolMaxLifetime: milliseconds(m.PoolMaxLifetimeMs), PoolMaxIdleTime: milliseconds(m.PoolMaxIdleTimeMs),
		Warn: around.Warn,
	}
	switch m.Type {
	case "mysql":
		return orError(mysql.New(sql))
	case "postgres":
		return orError(postgres.New(sql))
	case "dynamodb":
		return orError(dynamodb.New(dynamodb.Config{
			Table: m.Table, Region: m.Region, SigningRegion: m.SigningRegion, Endpoint: m.Endpoint,
		}, source))
	default:
		return local.Metastore(c, around)
	}
}

// orError keeps a nil pointer from becoming an interface that is not nil.
func orError[S metastore.Metastore](store S, err error) (metastore.Metastore, error) {
	if err != nil {
		return nil, err
	}
	return store, nil
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

func main() {} // never run
