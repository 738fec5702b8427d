// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
)

func write(t *Template, created, parentCreated int64, data []byte) []byte {
	key := [KeySize]byte{1, 2, 3}
	out := make([]byte, t.MaxSize(len(data)))
	n := t.Write(out, created, &key, parentCreated, len(data), func(sealed []byte) { copy(sealed, data) })
	return out[:n]
}

// The text, to the letter, is what the Go library's encoding/json gives for its DataRowRecord.
func TestWriteGivesTheGoLibrarysText(t *testing.T) {
	template := NewTemplate("_IK_p_svc_prod")
	got := string(write(&template, 1795362702, 1795362660, []byte("data")))
	want := `{"Key":{"Created":1795362702,"Key":"AQID` + strings.Repeat("A", 76) +
		`","ParentKeyMeta":{"KeyId":"_IK_p_svc_prod","Created":1795362660}},"Data":"ZGF0YQ=="}`
	if got != want {
		t.Fatalf("got  %s\nwant %s", got, want)
	}
}

// The data's base64 is written over the data itself: every length around the block sizes of the vectorised encoder.
func TestEveryLengthIsReadBackByBothParsers(t *testing.T) {
	template := NewTemplate("_IK_<p>&\"\\\u2028é_svc_prod")
	if template.ASCII() {
		t.Error("not ASCII")
	}
	for n := range 700 {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i*31 + n)
		}
		text := write(&template, int64(n), int64(n)*1e6, data)
		row, err := ParseDataRow(text)
		if err != nil || !bytes.Equal(row.Data, data) || row.Created != int64(n) || row.ParentKeyMeta.Created != int64(n)*1e6 {
			t.Fatalf("%d bytes: %v\n%s", n, err, text)
		}
		fields, ok := template.Parse(text)
		if !ok {
			t.Fatalf("%d bytes: not parsed\n%s", n, text)
		}
		out := make([]byte, fields.DataRoom())
		if size, ok := fields.DecodeData(out); !ok || !bytes.Equal(out[:size], data) {
			t.Fatalf("%d bytes: decoded differently", n)
		}
	}
}

func TestOtherFormsAreReadAsEncodingJSONReadsThem(t *testing.T) {
	template := NewTemplate("_IK_p_svc_prod")
	key := base64.StdEncoding.EncodeToString(make([]byte, KeySize))
	for name, text := range map[string]string{
		"Java's order":     `{"Data":"ZGF0YQ==","Key":{"ParentKeyMeta":{"KeyId":"_IK_p_svc_prod","Created":2},"Key":"` + key + `","Created":1}}`,
		"blanks":           ` { "Key" : { "Created" : 1 , "Key" : "` + key + `" , "ParentKeyMeta" : { "KeyId" : "_IK_p_svc_prod" , "Created" : 2 } } , "Data" : "ZGF0YQ==" } `,
		"lower case":       `{"key":{"created":1,"key":"` + key + `","parentkeymeta":{"keyid":"_IK_p_svc_prod","created":2}},"data":"ZGF0YQ=="}`,
		"Revoked":          `{"Key":{"Revoked":false,"Created":1,"Key":"` + key + `","ParentKeyMeta":{"KeyId":"_IK_p_svc_prod","Created":2}},"Data":"ZGF0YQ=="}`,
		"unknown fields":   `{"Key":{"Created":1,"Key":"` + key + `","ParentKeyMeta":{"KeyId":"_IK_p_svc_prod","Created":2},"X":[1,{}]},"Data":"ZGF0YQ==","Y":null}`,
		"escapes":          `{"Key":{"Created":1,"Key":"` + key + `","ParentKeyMeta":{"KeyId":"\u005fIK_p_svc_prod","Created":2}},"Data":"\u005aGF0YQ=="}`,
		"escape in base64": `{"Key":{"Created":1,"Key":"` + key + `","ParentKeyMeta":{"KeyId":"_IK_p_svc_prod","Created":2}},"Data":"\u005aGF0YQ=="}`,
	} {
		row, err := ParseDataRow([]byte(text))
		if err != nil || string(row.Data) != "data" || row.ParentKeyMeta != (KeyMeta{"_IK_p_svc_prod", 2}) || len(row.Key) != KeySize {
			t.Errorf("%s: %+v, %v", name, row, err)
		}
		if fields, ok := template.Parse([]byte(text)); ok {
			if _, ok := fields.DecodeData(make([]byte, fields.DataRoom())); ok {
				t.Errorf("%s: taken for our own form", name)
			}
		}
	}
}

