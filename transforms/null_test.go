package transforms

import (
	"context"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// encoded runs records through a mapping and writes what comes out as a codec does.
func encoded(t *testing.T, doc, preset string, objects ...string) []string {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	o := Options{Alloc: mem}
	if preset != "" {
		o.Preset = mustParse(t, "preset", preset)
	}
	m, err := Compile(mustParse(t, "m.yaml", doc), o)
	if err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	in := rawRecord(t, mem, m.Fields("s"), objects...)
	defer in.Release()
	return encodedRecord(t, m, in)
}

func encodedRecord(t *testing.T, m *Mapping, in arrow.Record) (out []string) {
	t.Helper()
	plans, err := m.Plans("s", in.Schema())
	if err != nil {
		t.Fatal(err)
	}
	made, err := plans[0].Apply(context.Background(), in, nil)
	if err != nil || len(made.Rejected) > 0 {
		t.Fatal(err, made.Rejected)
	}
	defer made.Rows.Release()
	enc := rows.NewEncoder(made.Rows.Schema(), nil)
	enc.OmitEmpty = true
	enc.Bind(made.Rows)
	for i := range int(made.Rows.NumRows()) {
		out = append(out, string(enc.AppendObject(nil, i)))
	}
	return out
}

// TestOnNull: absent, null and "" stay three things, to the very bytes of a request.
func TestOnNull(t *testing.T) {
	const preset = `streams: {"*": {nulls: sent, fields: {
		phone: {from: phone, trim: true}, mail: {from: email, trim: true, clear: ""}, sex: {from: gender, map: {male: 1, female: 2}, type: integer, clear: 0},
		note: {from: [remark, note], clear: null}, tagStr: {from: tags, split: ",", join: ",", clear: ""}, c: {from: custom, clear: null}}, identifiers: [phone]}}`
	const keyed = `streams: {"*": {nulls: sent, fields: {phone: phone, c: {from: custom, steps: [{keys: {map: {x: a}, pass: "."}}], clear: "-"}}, identifiers: [phone]}}`
	const fields = `fields: {phone: p, email: e, gender: {from: g, on_error: null}, remark: r, tags: t}`
	const all = `{"p":"1","e":null,"g":null,"r":null,"t":null}`
	for _, c := range []struct{ name, doc, preset, in, want string }{
		{"omit", fields, preset, all, `{"phone":"1"}`},
		{"omit said", `on_null: omit, ` + fields, preset, all, `{"phone":"1"}`},
		{"keep", `on_null: keep, ` + fields, preset, all, `{"phone":"1","mail":null,"sex":null,"note":null,"tagStr":null}`},
		{"clear", `on_null: clear, ` + fields, preset, all, `{"phone":"1","mail":"","sex":0,"note":null,"tagStr":""}`},
		{"absent is never cleared", `on_null: clear, ` + fields, preset, `{"p":"1"}`, `{"phone":"1"}`},
		{"nor is what is empty", `on_null: clear, ` + fields, preset, `{"p":"1","e":"","r":" ","t":""}`, `{"phone":"1","note":" "}`},
		{"nor what cannot be read", `on_null: clear, ` + fields, preset, `{"p":"1","g":"?"}`, `{"phone":"1"}`},
		{"the first that has a value counts", `on_null: keep, fields: {phone: p, email: {from: [e, f]}}`, preset, `{"p":"1","e":null,"f":"x"}`, `{"phone":"1","mail":"x"}`},
		{"a field's own rule", `on_null: clear, fields: {phone: p, email: {from: e, on_null: omit}, gender: {from: g, on_null: keep}, remark: r}`, preset, all, `{"phone":"1","sex":null,"note":null}`},
		{"by their own names", `on_null: clear`, preset, `{"phone":"1","email":null,"tags":null,"remark":"x"}`, `{"phone":"1","mail":"","note":"x","tagStr":""}`},
		{"default comes first", `on_null: clear, fields: {phone: p, email: {from: e, default: x}}`, preset, all, `{"phone":"1","mail":"x"}`},
		{"an expression that reads null", `on_null: clear, fields: {phone: p, email: {expr: "e.lower() if e else None"}, remark: {expr: "zz"}}`, preset, all, `{"phone":"1","mail":""}`},
		{"without a preset", `on_null: clear, fields: {a: e, b: {from: r, type: text}, c: {from: g, on_null: omit}, d: x}`, "", all, `{"a":null,"b":null}`},
		{"the rest too", `on_null: keep, rest: keep, fields: {a: e}`, "", `{"e":1,"r":null,"zz":{"y":null}}`, `{"a":1,"r":null,"zz":{"y":null}}`},
		{"the rest as it was", `rest: keep, fields: {a: e}`, "", `{"e":1,"r":null,"zz":2}`, `{"a":1,"zz":2}`},
		{"custom", `on_null: keep, rest: custom, fields: {phone: p, custom.x: e}`, preset, `{"p":"1","e":null,"y":null,"z":1}`, `{"phone":"1","c":{"x":null,"y":null,"z":1}}`},
		{"custom without", `on_null: clear, rest: custom, fields: {phone: {from: p, on_null: omit}, custom.x: {from: e, on_null: omit}, custom: {from: cc, on_null: omit}}`, `streams: {"*": {fields: {phone: phone, c: {from: custom, clear: null}}, identifiers: [phone]}}`,
			`{"p":"1","e":null,"y":null,"z":1}`, `{"phone":"1","c":{"y":null,"z":1}}`},
		{"a custom field's own rule", `fields: {phone: p, custom.x: {from: e, on_null: keep}, custom.y: y}`, preset, `{"p":"1","e":null,"y":null}`, `{"phone":"1","c":{"x":null}}`},
		{"custom fields cleared", `on_null: clear, rest: custom, fields: {phone: p, custom.x: e, custom.v: {from: v, on_null: omit}}`, keyed, `{"p":"1","e":null,"y":null,"v":null,"z":1}`, `{"phone":"1","c":{"a":"-","y":"-","z":1}}`},
		{"custom fields kept", `on_null: keep, fields: {phone: p, custom: c}`, keyed, `{"p":"1","c":{"x":null,"y":1}}`, `{"phone":"1","c":{"a":null,"y":1}}`},
		{"custom fields left out", `fields: {phone: p, custom: c}`, keyed, `{"p":"1","c":{"x":null,"y":1}}`, `{"phone":"1","c":{"y":1}}`},
		{"custom fields without a preset", `on_null: clear, fields: {custom.x: e}`, "", `{"e":null}`, `{"custom":{"x":null}}`},
		{"a member's own rule", `fields: {o.a: {from: e, on_null: keep}, o.b: r}`, "", `{"e":null,"r":null}`, `{"o":{"a":null}}`},
		{"a template of nulls", `on_null: keep, fields: {a: {template: "{e} {r}"}, b: {template: "{e}{x}"}, c: {template: "{zz}"}}`, "", `{"e":null,"r":null,"x":1}`, `{"a":null,"b":"1"}`},
		{"names that are null", `on_null: keep`, `streams: {"*": {nulls: sent, fields: {n: {name: {part: full}}, g: {name: {part: given}}, f: {name: {part: family}}}}}`, `{"full_name":null}`, `{"n":null,"g":null,"f":null}`},
		{"half a name that is null", `on_null: keep`, `streams: {"*": {nulls: sent, fields: {n: {name: {part: full}}, g: {name: {part: given}}, f: {name: {part: family}}}}}`, `{"first_name":"Ann","last_name":null}`, `{"n":"Ann","g":"Ann","f":null}`},
		{"a name that says the half that is null", `on_null: keep`, `streams: {"*": {nulls: sent, fields: {g: {name: {part: given}}, f: {name: {part: family, missing: "-"}}}}}`, `{"full_name":"Ann","first_name":null,"last_name":null}`, `{"g":"Ann","f":"-"}`},
		{"names that are empty", `on_null: keep`, `streams: {"*": {nulls: sent, fields: {n: {name: {part: full}}}}}`, `{"full_name":"","first_name":null}`, `{}`},
		{"members", `on_null: keep, fields: {o.a: e, o.b: r, o.d: zz}`, "", `{"e":null,"r":1}`, `{"o":{"a":null,"b":1}}`},
		{"members left out", `fields: {o.a: e, o.b: r}`, "", `{"e":null,"r":1}`, `{"o":{"b":1}}`},
	} {
		if got := encoded(t, "streams: {s: {"+c.doc+"}}", c.preset, c.in)[0]; !sameJSON(got, c.want) {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestOnNullTyped: columns with a type have their nulls marked, and so have those that are handed on.
func TestOnNullTyped(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	in := typedNulls(mem)
	defer in.Release()
	m, err := Compile(mustParse(t, "m", "streams: {s: {on_null: keep, rest: keep, fields: {a: {from: a, trim: true}}}}"), Options{Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(encodedRecord(t, m, in), " ")
	if want := `{"a":"x","n":null} {"a":null,"n":2} {} {"a":null,"n":null}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// typedNulls is a record of a text and a number, each there, null, absent, both null.
func typedNulls(mem memory.Allocator) arrow.Record {
	b := array.NewRecordBuilder(mem, arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true}, {Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: connector.ColumnNull, Type: arrow.BinaryTypes.Binary, Nullable: true},
	}, nil))
	defer b.Release()
	b.Field(0).(*array.StringBuilder).AppendValues([]string{"x", "", "", ""}, []bool{true, false, false, false})
	b.Field(1).(*array.Int64Builder).AppendValues([]int64{0, 2, 0, 0}, []bool{false, true, false, false})
	b.Field(2).(*array.BinaryBuilder).AppendValues([][]byte{{2}, {1}, nil, {3}}, []bool{true, true, false, true})
	return b.NewRecord()
}

// TestOnNullFaults: what a vendor has no form for is refused when the mapping is compiled, with the fields and the place.
func TestOnNullFaults(t *testing.T) {
	const preset = `streams: {"*": {fields: {phone: phone, mail: email, note: {from: [remark, note]}, c: custom, name: {from: full_name, required: true}}, identifiers: [phone]}}`
	for doc, want := range map[string]string{
		"on_null: clear, fields: {phone: p, email: e, remark: r, full_name: n}":               "m.yaml:1: streams.s.on_null: the preset has no known way to clear mail, note; use omit",
		"on_null: keep, fields: {phone: p, email: e, full_name: n}":                           "m.yaml:1: streams.s.on_null: null cannot be sent by the preset; use omit",
		"fields: {phone: p, full_name: n, email: {from: e, on_null: clear}}":                  "m.yaml:1: streams.s.fields.email.on_null: the preset has no known way to clear mail",
		"fields: {phone: {from: p, on_null: clear}, full_name: n}":                            "phone of preset must not be empty",
		"fields: {phone: p, full_name: {from: n, on_null: keep}}":                             "name of preset must not be empty",
		"fields: {phone: p, full_name: n, remark: {from: r, on_null: keep}, note: {from: r}}": "remark and note both lead to note of preset and must have the same on_null",
		"on_null: clear": "no known way to clear mail, note",
		"fields: {phone: p, full_name: n, custom.a: {from: a, on_null: clear}}":                                     "streams.s.fields.custom.a.on_null: the preset has no known way to clear c; use omit",
		"fields: {phone: p, full_name: n, custom.a: {from: a, on_null: keep}, custom.b: {from: b, on_null: clear}}": "the members of custom that are null must all be cleared or all be kept",
		"nulls: sent, fields: {phone: p, full_name: n}":                                                             "nulls stands in a vendor's preset only",
		"fields: {phone: p, full_name: n, email: {from: e, clear: 1}}":                                              "clear stands in a vendor's preset only",
	} {
		_, err := Compile(mustParse(t, "m.yaml", "streams: {s: {"+doc+"}}"), Options{Preset: mustParse(t, "preset", preset)})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", doc, err, want)
		}
	}
	base := mustParse(t, "preset", preset)
	over, err := base.Override(mustParse(t, "own.yaml", `streams: {"*": {fields: {mail: {from: email, clear: ""}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Compile(mustParse(t, "m", "streams: {s: {fields: {phone: p, full_name: n, email: {from: e, on_null: clear}}}}"), Options{Preset: over}); err != nil {
		t.Errorf("%v, though the user says how the vendor clears it", err)
	}
}

// TestNested: names with dots make objects; what cannot be one is a fault with its place.
func TestNested(t *testing.T) {
	for _, c := range []struct{ fields, in, want string }{
		{`{o.a: x, o.b.c: y, "o.b.d e": {value: 1}, z: z}`, `{"x":"1","y":[2],"z":3}`, `{"o":{"a":"1","b":{"c":[2],"d e":1}},"z":3}`},
		{`{o.a: x, o.b.c: y}`, `{"y":""}`, `{"o":{"b":{"c":""}}}`},
		{`{o.a: x, o.b.c: y}`, `{"q":""}`, `{}`},
		{`{custom.vip: {expr: "'v' in tags"}, custom.b.c: x}`, `{"tags":["v"],"x":1}`, `{"custom":{"vip":true,"b.c":1}}`},
		{`{a: {from: ["p.q[1].r", "p.q.0.r"]}}`, `{"p":{"q":[{"r":"0"},{"s":1}]}}`, `{"a":"0"}`},
		{`{a: "p[0][1]"}`, `{"p":[[1,2]]}`, `{"a":2}`},
		{`{a: "p[0].x"}`, `{"p[0].x":"csv"}`, `{"a":"csv"}`},
		{`{a: {from: [m.x, n, "k[0]"]}}`, `{"m":{"x":null},"n":null,"k":["v"]}`, `{"a":"v"}`},
	} {
		out := apply(t, "streams: {contacts: {fields: "+c.fields+"}}", "", c.in)
		if len(out.rows) != 1 || !sameJSON(out.rows[0], c.want) {
			t.Errorf("%s of %s: got %v %v, want %s", c.fields, c.in, out.rows, out.rejects, c.want)
		}
	}
	for fields, want := range map[string]string{
		`{address.city: x}`:  "address is text and has no members",
		`{tags.a: x}`:        "tags is a list and has no members",
		`{o: x, o.a: y}`:     "o is both a value and an object",
		`{o.a: x, o.a.b: y}`: "o.a.b is both a value and an object",
		`{o.a.b: x, o.a: y}`: "o.a is both a value and an object",
	} {
		_, err := Compile(mustParse(t, "m.yaml", "streams:\n  s:\n    fields: "+fields), Options{})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "m.yaml:3: streams.s.fields.") {
			t.Errorf("%s: %v, want %s", fields, err, want)
		}
	}
	if _, err := Parse("m", []byte("streams: {s: {fields: {a..b: x}}}")); err == nil {
		t.Error("a name with nothing between its dots is taken")
	}
	out := apply(t, `streams: {contacts: {rest: custom, fields: {email: e, profile.city: c}}}`, `streams: {"*": {fields: {mail: email, c: custom}}}`, `{"e":"a","c":"Köln","k":1}`)
	if len(out.rows) != 1 || !sameJSON(out.rows[0], `{"mail":"a","c":{"profile":{"city":"Köln"},"k":1}}`) {
		t.Errorf("an object among the custom fields: %v %v", out.rows, out.rejects)
	}
}
