// SPDX-License-Identifier: Apache-2.0

package awskms

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"asherah-napi/check"
	"asherah-napi/cloud/awsconfig"
	"asherah-napi/fault"
	"asherah-napi/kms"
	"asherah-napi/kms/kmstest"

	awskms "github.com/aws/aws-sdk-go-v2/service/kms"
)

var (
	_ kms.KMS        = (*KMS)(nil)
	_ kms.Completer  = (*KMS)(nil)
	_ check.Verifier = (*KMS)(nil)
)

var raw = bytes.Repeat([]byte{42}, 32)

func (w *world) encrypt() []byte {
	w.t.Helper()
	encrypted, err := w.EncryptKey(context.Background(), raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return encrypted
}

func (w *world) decrypt(encrypted []byte) {
	w.t.Helper()
	got := make([]byte, 32)
	if err := w.DecryptKey(context.Background(), encrypted, got); err != nil || !bytes.Equal(got, raw) {
		w.t.Fatalf("another key came back, %v", err)
	}
}

func TestConformanceWithTheFake(t *testing.T) {
	w := newWorld(t, nil)
	kmstest.Run(t, func(*testing.T) kms.KMS {
		// not the test's own failures: what the suite changes may look like a region's, and requests queue up
		return w.open(func(c *Config) { c.RegionTimeout = 5 * time.Second })
	})
}

// With ASHERAH_TEST_KMS_ENDPOINTS="us-west-2=http://127.0.0.1:15001,us-east-1=http://127.0.0.1:15002".
func TestConformanceWithEmulators(t *testing.T) {
	endpoints := os.Getenv("ASHERAH_TEST_KMS_ENDPOINTS")
	if endpoints == "" {
		if os.Getenv("ASHERAH_TEST_REQUIRE") == "1" {
			t.Fatal("ASHERAH_TEST_KMS_ENDPOINTS is not set")
		}
		t.Skip("no KMS emulators: node scripts/services.mjs run -- COMMAND starts them")
	}
	config := Config{RegionTimeout: 10 * time.Second}
	for _, one := range strings.Split(endpoints, ",") {
		name, endpoint, _ := strings.Cut(one, "=")
		cfg, err := awsconfig.Load(context.Background(), source(t), name)
		if err != nil {
			t.Fatal(err)
		}
		defer awsconfig.Close(cfg)
		made, err := awskms.NewFromConfig(cfg, func(o *awskms.Options) { o.BaseEndpoint = &endpoint }).CreateKey(context.Background(), &awskms.CreateKeyInput{})
		if err != nil {
			t.Fatal(err)
		}
		config.Regions = append(config.Regions, Region{name, *made.KeyMetadata.Arn, endpoint})
	}
	open := func(t *testing.T) *KMS {
		k, err := New(config, source(t))
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	kmstest.Run(t, func(t *testing.T) kms.KMS { return open(t) })
	k := open(t)
	defer k.Close()
	for _, result := range k.Verify(context.Background()) {
		if result.Status != check.OK {
			t.Errorf("%+v", result)
		}
	}
}

func TestTheStoredBytesAreThoseOfEveryAsherah(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		third := newFake(t, "ap-south-1")
		c.Regions = append(c.Regions, Region{"ap-south-1", "alias/mine", "http://" + third.address})
	})
	b64 := `"[A-Za-z0-9+/]+=*"`
	kek := func(region, arn string) string {
		return `{"region":"` + region + `","arn":"` + arn + `","encryptedKek":` + b64 + `}`
	}
	want := regexp.MustCompile(`^{"encryptedKey":"[A-Za-z0-9+/]{80}","kmsKeks":\[` + kek("us-west-2", arnOf("us-west-2", "k")) + `,` +
		kek("ap-south-1", "alias/mine") + `,` + kek("eu-west-1", arnOf("eu-west-1", "k")) + `\]}$`)
	encrypted := w.encrypt()
	if !want.Match(encrypted) {
		t.Fatalf("%s", encrypted)
	}
	if !w.Complete(encrypted) {
		t.Error("incomplete")
	}
	if got := w.warned(""); len(got) != 0 {
		t.Error(got)
	}
	if n := w.preferred.count("GenerateDataKey") + w.other.count("GenerateDataKey"); n != 1 {
		t.Errorf("%d data keys", n)
	}
}

