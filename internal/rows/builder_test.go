package rows

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// typedSchema has one column of each type that a JSON Schema can give.
var typedSchema = mustSchema(`{"type":["null","object"],"properties":{
	"s":{"type":["null","string"]},"i":{"type":"integer"},"n":{"type":"number"},"b":{"type":"boolean"},
	"l":{"type":"array"},"o":{"type":"object"},"u":{"type":["string","integer"]}}}`)

func mustSchema(doc string) *arrow.Schema {
	schema, err := SchemaFromJSON([]byte(doc))
	if err != nil {
		panic(err)
	}
	return schema
}

// checked returns an allocator that must be empty when the test ends.
func checked(t testing.TB) memory.Allocator {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	return mem
}

// build makes a record of objects that must all fit; it is released when the test ends.
func build(t testing.TB, schema *arrow.Schema, objects ...string) arrow.Record {
	t.Helper()
	b := NewBuilder(checked(t), schema)
	t.Cleanup(b.Release)
	for _, o := range objects {
		if r := b.Append([]byte(o)); r != nil {
			t.Fatalf("append %s: %v", o, r)
		}
	}
	rec := b.NewRecord()
	t.Cleanup(rec.Release)
	return rec
}

func TestRoundTrip(t *testing.T) {
	nested := `{"a":[1,{"b":"\u00e9\n"}],"c":1.50}`
	for _, tc := range []struct{ in, want string }{
		{`{}`, `{}`},
		{" \t\r\n{ } \n", `{}`},
		{`{"s":"x","i":1,"n":1.5,"b":true,"l":["x"],"o":{"k":1},"u":"7"}`, ""},
		{`{"s":null,"i":null,"n":null,"b":null,"l":null,"o":null,"u":null}`, ""},
		{`{"u":7,"b":false}`, `{"b":false,"u":7}`},
		{`{"s":"","l":[],"o":{}}`, ""},
		{`{"s":"a\"\\\/\b\f\n\r\t\u0041\u00e9\ud83d\ude00\u0000"}`, `{"s":"a\"\\/\b\f\n\r\tAé😀\u0000"}`},
		{`{"s":"王小明 😀 <&>` + "\u2028\x7f" + `"}`, ""},
		// Numbers keep every digit.
		{`{"n":9007199254740993,"u":123456789012345678901234567890,"i":9223372036854775807}`,
			`{"i":9223372036854775807,"n":9007199254740993,"u":123456789012345678901234567890}`},
		{`{"n":0.10000000000000000000000000000000000001,"u":-0.0,"o":1E400}`, `{"n":0.10000000000000000000000000000000000001,"o":1E400,"u":-0.0}`},
		{`{"i":-9223372036854775808}`, ""},
		// What is lossless is fitted.
		{`{"s":12}`, `{"s":"12"}`}, {`{"s":12.50e1}`, `{"s":"12.50e1"}`}, {`{"s":true}`, `{"s":"true"}`},
		{`{"s":123456789012345678901234567890}`, `{"s":"123456789012345678901234567890"}`},
		{`{"i":"12"}`, `{"i":12}`}, {`{"i":"-\u0031\u0032"}`, `{"i":-12}`}, {`{"i":12.0}`, `{"i":12}`}, {`{"i":1.2e1}`, `{"i":12}`},
		{`{"i":120e-1}`, `{"i":12}`}, {`{"i":0.0000012E7}`, `{"i":12}`}, {`{"i":-0}`, `{"i":0}`}, {`{"i":0e999999999999999999999}`, `{"i":0}`},
		{`{"i":0.000e-5}`, `{"i":0}`}, {`{"i":-9223372036854775808.00}`, `{"i":-9223372036854775808}`},
		{`{"i":922337203685477580.7e1}`, `{"i":9223372036854775807}`}, {`{"i":100000000000000000000e-2}`, `{"i":1000000000000000000}`},
		{`{"b":"true"}`, `{"b":true}`}, {`{"b":"f\u0061lse"}`, `{"b":false}`},
		{`{"n":"1.50"}`, `{"n":1.50}`}, {`{"n":"\u0031e5"}`, `{"n":1e5}`},
		// Arrays, objects and unions take what comes.
		{`{"l":"a,b","o":` + nested + `,"u":{"x":[]}}`, ""},
		// Of a repeated key the last counts, also where the first would be refused.
		{`{"s":"a","s":"b"}`, `{"s":"b"}`}, {`{"i":"x","i":2}`, `{"i":2}`}, {`{"s":"a","s":null}`, `{"s":null}`},
		{`{"s":"a","\u0073":"b"}`, `{"s":"b"}`}, {`{"x":1,"y":2,"x":3}`, `{"x":3,"y":2}`}, {`{"x":1,"\u0078":2}`, `{"\u0078":2}`},
		// What the schema does not name, and reserved names.
		{`{"z":` + nested + `,"s":"x","é":null}`, `{"s":"x","z":` + nested + `,"é":null}`},
		{`{"_extra":1,"_null":"x","_key":2,"_op":3,"_time":4,"_headers":5}`, ""},
		{`{"":0,"s":"x"}`, `{"s":"x","":0}`},
		{`{"s\"\n":1}`, `{"s\"\n":1}`},
		// White space goes, but within raw JSON, where line breaks become spaces.
		{"{ \"s\" : \"x\" ,\n\t\"i\"\r:\n1 , \"zz\" : true }", `{"s":"x","i":1,"zz":true}`},
		{"{\"l\":[1,\n\t2 ,\r\n3],\"zz\":{\n}}", "{\"l\":[1, \t2 ,  3],\"zz\":{ }}"},
	} {
		want := tc.want
		if want == "" {
			want = tc.in
		}
		rec := build(t, typedSchema, `{"s":"before"}`, tc.in, tc.in, `{"i":5}`)
		for row, want := range []string{`{"s":"before"}`, want, want, `{"i":5}`} {
			if got := string(AppendJSON(nil, rec, row)); got != want {
				t.Errorf("%s\n got %s\nwant %s", tc.in, got, want)
			}
			enc := NewEncoder(typedSchema, nil)
			enc.Bind(rec)
			if got := string(enc.AppendObject([]byte("x"), row)); got != "x"+want {
				t.Errorf("encoder: %s\n got %s\nwant %s", tc.in, got, want)
			}
		}
	}
}

