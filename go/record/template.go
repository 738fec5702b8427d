// SPDX-License-Identifier: Apache-2.0

package record

import (
	"bytes"
	"strconv"

	"github.com/segmentio/asm/base64" // encoding/base64 where the CPU lacks AVX2 or NEON; 8 KB in 0.5 us instead of 7
)

const (
	// KeySize is the size of a sealed data row key: 32 bytes, tag, nonce.
	KeySize = 60

	beforeCreated = `{"Key":{"Created":`
	beforeKey     = `,"Key":"`
	beforeParent  = `","ParentKeyMeta":{"KeyId":`
	beforeData    = `}},"Data":"`
	end           = `"}`

	keyTextSize = KeySize / 3 * 4
	maxDigits   = 20 // of an int64
	// DecodeSlack is what vectorised base64 may write beyond its result.
	DecodeSlack = 32
)

// Template writes the data row records of one intermediate key id, and reads those in the same form (field order and
// white space), without allocating: nearly all that a session meets.
type Template struct {
	parent string // from beforeParent to the digits of the intermediate key's created date
	ascii  bool
}

// NewTemplate makes the template for records whose intermediate key has this id.
func NewTemplate(keyID string) Template {
	parent := beforeParent + string(appendJSON(nil, keyID)) + `,"Created":`
	ascii := true
	for i := range len(parent) {
		ascii = ascii && parent[i] < 0x80
	}
	return Template{parent, ascii}
}

// ASCII says whether records are ASCII texts. They are UTF-8 otherwise.
func (t *Template) ASCII() bool { return t.ascii }

// MaxSize is an upper bound of the size of a record with this much sealed data.
func (t *Template) MaxSize(data int) int {
	return len(beforeCreated) + maxDigits + len(beforeKey) + keyTextSize + len(t.parent) + maxDigits + len(beforeData) +
		base64.StdEncoding.EncodedLen(data) + len(end)
}

// Write writes a record to out, which must have MaxSize(dataSize) bytes, and returns its size. key is the sealed data row
// key. seal is called once, with the part of out where the sealed data, dataSize bytes, are to be written.
//
// That part is the end of the room that the data's base64 text will take, so the text can be written over it from the
// left: when a group of 3 bytes has been read, its 4 characters end before the next group begins.
func (t *Template) Write(out []byte, created int64, key *[KeySize]byte, parentCreated int64, dataSize int, seal func(sealed []byte)) int {
	b := append(out[:0], beforeCreated...)
	b = strconv.AppendInt(b, created, 10)
	b = append(b, beforeKey...)
	n := len(b)
	b = b[:n+keyTextSize]
	base64.StdEncoding.Encode(b[n:], key[:])
	b = append(b, t.parent...)
	b = strconv.AppendInt(b, parentCreated, 10)
	b = append(b, beforeData...)
	n = len(b)
	size := base64.StdEncoding.EncodedLen(dataSize)
	text := b[n : n+size : n+size]
	sealed := text[size-dataSize:]
	seal(sealed)
	base64.StdEncoding.Encode(text, sealed)
	b = append(b[:n+size], end...)
	return len(b)
}

// Fields are a record's parts as they stand in its text; Key and Data are base64.
type Fields struct {
	ParentCreated int64
	Key           []byte
	Data          []byte
}

// Parse finds the fields of a record in the very form that Write gives, of this key id. False: it has another form, or is
// no record; ParseDataRow tells.
func (t *Template) Parse(text []byte) (f Fields, ok bool) {
	rest := text
	if rest, ok = cut(rest, beforeCreated); !ok {
		return f, false
	}
	if _, rest, ok = cutInt(rest); !ok {
		return f, false
	}
	if rest, ok = cut(rest, beforeKey); !ok || len(rest) < keyTextSize {
		return f, false
	}
	f.Key, rest = rest[:keyTextSize], rest[keyTextSize:]
	if rest, ok = cut(rest, t.parent); !ok {
		return f, false
	}
	if f.ParentCreated, rest, ok = cutInt(rest); !ok {
		return f, false
	}
	if rest, ok = cut(rest, beforeData); !ok || len(rest) < len(end) {
		return f, false
	}
	// Whatever stands before the last two bytes must be base64 throughout, or DecodeData refuses it: a quote, an escape
	// or a second field can't hide in it.
	f.Data, rest = rest[:len(rest)-len(end)], rest[len(rest)-len(end):]
	return f, string(rest) == end
}

// DecodeKey decodes the sealed data row key; false if it is not KeySize bytes of canonical base64.
func (f *Fields) DecodeKey(key *[KeySize + DecodeSlack]byte) bool {
	n, err := base64.StdEncoding.Decode(key[:], f.Key)
	return err == nil && n == KeySize
}

// DataRoom is how many bytes DecodeData needs.
func (f *Fields) DataRoom() int { return base64.StdEncoding.DecodedLen(len(f.Data)) + DecodeSlack }

// DecodeData decodes the sealed data to out and returns its size; false if it is not canonical base64 (white space, which
// encoding/base64 passes over, is not).
func (f *Fields) DecodeData(out []byte) (int, bool) {
	n, err := base64.StdEncoding.Decode(out, f.Data)
	if err != nil || len(f.Data)%4 != 0 || n != len(f.Data)/4*3-padding(f.Data) {
		return 0, false
	}
	return n, true
}

func padding(text []byte) int {
	return len(text) - len(bytes.TrimRight(text, "="))
}

func cut(text []byte, prefix string) ([]byte, bool) {
	if len(text) < len(prefix) || string(text[:len(prefix)]) != prefix {
		return nil, false
	}
	return text[len(prefix):], true
}

// cutInt reads a number of 1 to 18 digits without a leading zero. Anything else that JSON allows, ParseDataRow reads.
func cutInt(text []byte) (v int64, rest []byte, ok bool) {
	i := 0
	for ; i < len(text) && i < 18 && '0' <= text[i] && text[i] <= '9'; i++ {
		v = v*10 + int64(text[i]-'0')
	}
	if i == 0 || (text[0] == '0' && i > 1) {
		return 0, nil, false
	}
	return v, text[i:], true
}
