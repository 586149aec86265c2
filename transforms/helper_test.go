package transforms

import (
	"bytes"
	"context"
	"encoding/json"
	"sort"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
)

// rawRecord makes a record of raw JSON columns for the fields given and "_extra" for the rest, as a reader without a
// schema does.
func rawRecord(t testing.TB, mem memory.Allocator, fields []string, objects ...string) arrow.Record {
	t.Helper()
	var cols []arrow.Field
	for _, f := range fields {
		cols = append(cols, connector.JSONField(f))
	}
	cols = append(cols, connector.JSONField(connector.ColumnExtra))
	schema := arrow.NewSchema(cols, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for _, object := range objects {
		var members map[string]json.RawMessage
		if err := json.Unmarshal([]byte(object), &members); err != nil {
			t.Fatalf("record %s: %v", object, err)
		}
		for i, f := range fields {
			appendRaw(b.Field(i), members[f])
			delete(members, f)
		}
		var extra json.RawMessage
		if len(members) > 0 {
			extra = mustJSON(t, members)
		}
		appendRaw(b.Field(len(fields)), extra)
	}
	return b.NewRecord()
}

func appendRaw(b array.Builder, raw json.RawMessage) {
	if raw == nil {
		b.AppendNull()
	} else {
		b.(*array.StringBuilder).Append(string(raw))
	}
}

func mustJSON(t testing.TB, v any) json.RawMessage {
	t.Helper()
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSpace(buf.Bytes())
}

// cell gives a cell of an output as JSON, "" where it is null.
func cell(t testing.TB, rec arrow.Record, name string, row int) string {
	t.Helper()
	at := rec.Schema().FieldIndices(name)
	if len(at) == 0 {
		return ""
	}
	col := rec.Column(at[0])
	if col.IsNull(row) {
		return ""
	}
	switch a := col.(type) {
	case *array.String:
		if connector.IsJSON(rec.Schema().Field(at[0])) {
			return a.Value(row)
		}
		return string(mustJSON(t, a.Value(row)))
	case *array.Int64:
		return string(mustJSON(t, a.Value(row)))
	case *array.Boolean:
		return string(mustJSON(t, a.Value(row)))
	case *array.List:
		from, to := a.ValueOffsets(row)
		list := []string{}
		for i := from; i < to; i++ {
			list = append(list, a.ListValues().(*array.String).Value(int(i)))
		}
		return string(mustJSON(t, list))
	}
	t.Fatalf("column %s has the type %s", name, col.DataType())
	return ""
}

// object gives a row of an output as a JSON object with sorted keys.
func object(t testing.TB, rec arrow.Record, row int) string {
	t.Helper()
	members := map[string]json.RawMessage{}
	for _, f := range rec.Schema().Fields() {
		if c := cell(t, rec, f.Name, row); c != "" {
			members[f.Name] = json.RawMessage(c)
		}
	}
	return string(mustJSON(t, members))
}

// mapped is the outcome of a document for some records.
type mapped struct {
	rows    []string
	index   []int32
	rejects []connector.RowResult
	notices []string
	schema  *arrow.Schema
}

// mustParse parses a document that has no fault.
func mustParse(t testing.TB, name, doc string) *Spec {
	t.Helper()
	if doc == "" {
		return nil
	}
	spec, err := Parse(name, []byte(doc))
	if err != nil {
		t.Fatalf("Parse: %v\n%s", err, doc)
	}
	return spec
}

// apply runs records through a document and a preset (either may be "") over raw JSON columns.
func apply(t testing.TB, doc, preset string, objects ...string) mapped {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t.(*testing.T), 0)
	var out mapped
	m, err := Compile(mustParse(t, "user.yaml", doc), Options{
		Preset: mustParse(t, "preset", preset), Alloc: mem, Notice: func(msg string) { out.notices = append(out.notices, msg) },
	})
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	rec := rawRecord(t, mem, m.Fields("contacts"), objects...)
	defer rec.Release()
	plans, err := m.Plans("contacts", rec.Schema())
	if err != nil {
		t.Fatalf("Plans: %v", err)
	}
	applied, err := plans[0].Apply(context.Background(), rec, nil)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	defer applied.Rows.Release()
	out.index, out.rejects, out.schema = applied.Index, applied.Rejected, applied.Rows.Schema()
	for i := range int(applied.Rows.NumRows()) {
		out.rows = append(out.rows, object(t, applied.Rows, i))
	}
	if !sort.SliceIsSorted(out.rejects, func(i, j int) bool { return out.rejects[i].Row < out.rejects[j].Row }) {
		t.Errorf("rejects are not in the order of rows: %v", out.rejects)
	}
	return out
}

// sameJSON compares two JSON texts by value, numbers by their spelling.
func sameJSON(a, b string) bool {
	decode := func(s string) (v any) {
		dec := json.NewDecoder(bytes.NewReader([]byte(s)))
		dec.UseNumber()
		if dec.Decode(&v) != nil {
			return s
		}
		return v
	}
	x, _ := json.Marshal(decode(a))
	y, _ := json.Marshal(decode(b))
	return bytes.Equal(x, y)
}
