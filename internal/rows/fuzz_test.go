package rows

import (
	"bytes"
	"encoding/json"
	"math/big"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
)

// decodeSlow is what the package promises to accept, said with encoding/json.
func decodeSlow(object []byte) (m map[string]any, ok bool) {
	if !utf8.Valid(object) || !json.Valid(object) || halfSurrogate(object) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return nil, false
	}
	m, ok = v.(map[string]any)
	return m, ok
}

var (
	escapes    = regexp.MustCompile(`\\(u[0-9a-fA-F]{4}|.)`)
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// halfSurrogate looks for \ud800 … \udfff that do not make pairs, in valid JSON.
func halfSurrogate(object []byte) bool {
	open := -1 // where a high half ended
	for _, at := range escapes.FindAllIndex(object, -1) {
		r := uint64(0)
		if at[1]-at[0] == 6 {
			r, _ = strconv.ParseUint(string(object[at[0]+2:at[1]]), 16, 32)
		}
		low := r >= 0xdc00 && r < 0xe000
		if open >= 0 && !(low && open == at[0]) || open < 0 && low {
			return true
		}
		open = -1
		if r >= 0xd800 && r < 0xdc00 {
			open = at[1]
		}
	}
	return open >= 0
}

// fitSlow fits a decoded value to a column; absent columns are not asked for.
func fitSlow(f arrow.Field, v any) (any, bool) {
	if v == nil {
		return nil, true
	}
	number, isNumber := v.(json.Number)
	text, isText := v.(string)
	truth, isBool := v.(bool)
	switch describe(f) {
	case "utf8":
		switch {
		case isNumber:
			return string(number), true
		case isBool:
			return strconv.FormatBool(truth), true
		}
		return v, isText
	case "int64":
		if isText {
			n, err := strconv.ParseInt(text, 10, 64)
			return json.Number(text), err == nil && strconv.FormatInt(n, 10) == text
		}
		return fitInteger(string(number), isNumber)
	case "number":
		if isText {
			return json.Number(text), jsonNumber.MatchString(text)
		}
		return v, isNumber
	case "bool":
		if text == "true" || text == "false" {
			return text == "true", true
		}
		return v, isBool
	case "list<item: utf8, nullable>":
		return fitListSlow(v)
	}
	return v, true
}

func fitListSlow(v any) (any, bool) {
	list, ok := v.([]any)
	for i := range list {
		var fits bool
		list[i], fits = fitSlow(arrow.Field{Type: arrow.BinaryTypes.String}, list[i])
		ok = ok && fits
	}
	return list, ok
}

func fitInteger(number string, isNumber bool) (any, bool) {
	if !isNumber {
		return nil, false
	}
	mantissa, exp, _ := strings.Cut(strings.ToLower(number), "e")
	if strings.Trim(mantissa, "-0.") == "" {
		return json.Number("0"), true
	}
	if e, err := strconv.Atoi("0" + strings.TrimLeft(exp, "+-")); err != nil || e > 10_000 {
		return nil, false // big.Rat would fill the memory; fuzzing makes no mantissa long enough to matter
	}
	r, ok := new(big.Rat).SetString(number)
	if !ok || !r.IsInt() || !r.Num().IsInt64() {
		return nil, false
	}
	return json.Number(r.Num().String()), true
}

// expect is what a row must read back as; ok is false where it must be refused.
func expect(schema *arrow.Schema, object []byte) (want map[string]any, ok bool) {
	want, ok = decodeSlow(object)
	if !ok {
		return nil, false
	}
	for _, f := range schema.Fields() {
		v, present := want[f.Name]
		if !present || strings.HasPrefix(f.Name, "_") {
			continue
		}
		if want[f.Name], ok = fitSlow(f, v); !ok {
			return nil, false
		}
	}
	return want, true
}

// agree holds the builder and the encoders against encoding/json, for one object among two others.
func agree(t *testing.T, schema *arrow.Schema, object []byte) {
	t.Helper()
	const good = `{"s":"x","q":[1,"\u0041"],"i":7}`
	b := NewBuilder(checked(t), schema)
	defer b.Release()
	input := bytes.Clone(object)
	want, ok := expect(schema, object)
	objects := []string{good, string(object), good, string(object), good} // the second time, every key has been seen
	for row, o := range objects {
		r := b.Append([]byte(o))
		if taken := ok || row%2 == 0; (r == nil) != taken {
			t.Fatalf("%q, row %d: want taken %v, got %v", object, row, taken, r)
		}
		if r == nil {
			continue
		}
		if r.Message == "" || len(r.Message) > 200 || r.Message == "not valid JSON" {
			t.Fatalf("%q: message %q", object, r.Message)
		}
		b.AppendRefused([]byte(o))
	}
	rec := b.NewRecord()
	defer rec.Release()
	enc := NewEncoder(schema, nil)
	enc.Bind(rec)
	wantGood, _ := expect(schema, []byte(good))
	for row := range objects {
		line := AppendJSON(nil, rec, row)
		got, valid := decodeSlow(line)
		switch {
		case row%2 == 0:
			valid = valid && reflect.DeepEqual(got, wantGood)
		case ok:
			valid = valid && reflect.DeepEqual(got, want) && string(enc.AppendObject(nil, row)) == string(line)
		default:
			valid = json.Valid(line) && utf8.Valid(line)
		}
		if !valid || bytes.ContainsAny(line, "\n\r") {
			t.Fatalf("%q: row %d is %q, want %v", object, row, line, want)
		}
	}
	if !bytes.Equal(input, object) {
		t.Fatalf("the input was changed: %q", object)
	}
}

var seeds = []string{
	``, `{}`, ` {"s" : "x" , "i" : 1 } `, contact,
	`{"s":null,"i":null,"n":null,"b":null,"l":null,"o":null,"u":null}`,
	`{"s":12,"i":"12","n":"1.50","b":"true","l":"a","o":[],"u":{}}`,
	`{"i":12.0,"n":1e400,"u":123456789012345678901234567890}`, `{"i":1.2e1}`, `{"i":9223372036854775808}`, `{"i":-9223372036854775808}`,
	`{"s":"\ud83d\ude00\u0000\/\b\f\n\r\t\"\\"}`, `{"s":"\ud800"}`, `{"l":["\udc00",{"\ud83d":1}]}`, "{\"s\":\"\xff\"}", "{\"l\":[\"\xe4\xbd\"]}",
	`{"s":"a","s":"b","\u0073":"c"}`, `{"x":1,"x":2,"\u0078":3}`, `{"_extra":{"a":1},"_null":"x","_key":1}`,
	"{\"l\":[1,\n2,\r\n{\"a\":\t[]}]}", `{"s":"x"} {}`, `{"s":01}`, `{"s":1.}`, `{"s":-}`, `{"l":[1,]}`, `{"o":{"a":1,}}`, `{"o":{"a":[true,false,null,1e5,"\\"]}}`,
	`{"s":{}}`, `{"b":1}`, `{"n":"x"}`, `{"i":1.5}`, `{"i":"0x1"}`, `{"i":1e99999999999}`, `{"i":0.00e-99999999999}`,
	`{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":1}`,
}

func FuzzBuilder(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	raw := RawSchema([]string{"s", "i", "l"})
	f.Fuzz(func(t *testing.T, object []byte) {
		agree(t, typedSchema, object)
		agree(t, raw, object)
		agree(t, listSchema, object)
	})
}

func FuzzSchemaFromJSON(f *testing.F) {
	f.Add([]byte(contactSchema))
	f.Add([]byte(`{"properties":{"a":{"type":["null","string"]},"b":{"anyOf":[{"type":"integer","maximum":1e30},true]}}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		schema, err := SchemaFromJSON(doc)
		if err != nil {
			return
		}
		if _, ok := decodeSlow(doc); !ok {
			t.Fatalf("%q is no object, and was taken", doc)
		}
		// Whatever came out, a builder must take it.
		b := NewBuilder(checked(t), schema)
		if r := b.Append([]byte(`{}`)); r != nil {
			t.Fatal(r)
		}
		b.NewRecord().Release()
	})
}

func FuzzAppendString(f *testing.F) {
	for _, s := range append(seeds, "\x00\x1f\x7f<>&\u2028", "12345678\"", "1234567\\8\xff", "\xed\xa0\x80") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := AppendString([]byte("x"), s)
		var text string
		if err := json.Unmarshal(got[1:], &text); err != nil || !utf8.Valid(got) {
			t.Fatalf("%q: got %q: %v", s, got, err)
		}
		// encoding/json replaces byte by byte as well.
		var want string
		raw, _ := json.Marshal(s)
		if err := json.Unmarshal(raw, &want); err != nil {
			t.Fatal(err)
		}
		if text != want {
			t.Fatalf("%q: got %q, want %q", s, text, want)
		}
	})
}
