// SPDX-License-Identifier: Apache-2.0

// Package local makes the KMS and the metastores that both addons have: those that need no network.
package local

import (
	"time"

	"asherah-napi/capi"
	"asherah-napi/fault"
	"asherah-napi/kms"
	"asherah-napi/lockedmem"
	"asherah-napi/metastore"
	"asherah-napi/metastore/sqlite"
	"asherah-napi/provider"
)

// Open makes what the configuration names.
func Open(c *capi.Config, around capi.Surroundings) (capi.Opened, error) {
	return capi.OpenBoth(
		func() (kms.KMS, error) { return KMS(c, around) },
		func() (metastore.Metastore, error) { return Metastore(c, around) },
	)
}

// KMS makes the KMS that the configuration names.
func KMS(c *capi.Config, around capi.Surroundings) (kms.KMS, error) {
	switch c.KMS.Type {
	case "static":
	case "provider":
		return kms.Observed(provider.KMS{Client: around.Provider}, "provider", around.Sink), nil
	default:
		return nil, fault.New(fault.InvalidConfig, "kms: this addon has no %q", c.KMS.Type)
	}
	slot, err := lockedmem.Get(c.LockedMemory == "require")
	if err != nil {
		return nil, fault.Wrap(fault.LockedMemory, err, "lockedMemory")
	}
	master, err := kms.NewStatic(around.MasterKey, slot)
	if err != nil {
		return nil, err
	}
	return kms.Observed(master, "static", around.Sink), nil
}

// Metastore makes the metastore that the configuration names.
func Metastore(c *capi.Config, around capi.Surroundings) (metastore.Metastore, error) {
	switch c.Metastore.Type {
	case "memory":
		return metastore.NewMemory(), nil
	case "provider":
		return provider.Metastore{Client: around.Provider}, nil
	case "sqlite":
		return sqlite.New(c.Metastore.Path, time.Duration(c.Metastore.BusyTimeoutMs)*time.Millisecond)
	default:
		return nil, fault.New(fault.InvalidConfig, "metastore: this addon has no %q", c.Metastore.Type)
	}
}
