// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/godaddy/asherah/go/appencryption"
)

// Outcome is what the official library made of a case.
type Outcome struct {
	File      string  `json:"file"`
	Name      string  `json:"name"`
	Plaintext *[]byte `json:"plaintext,omitempty"`
	Error     string  `json:"error,omitempty"`
}

func outcome(file string, c *Case) (o Outcome) {
	o = Outcome{File: file, Name: c.Name}
	defer func() {
		if p := recover(); p != nil { // the library has some nil pointers
			o.Error = fmt.Sprint("panic: ", p)
		}
	}()
	w := newWorld()
	w.service, w.product, w.partition, w.kms = c.Service, c.Product, c.Partition, c.KMS
	w.store = store{rows: c.Metastore, suffix: c.RegionSuffix}
	err := w.use(func(s *appencryption.Session) error {
		var record appencryption.DataRowRecord
		if err := json.Unmarshal([]byte(c.Record), &record); err != nil {
			return err
		}
		data, err := s.Decrypt(context.Background(), record)
		if err == nil {
			data = append([]byte{}, data...) // not null where it is empty
			o.Plaintext = &data
		}
		return err
	})
	if err != nil {
		o.Error = err.Error()
	}
	return o
}
