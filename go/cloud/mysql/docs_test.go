// SPDX-License-Identifier: Apache-2.0

package mysql

import (
	"os"
	"strings"
	"testing"
)

func TestTheDocumentPrintsOurStatement(t *testing.T) {
	text, err := os.ReadFile("../../../docs/metastores.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "```sql\n"+CreateTable+"\n```") {
		t.Error("docs/metastores.md lacks:\n" + CreateTable)
	}
}