func TestColumns(t *testing.T) {
	rec := build(t, typedSchema, `{"s":null,"i":null,"b":null}`, `{"u":null,"n":null}`, `{"s":"x","i":1,"b":true,"zz":1}`)
	text := func(i, row int) string {
		c := rec.Column(i).(*array.String)
		if c.IsNull(row) {
			return "-"
		}
		return c.Value(row)
	}
	index := func(name string) int { return fieldIndex(typedSchema, name) }
	for _, tc := range []struct{ name, want string }{{"s", "- - x"}, {"n", "- null -"}, {"u", "- null -"}, {"_extra", `- - {"zz":1}`}} {
		i := index(tc.name)
		if got := text(i, 0) + " " + text(i, 1) + " " + text(i, 2); got != tc.want {
			t.Errorf("column %s: got %s, want %s", tc.name, got, tc.want)
		}
	}
	nulls := rec.Column(index("_null")).(*array.Binary)
	want := make([]byte, 2)
	for _, name := range []string{"s", "i", "b"} {
		want[index(name)/8] |= 1 << (index(name) % 8)
	}
	if got := nulls.Value(0); string(got) != string(want) || !nulls.IsNull(1) || !nulls.IsNull(2) {
		t.Errorf("_null: got %v, %v; want %08b, null, null", nulls, nulls.IsNull(1), want)
	}
	if s, i := rec.Column(index("s")), rec.Column(index("i")); s.NullN() != 2 || i.NullN() != 2 {
		t.Errorf("nulls counted: s %d, i %d, want 2", s.NullN(), i.NullN())
	}
}

func TestManyNulls(t *testing.T) {
	// More than eight columns and eight rows, so that bitmaps have several bytes.
	doc, object := `{"properties":{`, "{"
	for i := range 20 {
		doc += fmt.Sprintf(`"c%02d":{"type":"boolean"},`, i)
		object += fmt.Sprintf(`"c%02d":%s,`, i, []string{"null", "true", "false"}[i%3])
	}
	schema := mustSchema(strings.TrimSuffix(doc, ",") + "}}")
	object = strings.TrimSuffix(object, ",") + "}"
	rec := build(t, schema, strings.Split(strings.Repeat(object+"\n", 19)+"{}", "\n")...)
	for row := range 19 {
		if got := string(AppendJSON(nil, rec, row)); got != object {
			t.Fatalf("row %d: got %s, want %s", row, got, object)
		}
	}
	if got := string(AppendJSON(nil, rec, 19)); got != "{}" {
		t.Errorf("the empty row: got %s", got)
	}
}

func TestRawSchema(t *testing.T) {
	schema := RawSchema([]string{"a", "b", "a", "_extra", "_null", "c"})
	var names []string
	for _, f := range schema.Fields() {
		names = append(names, f.Name)
		if !connector.IsJSON(f) || IsNumber(f) {
			t.Errorf("column %s is no raw JSON column", f.Name)
		}
	}
	if got := strings.Join(names, " "); got != "a b c _extra" {
		t.Fatalf("got columns %s", got)
	}
	in := `{"a":null,"c":"x\u0041","d":1,"_null":0}`
	rec := build(t, schema, in)
	if got := string(AppendJSON(nil, rec, 0)); got != in {
		t.Errorf("got %s, want %s", got, in)
	}
	for i, want := range []string{"null", "", `"x\u0041"`, `{"d":1,"_null":0}`} {
		c := rec.Column(i).(*array.String)
		if want == "" != c.IsNull(0) || c.Value(0) != want {
			t.Errorf("column %d: got %q, want %q", i, c.Value(0), want)
		}
	}
}

