package rows

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// Rows that are kept as they are come out as they went in, behind their number.
func TestKept(t *testing.T) {
	number := arrow.Field{Name: "n", Type: arrow.PrimitiveTypes.Int64}
	extra := connector.JSONField(connector.ColumnExtra)
	for _, schema := range []*arrow.Schema{arrow.NewSchema([]arrow.Field{number, extra}, nil), arrow.NewSchema([]arrow.Field{extra, number}, nil)} {
		b := NewBuilder(checked(t), schema)
		if !b.Keeps() {
			t.Fatalf("%s keeps nothing", schema)
		}
		members := []string{`{}`, `{"a":1,"b":{"n":[2,"}"]}}`, `{"é":"\n"}`}
		for i, m := range members {
			if r := b.AppendKept(int64(i)<<40, []byte(m)); r != nil {
				t.Fatal(r)
			}
		}
		if r := b.Append([]byte(`{"n":7,"c":3}`)); r != nil {
			t.Fatal(r)
		}
		rec := b.NewRecord()
		enc := NewEncoder(schema, nil)
		enc.Bind(rec)
		for i, want := range []string{`{"n":0}`, `{"n":1099511627776,"a":1,"b":{"n":[2,"}"]}}`, `{"n":2199023255552,"é":"\n"}`, `{"n":7,"c":3}`} {
			if got := string(enc.AppendObject(nil, i)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		if int64(b.Len()) != 0 || rec.NumRows() != 4 {
			t.Errorf("%d rows wait, the record has %d", b.Len(), rec.NumRows())
		}
		rec.Release()
		b.bytes = maxStaged - 5
		if r := b.AppendKept(1, []byte(`{"a":1}`)); r == nil || r.Code != connector.CodeTooBig || !strings.Contains(r.Message, "2 GiB") {
			t.Errorf("got %v", r)
		}
		b.Release()
	}
	text := arrow.Field{Name: "t", Type: arrow.BinaryTypes.String}
	for _, fields := range [][]arrow.Field{{number}, {extra}, {number, text}, {text, extra}, {number, text, extra}} {
		if b := NewBuilder(checked(t), arrow.NewSchema(fields, nil)); b.Keeps() {
			t.Errorf("%v keeps rows", fields)
		}
	}
}
