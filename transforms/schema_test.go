package transforms

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// typedRecord makes a record as a reader with a schema does.
func typedRecord(t testing.TB, mem memory.Allocator, schema string, objects ...string) arrow.Record {
	t.Helper()
	s, err := rows.SchemaFromJSON([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	b := rows.NewBuilder(mem, s)
	defer b.Release()
	for _, o := range objects {
		if refusal := b.Append([]byte(o)); refusal != nil {
			t.Fatalf("row %s: %v", o, refusal)
		}
	}
	return b.NewRecord()
}

const contactSchema = `{"type":"object","properties":{
	"id":{"type":["null","integer"]}, "name":{"type":["null","string"]}, "mail":{"type":"string"}, "score":{"type":"number"},
	"vip":{"type":"boolean"}, "tags":{"type":"array","items":{"type":"string"}}, "address":{"type":"object"}}}`

// planFor compiles a document for a record of the stream "s".
func planFor(t testing.TB, mem memory.Allocator, doc string, rec arrow.Record) connector.Plan {
	t.Helper()
	m, err := Compile(mustParse(t, "m.yaml", doc), Options{Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	plans, err := m.Plans("s", rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	return plans[0]
}

func TestTypedColumns(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rec := typedRecord(t, mem, contactSchema,
		`{"id":9007199254740993,"name":"A","mail":"a","score":0.10,"vip":true,"tags":["x","y"],"address":{"city":"B"},"late":"L"}`,
		`{"id":null,"name":null,"mail":""}`)
	defer rec.Release()
	p := planFor(t, mem, `
streams:
  s:
    fields:
      external_id: id
      full_name: name
      n: {from: id}
      email: {from: mail, default: none}
      income: score
      v: {from: vip}
      tags: tags
      address: {from: [address.city, street]}
      late: {from: [late, mail]}
      gone: {from: nowhere}
      filled: {from: name, default: none}
`, rec)
	out, err := p.Apply(context.Background(), rec, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Rows.Release()
	for row, want := range []string{
		`{"external_id":"9007199254740993","n":9007199254740993,"full_name":"A","email":"a","income":"0.10","v":true,"tags":["x","y"],"address":"B","late":"L","filled":"A"}`,
		`{"email":"","late":"","filled":"none"}`,
	} {
		if got := object(t, out.Rows, row); !sameJSON(got, want) {
			t.Errorf("row %d:\ngot  %s\nwant %s", row, got, want)
		}
	}
	for name, want := range map[string]arrow.Type{"n": arrow.INT64, "v": arrow.BOOL, "email": arrow.STRING, "full_name": arrow.STRING} {
		if got := out.Rows.Schema().Field(out.Rows.Schema().FieldIndices(name)[0]).Type.ID(); got != want {
			t.Errorf("column %s is %s, want %s", name, got, want)
		}
	}
}

// TestShared: a rename of a column is the same array, and so is what the steps leave as it is; where rows are left out, what is left of it is a copy.
func TestShared(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rec := typedRecord(t, mem, contactSchema,
		`{"id":1,"name":"A","mail":"a","vip":true,"tags":["x"]}`, `{"id":2,"name":"B","mail":"bb","vip":false,"tags":null}`, `{"id":3,"name":"C","mail":"c","tags":["y","z"]}`)
	defer rec.Release()
	const doc = `streams: {s: {fields: {full_name: name, number: id, flag: vip, list: tags, email: {from: mail, max_length: LIMIT}, clean: {from: mail, trim: true}, loud: {from: mail, case: upper}}}}`
	p := planFor(t, mem, strings.Replace(doc, "LIMIT", "5", 1), rec)
	out, err := p.Apply(context.Background(), rec, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, from := range map[string]string{"full_name": "name", "number": "id", "flag": "vip", "email": "mail", "clean": "mail"} {
		if got, want := column0(out.Rows, name), column0(rec, from); got != want {
			t.Errorf("%s does not share the column %s", name, from)
		}
	}
	if column0(out.Rows, "loud") == column0(rec, "mail") {
		t.Error("a changed field shares its source column")
	}
	if out.Index != nil {
		t.Errorf("index %v, want nil: one to one", out.Index)
	}
	out.Rows.Release()

	p = planFor(t, mem, strings.Replace(doc, "LIMIT", "1", 1), rec)
	out, err = p.Apply(context.Background(), rec, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Rows.Release()
	if len(out.Rejected) != 1 || out.Rejected[0].Row != 1 || out.Rows.NumRows() != 2 {
		t.Fatalf("rejected %v, %d rows; want row 1 refused", out.Rejected, out.Rows.NumRows())
	}
	for row, want := range []string{
		`{"full_name":"A","number":1,"flag":true,"list":["x"],"email":"a","clean":"a","loud":"A"}`, `{"full_name":"C","number":3,"list":["y","z"],"email":"c","clean":"c","loud":"C"}`,
	} {
		if got := object(t, out.Rows, row); !sameJSON(got, want) {
			t.Errorf("row %d: got %s, want %s", row, got, want)
		}
	}
}

func column0(rec arrow.Record, name string) arrow.Array {
	return rec.Column(rec.Schema().FieldIndices(name)[0])
}

// TestNullsOfJSON: an explicit null in a raw column is not handed on.
func TestNullsOfJSON(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	rec := rawRecord(t, mem, []string{"a"}, `{"a":null}`, `{"a":[1, 2]}`, `{"b":{"c":1}}`)
	defer rec.Release()
	out, err := planFor(t, mem, `streams: {s: {fields: {x: a}, rest: keep}}`, rec).Apply(context.Background(), rec, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Rows.Release()
	for row, want := range []string{`{}`, `{"x":[1, 2]}`, `{"_extra":{"b":{"c":1}}}`} {
		if got := object(t, out.Rows, row); !sameJSON(got, want) {
			t.Errorf("row %d: got %s, want %s", row, got, want)
		}
	}
}

func TestSchemaFaults(t *testing.T) {
	m, err := Compile(mustParse(t, "m.yaml", `
streams:
  s:
    fields:
      a: {from: labels, split: ","}
      b: {from: name.first}
      c: {from: vip, date: "%F"}
      d: {from: id, keys: {pass: "."}}
      e: {from: when, date: "%Y-%m-%d"}
`), Options{})
	if err != nil {
		t.Fatal(err)
	}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "labels", Type: arrow.ListOf(arrow.BinaryTypes.String)}, {Name: "name", Type: arrow.BinaryTypes.String},
		{Name: "vip", Type: arrow.FixedWidthTypes.Boolean}, {Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "when", Type: arrow.StructOf(arrow.Field{Name: "y", Type: arrow.PrimitiveTypes.Int64})},
	}, nil)
	_, err = m.Plans("s", schema)
	checkFaults(t, err, []string{
		"m.yaml:5: streams.s.fields.a.split: the value is a list already: leave split out",
		"m.yaml:6: streams.s.fields.b.from: name is text and has no member first",
		"m.yaml:7: streams.s.fields.c.date: date takes text or integer or number, and boolean comes to it",
		"m.yaml:8: streams.s.fields.d.keys: keys takes object, and integer comes to it",
		"m.yaml:9: streams.s.fields.e.date: date takes text or integer or number, and object comes to it",
	})
}

func TestUnknownColumnNotice(t *testing.T) {
	var notices []string
	m, err := Compile(mustParse(t, "m.yaml", `streams: {s: {fields: {email: emial}}}`), Options{Notice: func(s string) { notices = append(notices, s) }})
	if err != nil {
		t.Fatal(err)
	}
	rec := typedRecord(t, memory.DefaultAllocator, `{"type":"object","properties":{"email":{"type":"string"}}}`, `{"email":"a"}`)
	for range 2 {
		if _, err := m.Plans("s", rec.Schema()); err != nil {
			t.Fatal(err)
		}
	}
	if len(notices) != 2 || !strings.Contains(notices[0], `did you mean "email"`) || !strings.Contains(notices[1], "fields dropped: email") {
		t.Errorf("notices: %q; want one on the unknown field and one on what is dropped, each once", notices)
	}
}

func TestForeignSchema(t *testing.T) {
	rec := rawRecord(t, memory.DefaultAllocator, []string{"a"}, `{"a":1}`)
	other := rawRecord(t, memory.DefaultAllocator, []string{"b"}, `{"b":1}`)
	p := planFor(t, memory.DefaultAllocator, `streams: {s: {fields: {x: a}}}`, rec)
	if _, err := p.Apply(context.Background(), other, nil); connector.KindOf(err) != connector.KindInternal {
		t.Errorf("got %v, want an Internal error", err)
	}
	if got := p.Key(other, 0); got != "" {
		t.Errorf("Key of a foreign record: %q", got)
	}
}

// TestChunks: what spans several chunks comes out in order, with its rejects by row.
func TestChunks(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	const n = 3*chunkRows + 17
	b := array.NewRecordBuilder(mem, arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil))
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(int64(i) * 10_000)
	}
	rec := b.NewRecord()
	b.Release()
	defer rec.Release()
	p := planFor(t, mem, `streams: {s: {where: "n % 30000 != 10000", fields: {n: n, text: {from: n, max_length: 7}}}}`, rec)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			out, err := p.Apply(context.Background(), rec, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer out.Rows.Release()
			next, rejected := 0, 0
			for i := range n {
				switch {
				case i%3 == 1:
				case i >= 1000:
					if out.Rejected[rejected].Row != i {
						t.Errorf("reject %d is of row %d, want %d", rejected, out.Rejected[rejected].Row, i)
						return
					}
					rejected++
				default:
					if int(out.Index[next]) != i || column0(out.Rows, "n").(*array.Int64).Value(next) != int64(i)*10_000 {
						t.Errorf("output row %d: index %d, want row %d", next, out.Index[next], i)
						return
					}
					next++
				}
			}
			if next != len(out.Index) || rejected != len(out.Rejected) {
				t.Errorf("%d rows and %d rejects, want %d and %d", len(out.Index), len(out.Rejected), next, rejected)
			}
		})
	}
	wg.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Apply(ctx, rec, nil); err != context.Canceled {
		t.Errorf("a cancelled Apply: %v", err)
	}
}