func TestAnEnvelopeOfForeignOrderIsRead(t *testing.T) {
	w := newWorld(t, nil)
	var e envelope
	if err := json.Unmarshal(w.encrypt(), &e); err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString
	w.decrypt([]byte(` {
		"version": 2, "kmsKeks" : [
			{"encryptedKek": "AAAA", "arn": "arn:aws:kms:ap-south-1:1:key/x", "region": "ap-south-1"},
			{"encryptedKek": "` + b64(e.KEKs[1].EncryptedKEK) + `", "more": {"x": [1]}, "region": "eu-west-1", "arn": ""} ],
		"encryptedKey" : "` + b64(e.EncryptedKey) + `" }
	`))
	if w.preferred.count("Decrypt") != 0 {
		t.Error("a region was asked that the envelope doesn't have")
	}
}

func TestABadEnvelopeIsAnInvalidKeyRecord(t *testing.T) {
	w := newWorld(t, nil)
	for _, text := range []string{"", "x", "{", "{}", `{"encryptedKey":"AAAA","kmsKeks":[]}`, `{"encryptedKey":"AAAA","kmsKeks":[{"region":"us-west-2","arn":"","encryptedKek":"AAAA"}]}`,
		`{"encryptedKey":1}`, `{"encryptedKey":"*","kmsKeks":[{}]}`, strings.Repeat("\xff", 60)} {
		if err := w.DecryptKey(context.Background(), []byte(text), make([]byte, 32)); fault.CodeOf(err) != fault.InvalidKeyRecord {
			t.Errorf("%q: %v", text, err)
		}
		if w.Complete([]byte(text)) {
			t.Errorf("%q is complete", text)
		}
	}
	if n := w.preferred.count("") + w.other.count(""); n != 0 {
		t.Errorf("%d requests", n)
	}
}

func TestAnEnvelopeWithoutAConfiguredRegionNamesThoseItHas(t *testing.T) {
	w := newWorld(t, nil)
	encrypted := bytes.ReplaceAll(bytes.ReplaceAll(w.encrypt(), []byte("us-west-2"), []byte("sa-east-1")), []byte("eu-west-1"), []byte("eu-south-2"))
	err := w.DecryptKey(context.Background(), encrypted, make([]byte, 32))
	if fault.CodeOf(err) != fault.KMS || !strings.Contains(err.Error(), "sa-east-1, eu-south-2") || !strings.Contains(err.Error(), "us-west-2, eu-west-1") {
		t.Error(err)
	}
}

func TestTheKeyThatDecryptsIsTheConfiguredOneOrOfItsAccount(t *testing.T) {
	for _, c := range []struct{ configured, encrypted, message string }{
		{arnOf("us-west-2", "new"), arnOf("us-west-2", "old"), ""},
		{"alias/moved", arnOf("us-west-2", "old"), ""},
		{"new", arnOf("us-west-2", "old"), ""},
		{arnOf("us-west-2", "new"), "arn:aws:kms:us-west-2:666666666666:key/evil", "another AWS account"},
		{"alias/moved", "arn:aws:kms:us-west-2:666666666666:key/evil", "another AWS account"},
	} {
		w := newWorld(t, nil)
		w.preferred.aliases["alias/moved"] = arnOf("us-west-2", "new")
		w.preferred.aliases["before"] = c.encrypted
		w.KMS = w.open(func(config *Config) { config.Regions = config.Regions[:1]; config.Regions[0].Key = "before" })
		encrypted := w.encrypt()
		w.KMS = w.open(func(config *Config) { config.Regions = config.Regions[:1]; config.Regions[0].Key = c.configured })
		got := make([]byte, 32)
		err := w.DecryptKey(context.Background(), encrypted, got)
		if w.preferred.keyIDs[0] != c.configured {
			t.Errorf("%s: asked for %s first", c.configured, w.preferred.keyIDs[0])
		}
		if c.message == "" && (err != nil || !bytes.Equal(got, raw)) {
			t.Errorf("%s, encrypted by %s: %v", c.configured, c.encrypted, err)
		}
		if c.message != "" && (err == nil || !strings.Contains(err.Error(), c.message) || !bytes.Equal(got, make([]byte, 32))) {
			t.Errorf("%s, encrypted by %s: %v", c.configured, c.encrypted, err)
		}
	}
}

