// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"

	"github.com/godaddy/asherah/go/appencryption"
)

// store is a metastore that keeps the text of each row, written as the library's SQL metastore writes it.
type store struct {
	rows   []Row
	suffix string
}

var _ appencryption.Metastore = (*store)(nil)

// GetRegionSuffix is how the library asks a metastore for the suffix of its key ids.
func (s *store) GetRegionSuffix() string { return s.suffix }

func (s *store) Load(_ context.Context, id string, created int64) (*appencryption.EnvelopeKeyRecord, error) {
	for _, r := range s.rows {
		if r.ID == id && r.Created == created {
			return parse(r)
		}
	}
	return nil, nil
}

func (s *store) LoadLatest(_ context.Context, id string) (*appencryption.EnvelopeKeyRecord, error) {
	var latest *Row
	for i, r := range s.rows {
		if r.ID == id && (latest == nil || r.Created > latest.Created) {
			latest = &s.rows[i]
		}
	}
	if latest == nil {
		return nil, nil
	}
	return parse(*latest)
}

func (s *store) Store(ctx context.Context, id string, created int64, key *appencryption.EnvelopeKeyRecord) (bool, error) {
	if found, err := s.Load(ctx, id, created); found != nil || err != nil {
		return false, err
	}
	text, err := json.Marshal(key)
	if err != nil {
		return false, err
	}
	s.rows = append(s.rows, Row{id, created, string(text)})
	return true, nil
}

func parse(r Row) (*appencryption.EnvelopeKeyRecord, error) {
	var key *appencryption.EnvelopeKeyRecord
	err := json.Unmarshal([]byte(r.Record), &key)
	return key, err
}
