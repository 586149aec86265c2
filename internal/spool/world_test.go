package spool

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var testSchema = arrow.NewSchema([]arrow.Field{
	{Name: "agent", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "what", Type: arrow.BinaryTypes.String},
	connector.JSONField("raw"),
	{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
}, nil)

// row is an input row. what says what the mapping makes of it: keep, filter, reject, twice; or refuse: the reader could
// not read it.
type row struct{ agent, what, raw string }

func (r row) String() string { return r.agent + "/" + r.what + "/" + r.raw }

func record(mem memory.Allocator, schema *arrow.Schema, list []row) arrow.Record {
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for _, r := range list {
		if agent := b.Field(0).(*array.StringBuilder); r.agent == "" {
			agent.AppendNull()
		} else {
			agent.Append(r.agent)
		}
		b.Field(1).(*array.StringBuilder).Append(r.what)
		b.Field(2).(*array.StringBuilder).Append(r.raw)
		tags := b.Field(3).(*array.ListBuilder)
		tags.Append(true)
		tags.ValueBuilder().(*array.StringBuilder).Append("tag " + r.raw)
		for _, more := range b.Fields()[4:] {
			more.AppendNull()
		}
	}
	return b.NewRecord()
}

func rowsOf(rec arrow.Record) []row {
	list := make([]row, rec.NumRows())
	for i := range list {
		agent := ""
		if col := rec.Column(0).(*array.String); col.IsValid(i) {
			agent = col.Value(i)
		}
		list[i] = row{agent, rec.Column(1).(*array.String).Value(i), rec.Column(2).(*array.String).Value(i)}
	}
	return list
}

// testPlan is a mapping that does what each row's column says.
type testPlan struct {
	mem    memory.Allocator
	stream string
	schema *arrow.Schema
}

func (p testPlan) Stream() string               { return p.stream }
func (p testPlan) Schema() *arrow.Schema        { return p.schema }
func (p testPlan) Key(arrow.Record, int) string { return "" }

func (p testPlan) Apply(_ context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	out := connector.Applied{Index: []int32{}}
	for i, r := range rowsOf(in) {
		if len(skip) > 0 && skip[0].Row == i {
			skip = skip[1:]
			continue
		}
		switch r.what {
		case "filter":
		case "reject":
			out.Rejected = append(out.Rejected, connector.RowResult{Row: i, Verdict: connector.VerdictRejected, Code: connector.CodeBadValue})
		case "twice":
			out.Index = append(out.Index, int32(i), int32(i))
		case "break":
			return out, connector.Configf("Mend it", "on_error: fail")
		default:
			out.Index = append(out.Index, int32(i))
		}
	}
	out.Rows = rows.Take(p.mem, []rows.Part{{Rec: in, Rows: out.Index}})
	return out, nil
}

// testCodec knows whose a row is and how long: one byte for each of raw. It refuses rows whose raw is "refuse".
type testCodec struct {
	connector.Codec
	limit, bytes int
}

func (c testCodec) Limits() connector.Limits { return connector.Limits{Rows: c.limit, Bytes: c.bytes} }

func (c testCodec) AppendRequest(req *connector.Request, rec arrow.Record) error {
	var bad []connector.RowResult
	for i, r := range rowsOf(rec) {
		if r.raw == `"refuse"` {
			bad = append(bad, connector.RowResult{Row: i, Code: connector.CodeBadValue})
		}
		req.Body = append(req.Body, r.raw...)
	}
	if bad != nil {
		return &connector.RowsError{Rows: bad}
	}
	return nil
}

func (c testCodec) AppendGroup(dst []byte, rec arrow.Record, i int) []byte {
	if col := rec.Column(0).(*array.String); col.IsValid(i) {
		return append(dst, col.Value(i)...)
	}
	return dst
}

// source is an inner Reader over batches in memory.
type source struct {
	mem     memory.Allocator
	batches []input
	end     error
	onRead  func(n int)
	at      int
	acked   []connector.Settled
	closed  int
	opened  int
}

type input struct {
	stream  string
	schema  *arrow.Schema
	rows    []row
	noPos   bool
	noInput bool // no record at all
}

func (s *source) Open(_ context.Context, from connector.Position) error {
	s.opened++
	if from != nil {
		return fmt.Errorf("opened at %s", from)
	}
	return nil
}

func (s *source) Read(ctx context.Context) (connector.Batch, error) {
	if s.onRead != nil {
		s.onRead(s.at)
	}
	if err := ctx.Err(); err != nil {
		return connector.Batch{}, err
	}
	if s.at == len(s.batches) {
		return connector.Batch{}, s.end
	}
	in := s.batches[s.at]
	s.at++
	b := connector.Batch{Stream: in.stream}
	if !in.noPos {
		b.Pos = connector.Position(fmt.Sprint(s.at))
	}
	if in.noInput {
		return b, nil
	}
	b.Rows = record(s.mem, in.schema, in.rows)
	b.Bytes = rows.Size(b.Rows)
	for i, r := range in.rows {
		if r.what == "refuse" {
			b.Refused = append(b.Refused, connector.RowResult{Row: i, Verdict: connector.VerdictRejected, Code: connector.CodeBadUTF8, Message: r.raw})
		}
	}
	return b, nil
}

func (s *source) Ack(_ context.Context, a connector.Settled) error {
	s.acked = append(s.acked, a)
	return nil
}

func (s *source) Close() error { s.closed++; return nil }

// rowBytes is what a row may have of a request on average.
const rowBytes = 20

// open makes a Reader over the batches.
func open(t testing.TB, s *source, limit int, memory int64) *Reader {
	t.Helper()
	if s.end == nil {
		s.end = io.EOF
	}
	r := New(Config{
		Reader: s, Alloc: s.mem, Memory: memory, Dir: t.TempDir(),
		Plans: func(stream string, schema *arrow.Schema) ([]connector.Plan, error) {
			switch stream {
			case "skipped":
				return nil, nil
			case "doubled":
				return []connector.Plan{testPlan{s.mem, "x", schema}, testPlan{s.mem, "y", schema}}, nil
			}
			return []connector.Plan{testPlan{s.mem, "contacts", schema}}, nil
		},
		Codec: func(string, *arrow.Schema) (connector.Codec, error) {
			return testCodec{limit: limit, bytes: limit * rowBytes}, nil
		},
	})
	if err := r.Open(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return r
}

func keep(agent string, raws ...string) []row {
	var list []row
	for _, raw := range raws {
		text, err := json.Marshal(raw)
		if err != nil {
			panic(err) // a text always marshals
		}
		list = append(list, row{agent, "keep", string(text)})
	}
	return list
}