func TestConfigurationsThatCannotWork(t *testing.T) {
	arn := arnOf("us-west-2", "k")
	for want, c := range map[string]Config{
		"at least one":  {RegionTimeout: timeout},
		"timeout":       {Regions: []Region{{"us-west-2", arn, ""}}},
		"given twice":   {Regions: []Region{{"us-west-2", arn, ""}, {"", arn, ""}}, RegionTimeout: timeout},
		"the key's ARN": {Regions: []Region{{"eu-west-1", arn, ""}}, RegionTimeout: timeout},
		"empty string":  {Regions: []Region{{"eu-west-1", "", ""}}, RegionTimeout: timeout},
		"AWS_REGION":    {Regions: []Region{{"", "alias/x", ""}}, RegionTimeout: timeout},
	} {
		if _, err := New(c, source(t)); fault.CodeOf(err) != fault.InvalidConfig || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	k, err := New(Config{Regions: []Region{{"", arn, ""}}, RegionTimeout: timeout}, source(t))
	if err != nil || k.regions[0].name != "us-west-2" {
		t.Fatal(err)
	}
	k.Close()
}

func TestVerifyTriesEveryRegion(t *testing.T) {
	w := newWorld(t, nil)
	w.other.set(only("Decrypt", denies))
	results := w.Verify(context.Background())
	if len(results) != 2 || results[0].Name != "kms us-west-2" || results[0].Status != check.OK ||
		results[1].Name != "kms eu-west-1" || results[1].Status != check.Failure || !strings.Contains(results[1].Message, "AccessDeniedException") {
		t.Errorf("%+v", results)
	}
}

func TestCredentialsThatFailAreNotARegionsFault(t *testing.T) {
	w := newWorld(t, nil)
	encrypted := w.encrypt()
	src := source(t)
	wanted := make(chan struct{}, 10)
	pushed := awsconfig.NewPushed(func() { wanted <- struct{}{} })
	src.Credentials = pushed
	k, err := New(w.Config, src)
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	go func() {
		<-wanted
		pushed.Fail("the vault is sealed")
	}()
	err = k.DecryptKey(context.Background(), encrypted, make([]byte, 32))
	if fault.CodeOf(err) != fault.KMS || !strings.Contains(err.Error(), "the vault is sealed") || strings.Contains(err.Error(), "us-west-2") {
		t.Error(err)
	}
	go func() {
		<-wanted
		time.Sleep(2 * timeout) // later than a region may be
		pushed.Set("A", "b", "c", time.Time{})
	}()
	time.Sleep(time.Second) // until the function is asked again
	if err := k.DecryptKey(context.Background(), encrypted, make([]byte, 32)); err != nil {
		t.Error(err)
	}
	if got := w.warned(""); len(got) != 0 {
		t.Error(got)
	}
}

func TestNoGoroutineIsLeftAfterClose(t *testing.T) {
	w := newWorld(t, nil)
	w.preferred.set(hangs)
	before := runtime.NumGoroutine() // the fakes'
	k := w.open(func(c *Config) { c.RegionTimeout = 20 * time.Millisecond })
	if _, err := k.EncryptKey(context.Background(), raw); err != nil {
		t.Fatal(err)
	}
	k.Close()
	for range 100 { // the servers' own end a little later
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	text := make([]byte, 1<<20)
	t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, text[:runtime.Stack(text, true)])
}
