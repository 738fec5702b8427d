// SPDX-License-Identifier: Apache-2.0

// Package check holds what factory.verify() finds out: the outcome of trying one thing that a factory depends on.
package check

import (
	"context"
	"time"
)

// Status says how a check ended. lib/verification.ts lists the same ones.
type Status string

const (
	OK      Status = "ok"
	Warning Status = "warning" // works, but an operator should know
	Failure Status = "failure"
)

// Result is one line of the report. Message never holds a secret, key material or plaintext.
type Result struct {
	Name         string  `json:"name"` // what was tried: "kms us-west-2", "metastore connection"
	Status       Status  `json:"status"`
	Message      string  `json:"message"` // what was seen and, if not ok, what to do
	Milliseconds float64 `json:"milliseconds"`
}

// Verifier is a KMS or metastore that can try itself out. It changes nothing, and answers within ctx's deadline.
type Verifier interface {
	Verify(ctx context.Context) []Result
}

// SchemaCreator is a metastore that can make its own table. False: there was one already, which was left alone.
type SchemaCreator interface {
	CreateSchema(ctx context.Context) (created bool, err error)
}

// Timed runs one check and notes how long it took.
func Timed(name string, try func() (Status, string)) Result {
	began := time.Now()
	status, message := try()
	return Result{name, status, message, float64(time.Since(began).Microseconds()) / 1000}
}
