package rows

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// Object writes one JSON object, member by member, each name once. What has no value is left out: empty texts and lists,
// zero times, absent raw values. The zero Object is empty; Reset makes it so again and keeps its memory.
type Object struct{ b []byte }

// Reset takes all members out.
func (o *Object) Reset() { o.b = o.b[:0] }

func (o *Object) name(name string) {
	sep := byte(',')
	if len(o.b) == 0 {
		sep = '{'
	}
	o.b = append(AppendString(append(o.b, sep), name), ':')
}

// Text writes a text.
func (o *Object) Text(name, value string) {
	if value != "" {
		o.name(name)
		o.b = AppendString(o.b, value)
	}
}

// Texts writes a list of texts.
func (o *Object) Texts(name string, values []string) {
	if len(values) == 0 {
		return
	}
	o.name(name)
	sep := byte('[')
	for _, v := range values {
		o.b = AppendString(append(o.b, sep), v)
		sep = ','
	}
	o.b = append(o.b, ']')
}

// Int writes an integer, 0 too.
func (o *Object) Int(name string, value int64) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, value, 10)
}

// Time writes a time in RFC 3339 with its zone.
func (o *Object) Time(name string, value time.Time) {
	if !value.IsZero() {
		o.Text(name, value.Format(time.RFC3339Nano))
	}
}

// Raw writes a value that is valid JSON as it stands. Where it holds what no row can (bytes that are not UTF-8, half a
// character), it is written anew with U+FFFD in that place.
func (o *Object) Raw(name string, value []byte) {
	if len(value) == 0 {
		return
	}
	o.name(name)
	if utf8.Valid(value) && loneSurrogate(value) < 0 {
		o.b = append(o.b, value...)
		return
	}
	o.b = append(o.b, mended(value)...)
}

// mended is the value as the standard library reads and writes it, numbers with every digit.
func mended(value []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return AppendString(nil, string(value))
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return AppendString(nil, string(value))
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// Bytes is the object; it is valid until the next Reset and must not be followed by more members.
func (o *Object) Bytes() []byte {
	if len(o.b) == 0 {
		o.b = append(o.b, '{')
	}
	o.b = append(o.b, '}')
	return o.b
}
