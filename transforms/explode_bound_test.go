package transforms

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
	"pgregory.net/rapid"
)

// countingAllocator adds up what is asked of it.
type countingAllocator struct {
	memory.Allocator
	total int
}

func (c *countingAllocator) Allocate(size int) []byte {
	c.total += size
	return c.Allocator.Allocate(size)
}

func (c *countingAllocator) Reallocate(size int, b []byte) []byte {
	c.total += max(size-cap(b), 0)
	return c.Allocator.Reallocate(size, b)
}

// explodePlan binds a mapping to a record.
func explodePlan(t *testing.T, mem memory.Allocator, doc string, rec arrow.Record) *plan {
	t.Helper()
	m, err := Compile(mustParse(t, "m", doc), Options{Alloc: mem})
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.plan("s", rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestExplodeBound: rows are refused, and only they, before the parts of a batch take more memory than they may.
func TestExplodeBound(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	text := strings.Repeat("x", 1000)
	row := func(parts int) string {
		return fmt.Sprintf(`{"t":%q,"l":[%s0]}`, text, strings.Repeat("1,", parts-1))
	}
	rec := rawRecord(t, mem, []string{"t", "l"}, row(1), row(40), row(70), row(30), row(1), row(31), row(1))
	defer rec.Release()
	p := explodePlan(t, mem, "streams: {s: {explode: l, fields: {a: t, b: l}}}", rec)
	p.explode.limit = 100_000
	out, err := p.Apply(context.Background(), rec, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Rows.Release()
	if got := out.Rows.NumRows(); got != 1+40+30+1+1 {
		t.Errorf("%d rows", got)
	}
	for i, want := range []int{2, 5} {
		if i >= len(out.Rejected) || out.Rejected[i].Row != want || out.Rejected[i].Code != connector.CodeTooBig ||
			!strings.Contains(out.Rejected[i].Message, "Shorten l, or send the row again in a smaller batch") {
			t.Fatalf("refused: %v", out.Rejected)
		}
	}
	alone := rec.NewSlice(5, 6)
	defer alone.Release()
	if again, err := p.Apply(context.Background(), alone, nil); err != nil || again.Rows.NumRows() != 31 {
		t.Errorf("a row that was refused for its neighbours, alone: %v, %v", again, err)
	} else {
		again.Rows.Release()
	}
}

// TestExplodeTakesWhatIsRead: neither the list nor what the mapping does not read is repeated in every part.
func TestExplodeTakesWhatIsRead(t *testing.T) {
	mem := &countingAllocator{Allocator: memory.DefaultAllocator}
	rec := rawRecord(t, memory.DefaultAllocator, []string{"l", "big", "id"}, fmt.Sprintf(`{"l":[%s0],"big":%q,"id":7}`, strings.Repeat("1,", 4999), strings.Repeat("x", 100_000)))
	p := explodePlan(t, mem, "streams: {s: {explode: {field: l, as: n}, fields: {n: n, id: id}}}", rec)
	out, err := p.Apply(context.Background(), rec, nil)
	if err != nil || out.Rows.NumRows() != 5000 || len(out.Rejected) > 0 {
		t.Fatal(err, out.Rejected)
	}
	if got := object(t, out.Rows, 4999); got != `{"id":7,"n":0}` {
		t.Errorf("the last part: %s", got)
	}
	if mem.total > 4<<20 {
		t.Errorf("%d bytes for 5000 small parts", mem.total)
	}
}

// TestExplodeBesideAnyColumn: columns of any type may stand beside the list, read or not.
func TestExplodeBesideAnyColumn(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		defer mem.AssertSize(fatal{t}, 0)
		f, col := anyColumn(t, mem, 2)
		defer col.Release()
		f.Name = "c"
		b := array.NewStringBuilder(mem)
		defer b.Release()
		b.AppendValues([]string{"[1,2]", "[]"}, nil)
		list := b.NewArray()
		defer list.Release()
		rec := array.NewRecord(arrow.NewSchema([]arrow.Field{f, connector.JSONField("l")}, nil), []arrow.Array{col, list}, 2)
		defer rec.Release()
		doc := rapid.SampledFrom([]string{"explode: l, fields: {n: l}", "explode: l, fields: {n: l, c: c}", "explode: {field: l, as: c}, fields: {n: c}", "explode: l, rest: keep"}).Draw(t, "mapping")
		m, err := Compile(mustParse(outer, "m", "streams: {s: {"+doc+"}}"), Options{Alloc: mem})
		if err != nil {
			t.Fatal(err)
		}
		plans, err := m.Plans("s", rec.Schema())
		if err != nil {
			t.Fatal(err)
		}
		out, err := plans[0].Apply(context.Background(), rec, nil)
		if err != nil || out.Rows.NumRows() != 3 {
			t.Fatal(err, out.Rejected)
		}
		out.Rows.Release()
	})
}