func TestDrop(t *testing.T) {
	b := NewBuilder(checked(t), typedSchema)
	b.Drop(func(name string) bool { return strings.HasPrefix(name, "_airbyte_") }, func(name string) bool { return name == "i" })
	in := `{"_airbyte_raw_id":"7","s":"x","i":"not looked at","_airbyte_\u006deta":{},"q":1,"` + strings.Repeat("_airbyte_", 30) + `":1}`
	for range 2 {
		if r := b.Append([]byte(in)); r != nil {
			t.Fatal(r)
		}
	}
	if r := b.Append([]byte(`{"_airbyte_meta":}`)); r == nil {
		t.Error("the value of a dropped key must be JSON")
	}
	rec := b.NewRecord()
	defer rec.Release()
	for row := range 2 {
		if got := string(AppendJSON(nil, rec, row)); got != `{"s":"x","q":1}` {
			t.Errorf("got %s", got)
		}
	}
}

func TestNoExtra(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "_key", Type: arrow.BinaryTypes.Binary, Nullable: true}}, nil)
	rec := build(t, schema, `{"s":"x","q":1,"_key":"k"}`, `{"s":null}`)
	for row, want := range []string{`{"s":"x"}`, `{}`} {
		if got := string(AppendJSON(nil, rec, row)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestManyUnknownKeys(t *testing.T) {
	// Far more unknown keys than are remembered, each twice, and in another order each time.
	b := NewBuilder(checked(t), RawSchema([]string{"a"}))
	for round := range 3 {
		var in, want strings.Builder
		for i := range 1000 {
			fmt.Fprintf(&in, `"k%d":%d,`, (i*7+round)%1000, i)
		}
		for i := range 1000 {
			fmt.Fprintf(&in, `"k%d":"%d",`, (i*7+round)%1000, i)
			fmt.Fprintf(&want, `,"k%d":"%d"`, (i*7+round)%1000, i)
		}
		if r := b.Append([]byte("{" + in.String() + `"a":1}`)); r != nil {
			t.Fatal(r)
		}
		rec := b.NewRecord()
		if got := string(AppendJSON(nil, rec, 0)); got != `{"a":1`+want.String()+"}" {
			t.Errorf("round %d: got %.200s…", round, got)
		}
		rec.Release()
	}
	if len(b.keys.byName) > maxLearned+1 || len(b.loose) != 0 {
		t.Errorf("remembered %d keys, kept %d of the row", len(b.keys.byName), len(b.loose))
	}
}

func TestBuilderPanics(t *testing.T) {
	for _, typ := range []arrow.DataType{arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.Binary, arrow.ListOf(arrow.PrimitiveTypes.Int64), arrow.ListOf(arrow.ListOf(arrow.BinaryTypes.String)), arrow.PrimitiveTypes.Int32} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a column of type %s was taken", typ)
				}
			}()
			NewBuilder(nil, arrow.NewSchema([]arrow.Field{{Name: "x", Type: typ}}, nil))
		}()
	}
}

func TestBytesAndReuse(t *testing.T) {
	b := NewBuilder(checked(t), typedSchema)
	for round := range 3 {
		if b.Len() != 0 || b.Bytes() != 0 {
			t.Fatalf("round %d begins with %d rows, %d bytes", round, b.Len(), b.Bytes())
		}
		for i := range 100 * round {
			in := fmt.Sprintf(`{"s":"%0*d","i":%d,"zz":[%d]}`, i, i, i, i)
			if r := b.Append([]byte(in)); r != nil {
				t.Fatal(r)
			}
		}
		rows, estimate := b.Len(), b.Bytes()
		rec := b.NewRecord()
		if rec.NumRows() != int64(rows) || rows != 100*round {
			t.Errorf("round %d: %d rows, want %d", round, rec.NumRows(), rows)
		}
		// Every column has one end more than rows.
		if size := Size(rec); size > estimate+int64(4*len(b.cols)) || size < estimate/4 {
			t.Errorf("round %d: estimated %d bytes, the record has %d", round, estimate, size)
		}
		rec.Release()
	}
	if b.Append([]byte(`{"s":"`+strings.Repeat("x", 1<<20)+`"}`)) != nil {
		t.Fatal("a long value was refused")
	}
	b.NewRecord().Release()
	b.NewRecord().Release()
	if got := cap(b.cols[0].data); got > keepStaged {
		t.Errorf("%d bytes are kept for values that are gone", got)
	}
}
