package rows

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// wideSchema has every type that this package knows, also those that JSON cannot fill.
var wideSchema = arrow.NewSchema([]arrow.Field{
	{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
	connector.JSONField("json"),
	{Name: "int", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "float", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "bool", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	{Name: "bin", Type: arrow.BinaryTypes.Binary, Nullable: true},
	{Name: "list", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	{Name: "small", Type: arrow.PrimitiveTypes.Int16, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "_key", Type: arrow.BinaryTypes.Binary, Nullable: true},
}, nil)

// wideRows are rows of wideSchema as they print; "_key" does not.
var wideRows = []string{
	`{"text":"é\"<\n","json":{"a":[1]},"int":-5,"float":1.5,"bool":true,"bin":"AP8=","list":["a",null,"\t"],"small":7,"day":"2024-02-29"}`,
	`{}`,
	`{"text":"","json":null,"int":0,"float":0,"bool":false,"bin":"","list":[],"small":0,"day":"1970-01-01"}`,
	`{"list":["only"],"bool":true}`,
	`{"json":"x","float":1e-7,"text":"plain","list":["","b","c","d"]}`,
	`{"int":4503599627370497,"float":1e+21,"small":-1,"bin":"AAECAw=="}`,
	`{"text":"last","bool":false,"json":1.50,"day":"2099-12-31"}`,
}

// makeWide builds a record of wideSchema with Arrow's own builders.
func makeWide(t testing.TB, mem memory.Allocator, objects ...string) arrow.Record {
	t.Helper()
	b := array.NewRecordBuilder(mem, wideSchema)
	defer b.Release()
	for _, o := range objects {
		var m map[string]json.RawMessage
		if err := json.Unmarshal([]byte(o), &m); err != nil {
			t.Fatal(err)
		}
		if raw, ok := m["json"]; ok {
			m["json"], _ = json.Marshal(string(raw)) // to Arrow it is a text
		}
		m["_key"] = json.RawMessage(`"a2V5"`)
		line, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.UnmarshalJSON(line); err != nil {
			t.Fatal(err)
		}
	}
	return b.NewRecord()
}

// sameJSON compares two objects by value, with every digit.
func sameJSON(t *testing.T, what string, got []byte, want string) {
	t.Helper()
	compact := func(s []byte) string {
		m, ok := decodeSlow(s)
		if !ok {
			t.Fatalf("%s: no JSON object: %s", what, s)
		}
		out, _ := json.Marshal(m)
		return string(out)
	}
	if got, want := compact(got), compact([]byte(want)); got != want {
		t.Errorf("%s:\n got %s\nwant %s", what, got, want)
	}
}

func TestEncodeTypes(t *testing.T) {
	rec := makeWide(t, checked(t), wideRows...)
	defer rec.Release()
	enc := NewEncoder(wideSchema, nil)
	for from := range wideRows { // every slice, so that every offset counts
		slice := rec.NewSlice(int64(from), rec.NumRows())
		enc.Bind(slice)
		for row, want := range wideRows[from:] {
			sameJSON(t, "AppendJSON", AppendJSON(nil, slice, row), want)
			sameJSON(t, "AppendObject", enc.AppendObject(nil, row), want)
		}
		slice.Release()
	}
}

func TestEncoderSkip(t *testing.T) {
	rec := build(t, typedSchema, `{"s":"x","i":null,"b":null,"zz":1}`, `{"i":1}`, `{"zz":2}`)
	for _, tc := range []struct {
		skip string
		want []string
	}{
		{"", []string{`{"s":"x","i":null,"b":null,"zz":1}`, `{"i":1}`, `{"zz":2}`}},
		{"_extra", []string{`{"s":"x","i":null,"b":null}`, `{"i":1}`, `{}`}},
		{"s i", []string{`{"b":null,"zz":1}`, `{}`, `{"zz":2}`}},
	} {
		enc := NewEncoder(typedSchema, func(name string) bool { return strings.Contains(" "+tc.skip+" ", " "+name+" ") })
		enc.Bind(rec)
		for row, want := range tc.want {
			if got := string(enc.AppendObject(nil, row)); got != want {
				t.Errorf("skip %q: got %s, want %s", tc.skip, got, want)
			}
		}
	}
}

func TestExtraFromElsewhere(t *testing.T) {
	// Not every "_extra" comes from our builder.
	mem := checked(t)
	b := array.NewRecordBuilder(mem, RawSchema(nil))
	defer b.Release()
	for _, tc := range []struct{ extra, want string }{
		{" { } ", `{}`}, {`{}`, `{}`}, {"{\n\"a\": 1 }", `{"a": 1}`}, {`x`, `{"_extra":"x"}`}, {`[1]`, `{"_extra":"[1]"}`},
		{`{"a":}`, `{"_extra":"{\"a\":}"}`}, {``, `{"_extra":""}`}, {`{`, `{"_extra":"{"}`}, {"\xff", `{"_extra":"` + "\ufffd" + `"}`},
	} {
		b.Field(0).(*array.StringBuilder).Append(tc.extra)
		rec := b.NewRecord()
		if got := string(AppendJSON(nil, rec, 0)); got != tc.want {
			t.Errorf("%q: got %s, want %s", tc.extra, got, tc.want)
		}
		rec.Release()
	}
}

func TestAppendValue(t *testing.T) {
	rec := makeWide(t, checked(t), wideRows...)
	defer rec.Release()
	col := func(name string) arrow.Array { return rec.Column(fieldIndex(wideSchema, name)) }
	for _, tc := range []struct {
		name string
		json bool
		row  int
		want string
	}{
		{"text", false, 0, `"é\"<\n"`}, {"text", false, 1, `null`}, {"json", true, 0, `{"a":[1]}`}, {"json", false, 0, `"{\"a\":[1]}"`},
		{"json", true, 2, `null`}, {"int", true, 0, `-5`}, {"float", false, 4, `1e-7`}, {"float", false, 5, `1e+21`}, {"bool", false, 2, `false`},
		{"bin", false, 0, `"AP8="`}, {"list", false, 0, `["a",null,"\t"]`}, {"list", false, 1, `null`}, {"list", false, 2, `[]`}, {"small", false, 5, `-1`},
		{"day", false, 6, `"2099-12-31"`}, {"small", false, 3, `null`},
	} {
		if got := string(AppendValue([]byte("x"), col(tc.name), tc.json, tc.row)); got != "x"+tc.want {
			t.Errorf("%s, row %d: got %s, want %s", tc.name, tc.row, got[1:], tc.want)
		}
	}
	if got := string(AppendValue(nil, array.NewNull(2), false, 1)); got != "null" {
		t.Errorf("a column of nulls: got %s", got)
	}
}

func TestAppendFloat(t *testing.T) {
	for _, f := range []float64{0, math.Copysign(0, -1), 1, -1.5, 1e20, 1e21, -1e21, 1e-6, 9.9e-7, -1e-7, 1e-10, 1e100, 1e-100, math.MaxFloat64, math.SmallestNonzeroFloat64, 0.1} {
		want, _ := json.Marshal(f)
		if got := string(appendFloat([]byte("x"), f)); got != "x"+string(want) {
			t.Errorf("got %s, want %s", got[1:], want)
		}
	}
	for _, f := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if got := string(appendFloat(nil, f)); got != "null" {
			t.Errorf("%v: got %s", f, got)
		}
	}
}

func TestAppendString(t *testing.T) {
	for _, tc := range []struct{ in, want string }{
		{"", `""`}, {"<a href='x'>&\u2028\x7f", "\"<a href='x'>&\u2028\x7f\""}, {"a\"b\\c/", `"a\"b\\c/"`},
		{"\x00\x01\b\t\n\v\f\r\x1f", `"\u0000\u0001\b\t\n\u000b\f\r\u001f"`},
		{"12345678é\"12345678", `"12345678é\"12345678"`}, {"a\xffb\xe4\xbd", "\"a\ufffdb\ufffd\ufffd\""}, {"\xed\xa0\x80", "\"\ufffd\ufffd\ufffd\""},
	} {
		if got := string(AppendString([]byte("x"), tc.in)); got != "x"+tc.want {
			t.Errorf("%q: got %s, want %s", tc.in, got[1:], tc.want)
		}
	}
	// A special byte at every place of the eight that are read at once.
	for _, special := range []string{`"`, `\`, "\x1f", "é", "\xff", "\x00"} {
		for n := range 20 {
			s := strings.Repeat("a", n) + special + strings.Repeat("b", 20-n)
			var got string
			if err := json.Unmarshal(AppendString(nil, s), &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") {
				t.Errorf("%q: got %q, %v", s, got, err)
			}
		}
	}
}
