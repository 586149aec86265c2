package rows

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// A block that was freed is had again, by whoever needs about as much.
func TestRecycler(t *testing.T) {
	var r Recycler
	first := r.Allocate(recycledStep + 1)
	if len(first) != recycledStep+1 || cap(first) != 2*recycledStep {
		t.Fatalf("%d of %d bytes", len(first), cap(first))
	}
	same := func(b []byte) bool { return &b[0] == &first[0] }
	r.Free(first[:5])
	for _, size := range []int{100, recycledStep / 2, 2*recycledStep + 1, 9 * recycledStep} {
		if b := r.Allocate(size); len(b) != size || same(b) {
			t.Errorf("%d bytes: %d, the same: %t", size, len(b), same(b))
		}
	}
	b := r.Allocate(2 * recycledStep)
	if len(b) != 2*recycledStep || !same(b) || r.size != 0 || len(r.free) != 0 {
		t.Errorf("%d bytes, the same: %t; %d bytes wait in %d blocks", len(b), same(b), r.size, len(r.free))
	}
	if same(r.Allocate(2 * recycledStep)) {
		t.Error("one block for two")
	}
}

// What waits is bounded, and what waits longest goes first.
func TestRecyclerIsBounded(t *testing.T) {
	var r Recycler
	for range 4 {
		r.Free(r.Allocate(recycledStep - 1))
		r.Free(r.Allocate(mostRecycled + 1))
	}
	if r.size != 0 || len(r.free) != 0 {
		t.Fatalf("%d bytes wait in %d blocks", r.size, len(r.free))
	}
	var blocks [][]byte
	for i := range 20 {
		blocks = append(blocks, r.Allocate((i%4+1)*4*recycledStep))
	}
	for _, b := range blocks {
		r.Free(b)
	}
	sum := 0
	for _, b := range r.free {
		sum += cap(b)
	}
	if r.size != sum || sum > mostRecycled || sum < mostRecycled/2 {
		t.Errorf("%d bytes wait, said to be %d", sum, r.size)
	}
	if last := r.free[len(r.free)-1]; &last[0] != &blocks[19][0] {
		t.Error("the last one does not wait")
	}
}

// Records in recycled memory hold what those in new memory do, and nothing of what was there before.
func TestRecycledRecords(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "t", Type: arrow.BinaryTypes.String, Nullable: true},
		connector.JSONField(connector.ColumnExtra)}, nil)
	recycler := &Recycler{}
	recycled, fresh := NewBuilder(recycler, schema), NewBuilder(memory.DefaultAllocator, schema)
	enc := NewEncoder(schema, nil)
	for round := range 12 {
		for i := range 2000 + 500*(round%3) {
			row := fmt.Appendf(nil, `{"n":%d,"t":"%s"}`, i*round, strings.Repeat("é", (i+7*round)%200))
			if i%5 == round%5 {
				row = fmt.Appendf(nil, `{"x":[%d]}`, i)
			}
			for _, b := range []*Builder{recycled, fresh} {
				if refusal := b.Append(row); refusal != nil {
					t.Fatal(refusal)
				}
			}
		}
		got, want := recycled.NewRecord(), fresh.NewRecord()
		var lines [2][]byte
		for i, rec := range []arrow.Record{got, want} {
			enc.Bind(rec)
			for row := range int(rec.NumRows()) {
				lines[i] = append(enc.AppendObject(lines[i], row), '\n')
			}
			rec.Release()
		}
		if string(lines[0]) != string(lines[1]) {
			t.Fatalf("round %d differs", round)
		}
	}
	if n := len(recycler.free); n == 0 || n > 3 {
		t.Errorf("%d blocks for one record at a time", n)
	}
}
