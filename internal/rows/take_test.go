package rows

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

func TestTake(t *testing.T) {
	mem := checked(t)
	rng := rand.New(rand.NewPCG(3, 4))
	whole := makeWide(t, mem, wideRows...)
	defer whole.Release()
	for range 200 {
		var parts []Part
		var want []string
		for range 1 + rng.IntN(4) {
			from := rng.IntN(len(wideRows))
			to := from + rng.IntN(len(wideRows)-from+1)
			p := Part{Rec: whole.NewSlice(int64(from), int64(to))}
			defer p.Rec.Release()
			for range rng.IntN(6) {
				if to > from {
					row := rng.IntN(to - from)
					p.Rows = append(p.Rows, int32(row))
					want = append(want, wideRows[from+row])
				}
			}
			parts = append(parts, p)
		}
		got := Take(mem, parts)
		if int(got.NumRows()) != len(want) || !got.Schema().Equal(wideSchema) {
			t.Fatalf("%d rows, want %d", got.NumRows(), len(want))
		}
		for row, want := range want {
			sameJSON(t, "take", AppendJSON(nil, got, row), want)
			if key := got.Column(wideSchema.NumFields() - 1).(*array.Binary).Value(row); string(key) != "key" {
				t.Fatalf("_key is %q", key)
			}
		}
		for i, col := range got.Columns() {
			nulls := 0
			for row := range col.Len() {
				if col.IsNull(row) {
					nulls++
				}
			}
			if col.NullN() != nulls {
				t.Fatalf("column %d says %d nulls and has %d", i, col.NullN(), nulls)
			}
		}
		again := Take(mem, []Part{{Rec: got, Rows: all(got)}})
		if !array.RecordEqual(got, again) {
			t.Error("all rows of a record, taken, are not the record")
		}
		again.Release()
		got.Release()
	}
}

func all(rec arrow.Record) []int32 {
	rows := make([]int32, rec.NumRows())
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

func TestTakeOwnsItsMemory(t *testing.T) {
	mem := checked(t)
	rec := makeWide(t, mem, wideRows...)
	taken := Take(mem, []Part{{Rec: rec, Rows: []int32{0, 6}}})
	rec.Release()
	sameJSON(t, "row 0", AppendJSON(nil, taken, 0), wideRows[0])
	sameJSON(t, "row 1", AppendJSON(nil, taken, 1), wideRows[6])
	taken.Release()

	empty := makeWide(t, mem)
	defer empty.Release()
	none := Take(nil, []Part{{Rec: empty}})
	defer none.Release()
	if none.NumRows() != 0 || Size(none) != 0 {
		t.Errorf("%d rows of %d bytes, want none", none.NumRows(), Size(none))
	}
}

func TestSize(t *testing.T) {
	mem := checked(t)
	rec := makeWide(t, mem, wideRows...)
	defer rec.Release()
	// By hand, for all seven rows: a validity byte per column but the eight ends of text, json, bin, list, key, and the
	// items of list; then the values.
	text := len("é\"<\n"+"plain"+"last") + len(`{"a":[1]}`+`null`+`"x"`+`1.50`) + 2 + 4 + 7*len("key")
	want := int64(10 + 5*4*8 + 2*7*8 + 1 + 2*7 + 4*7 + text)
	want += 1 + 4*9 + int64(len("a\tonlybcd")) // the eight elements of list
	if got := Size(rec); got != want {
		t.Errorf("got %d bytes, want %d", got, want)
	}
	sum := int64(0)
	for i := range rec.NumRows() {
		slice := rec.NewSlice(i, i+1)
		sum += Size(slice)
		if size := Size(slice); size <= 0 || size >= want {
			t.Errorf("row %d has %d bytes of %d", i, size, want)
		}
		slice.Release()
	}
	// Rows on their own round bits up and have ends of their own, no more.
	if sum < want || sum > want+7*(10+1+1+4*6) {
		t.Errorf("the rows have %d bytes, the record %d", sum, want)
	}
	empty := rec.NewSlice(3, 3)
	defer empty.Release()
	if got := Size(empty); got != 0 {
		t.Errorf("no rows have %d bytes", got)
	}
}

// Types that only hosts send take another way.
func TestOtherTypes(t *testing.T) {
	mem := checked(t)
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "large", Type: arrow.BinaryTypes.LargeString, Nullable: true},
		{Name: "at", Type: arrow.StructOf(arrow.Field{Name: "x", Type: arrow.PrimitiveTypes.Float32, Nullable: true}), Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	lines := []string{`{"large":"a","at":{"x":1.5}}`, `{}`, `{"large":"<c>","at":{"x":null}}`}
	for _, line := range lines {
		if err := b.UnmarshalJSON([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	rec := b.NewRecord()
	defer rec.Release()
	slice := rec.NewSlice(1, 3)
	defer slice.Release()
	taken := Take(mem, []Part{{Rec: slice, Rows: []int32{1, 0}}, {Rec: rec, Rows: []int32{0, 1, 2}}})
	defer taken.Release()
	for row, want := range []string{lines[2], lines[1], lines[0], lines[1], lines[2]} {
		sameJSON(t, "take", AppendJSON(nil, taken, row), want)
	}
	if got := Size(rec); got < 4 || got > 1000 {
		t.Errorf("got %d bytes", got)
	}
}
