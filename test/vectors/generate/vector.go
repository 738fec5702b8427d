// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"unicode/utf16"
	"unicode/utf8"
)

// File is one JSON file of vectors.
type File struct {
	Format  int     `json:"format"`  // 1
	Library string  `json:"library"` // the module that made the keys and records, and its version
	Date    string  `json:"date"`    // when, YYYY-MM-DD
	Cases   []*Case `json:"cases"`
}

// Case is a data row record, all that a reader needs to decrypt it, and what shall come of it.
type Case struct {
	Name         string `json:"name"`            // unique over all files
	About        string `json:"about,omitempty"` // where the name does not say it
	Rule         string `json:"rule,omitempty"`  // by which the library's output was changed, see README.md
	Service      string `json:"service"`
	Product      string `json:"product"`
	Partition    string `json:"partition"`              // of the session that reads
	RegionSuffix string `json:"regionSuffix,omitempty"` // likewise; absent: none
	KMS          KMS    `json:"kms"`
	Metastore    []Row  `json:"metastore"`
	Record       string `json:"dataRowRecord"` // the text that encrypt returned
	Expect       Expect `json:"expect"`
}

// KMS is the key management service of the reader.
type KMS struct {
	Type            string            `json:"type"`                   // static or aws
	MasterKeyHex    string            `json:"masterKeyHex,omitempty"` // static: the 32 bytes
	PreferredRegion string            `json:"preferredRegion,omitempty"`
	RegionMap       map[string]string `json:"regionMap,omitempty"` // region: ARN
	Decrypts        []Decrypt         `json:"decrypts,omitempty"`
}

// Decrypt is one answer of the operation Decrypt of AWS KMS.
type Decrypt struct {
	Region         string `json:"region"`
	KeyID          string `json:"keyId"`
	CiphertextBlob []byte `json:"ciphertextBlob"`
	Plaintext      []byte `json:"plaintext"`
}

// Row is one of the metastore.
type Row struct {
	ID      string `json:"id"`
	Created int64  `json:"created"`    // Unix seconds
	Record  string `json:"key_record"` // as the SQL metastores hold it
}

// Expect has a plaintext, a kind of failure, or both where a reader may choose.
type Expect struct {
	Plaintext *[]byte `json:"plaintext,omitempty"`
	Text      *string `json:"text,omitempty"` // the same, where it is UTF-8
	Failure   string  `json:"failure,omitempty"`
}

// text is ASCII, so that no editor and no tool turns one Unicode form of a name into another.
func (f *File) text() []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	must(e.Encode(f))
	var ascii bytes.Buffer
	for _, r := range b.String() {
		switch {
		case r < utf8.RuneSelf:
			ascii.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&ascii, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&ascii, `\u%04x`, r)
		}
	}
	return ascii.Bytes()
}

func readFile(path string) *File {
	d := json.NewDecoder(bytes.NewReader(need(os.ReadFile(path))))
	d.DisallowUnknownFields()
	f := new(File)
	must(d.Decode(f))
	return f
}
