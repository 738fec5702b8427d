// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"asherah-napi/observe"
)

func TestEachRequestIsToldWithItsRegion(t *testing.T) {
	q := observe.NewQueue(func() {})
	sink := new(observe.Sink)
	sink.Route(1, []observe.Target{{Queue: q, Wants: observe.Metrics | observe.AllLogs}})
	w := newWorld(t, func(c *Config) { c.Sink = sink })
	heard := func() (told []string) {
		out := make([]byte, 1<<16)
		text := out[:max(q.Take(out), 0)]
		if len(text) == 0 {
			return nil
		}
		if strings.Contains(string(text), secretKey) || strings.Contains(string(text), sessionToken) {
			t.Errorf("a secret: %s", text)
		}
		var batch struct {
			Events []struct {
				Metric *struct {
					Type, Region, ErrorCode string
					DurationNs              int64
				}
				Log *struct{ Level, Target, Message string }
			}
		}
		if err := json.Unmarshal(text, &batch); err != nil {
			t.Fatal(err)
		}
		for _, e := range batch.Events {
			if e.Metric != nil {
				if e.Metric.DurationNs < 1000 {
					t.Errorf("a request of %d ns", e.Metric.DurationNs)
				}
				told = append(told, strings.TrimSpace(e.Metric.Type+" "+e.Metric.Region+" "+e.Metric.ErrorCode))
			} else {
				words := strings.Fields(e.Log.Message)
				told = append(told, strings.Join(append([]string{e.Log.Level, e.Log.Target}, words[:4]...), " "))
			}
		}
		return told
	}
	want := func(want ...string) {
		t.Helper()
		if got := heard(); !slices.Equal(got, want) {
			t.Fatalf("got  %q\nwant %q", got, want)
		}
	}

	encrypted := w.encrypt()
	want("kms_encrypt us-west-2", "debug asherah.kms kms us-west-2: GenerateDataKey took",
		"kms_encrypt eu-west-1", "debug asherah.kms kms eu-west-1: Encrypt took")
	w.decrypt(encrypted)
	want("kms_decrypt us-west-2", "debug asherah.kms kms us-west-2: Decrypt took")
	w.preferred.stop()
	w.decrypt(encrypted)
	want("kms_decrypt us-west-2 ERR_ASHERAH_KMS", "debug asherah.kms kms us-west-2: Decrypt failed",
		"kms_decrypt eu-west-1", "debug asherah.kms kms eu-west-1: Decrypt took")
}
