// SPDX-License-Identifier: Apache-2.0

package capi

import (
	"asherah-napi/fault"
	"asherah-napi/kms"
	"asherah-napi/metastore"
	"asherah-napi/observe"
	"asherah-napi/provider"
)

// OpenFunc makes what a configuration names. Each addon's main package hands in its own: that is all that core and cloud
// differ in.
type OpenFunc func(config *Config, around Surroundings) (Opened, error)

// Surroundings are what the parts of a factory get besides the configuration.
type Surroundings struct {
	MasterKey       []byte // valid during the call
	Warn            func(code fault.Code, message string)
	Sink            *observe.Sink
	Provider        *provider.Client // the KMS or the metastore is one of JavaScript; otherwise nil
	WantCredentials func()           // asks JavaScript for credentials; does not block
}

// Opened are the parts of a factory, which it owns.
type Opened struct {
	KMS         kms.KMS
	Metastore   metastore.Metastore
	Credentials Credentials // nil: none come from JavaScript
}

// OpenBoth makes the KMS and the metastore, or neither.
func OpenBoth(newKMS func() (kms.KMS, error), newMetastore func() (metastore.Metastore, error)) (Opened, error) {
	master, err := newKMS()
	if err != nil {
		return Opened{}, err
	}
	store, err := newMetastore()
	if err != nil {
		master.Close()
		return Opened{}, err
	}
	return Opened{KMS: master, Metastore: store}, nil
}