func TestMessagesDoNotQuoteTheText(t *testing.T) {
	for _, text := range []string{`{"Data":"c2VjcmV0!"}`, `secret`, `{"Key":"secret"}`, `{"Data":5}`, `null`, `{}`, `{"Key":{}}`, `[]`, ``} {
		_, err := ParseDataRow([]byte(text))
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "c2Vj") {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := ParseKeyRecord([]byte(text)); err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Whatever the fast parser takes, the exact one takes as well, and reads the same.
func FuzzTemplateAgreesWithEncodingJSON(f *testing.F) {
	template := NewTemplate("_IK_p_svc_prod")
	for _, data := range []string{"", "data", strings.Repeat("long data ", 30)} {
		text := write(&template, 1795362702, 1795362660, []byte(data))
		f.Add(text)
		f.Add(text[:len(text)-1])
		f.Add(bytes.Replace(text, []byte(`"Data"`), []byte(`"data"`), 1))
		f.Add(bytes.Replace(text, []byte(`"Data":"`), []byte(`"Data":"","Data":"`), 1))
		f.Add(bytes.Replace(text, []byte(`"}`), []byte("\n\"}"), 1))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		row, err := ParseDataRow(text)
		fields, ok := template.Parse(text)
		if !ok {
			return
		}
		out := make([]byte, fields.DataRoom())
		n, dataOK := fields.DecodeData(out)
		var key [KeySize + DecodeSlack]byte
		if !dataOK || !fields.DecodeKey(&key) {
			return
		}
		if err != nil {
			t.Fatalf("the fast parser took what is no record: %v", err)
		}
		if !bytes.Equal(out[:n], row.Data) || !bytes.Equal(key[:KeySize], row.Key) ||
			row.ParentKeyMeta != (KeyMeta{"_IK_p_svc_prod", fields.ParentCreated}) {
			t.Fatal("the two parsers read different things")
		}
	})
}

func FuzzKeyRecord(f *testing.F) {
	f.Add([]byte(`{"Created":1,"Key":"a2V5","ParentKeyMeta":{"KeyId":"_SK_svc_prod","Created":1}}`))
	f.Add([]byte(`{"Revoked":true,"Created":1,"Key":"a2V5"}`))
	f.Add([]byte(`{"Key":"a2V5","Created":1,"Revoked":false,"ParentKeyMeta":null}`))
	f.Add([]byte(`{"created":1,"KEY":"a2V5"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := ParseKeyRecord(text)
		if err != nil {
			return
		}
		again, err := ParseKeyRecord(AppendKeyRecord(nil, r))
		if err != nil {
			t.Fatal(err)
		}
		a, _ := json.Marshal(r)
		b, _ := json.Marshal(again)
		if !bytes.Equal(a, b) {
			t.Fatalf("%s became %s", a, b)
		}
	})
}

// The vectorised decoder against the standard library's, in memory that is followed by bytes it must not touch.
func FuzzBase64(f *testing.F) {
	for _, n := range []int{0, 1, 2, 3, 31, 32, 33, 60, 100} {
		f.Add([]byte(base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, n))))
	}
	f.Add([]byte("AA==AA=="))
	f.Add([]byte(strings.Repeat("A", 64) + "\n" + strings.Repeat("A", 64)))
	f.Fuzz(func(t *testing.T, text []byte) {
		fields := Fields{Data: text}
		room := fields.DataRoom()
		out := bytes.Repeat([]byte{0xaa}, room+64)
		n, ok := fields.DecodeData(out[:room:room])
		if !bytes.Equal(out[room:], bytes.Repeat([]byte{0xaa}, 64)) {
			t.Fatal("written beyond the room asked for")
		}
		want, err := base64.StdEncoding.DecodeString(string(text))
		canonical := err == nil && !bytes.ContainsAny(text, "\r\n")
		if ok != canonical || (ok && !bytes.Equal(out[:n], want)) {
			t.Fatalf("decoded %v, encoding/base64 %v", ok, err)
		}
	})
}
