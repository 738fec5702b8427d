// SPDX-License-Identifier: Apache-2.0

package metastore

import (
	"context"
	"sync"

	"asherah-napi/record"
)

// Memory keeps rows in this process alone: when it ends, every record made with them is lost.
type Memory struct {
	mu   sync.RWMutex
	rows map[string]map[int64]record.KeyRecord
}

func NewMemory() *Memory {
	return &Memory{rows: map[string]map[int64]record.KeyRecord{}}
}

func (m *Memory) Load(_ context.Context, id string, created int64) (*record.KeyRecord, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if row, ok := m.rows[id][created]; ok {
		return &row, nil
	}
	return nil, nil
}

func (m *Memory) LoadLatest(_ context.Context, id string) (*record.KeyRecord, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var latest *record.KeyRecord
	for created, row := range m.rows[id] {
		if latest == nil || created > latest.Created {
			latest = &row
		}
	}
	return latest, nil
}

func (m *Memory) Store(_ context.Context, id string, created int64, key *record.KeyRecord) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.rows[id][created]; ok {
		return false, nil
	}
	if m.rows[id] == nil {
		m.rows[id] = map[int64]record.KeyRecord{}
	}
	m.rows[id][created] = *key
	return true, nil
}

func (m *Memory) Close() error { return nil }
