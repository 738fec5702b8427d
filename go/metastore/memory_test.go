// SPDX-License-Identifier: Apache-2.0

package metastore_test

import (
	"testing"

	"asherah-napi/metastore"
	"asherah-napi/metastore/metastoretest"
)

func TestMemory(t *testing.T) {
	metastoretest.Run(t, func(*testing.T) metastore.Metastore { return metastore.NewMemory() })
}
