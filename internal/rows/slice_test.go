package rows

import (
	"bytes"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// A Slice is to every reader what NewSlice is.
func TestSlice(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	rec := makeWide(t, mem, wideRows...)
	defer rec.Release()
	for from := range len(wideRows) {
		for to := from; to <= len(wideRows); to++ {
			ours, plain := Slice(rec, from, to), rec.NewSlice(int64(from), int64(to))
			enc := NewEncoder(rec.Schema(), nil)
			enc.Bind(ours)
			for row := range to - from {
				want := AppendJSON(nil, plain, row)
				if got := AppendJSON(nil, ours, row); !bytes.Equal(got, want) {
					t.Errorf("[%d,%d) row %d: %s, want %s", from, to, row, got, want)
				}
				if got := enc.AppendObject(nil, row); !bytes.Equal(got, want) {
					t.Errorf("[%d,%d) row %d encoded: %s, want %s", from, to, row, got, want)
				}
			}
			if !array.RecordEqual(ours, plain) || ours.NumRows() != plain.NumRows() || ours.NumCols() != plain.NumCols() {
				t.Errorf("[%d,%d) differs", from, to)
			}
			gotJSON, err := ours.MarshalJSON()
			wantJSON, werr := plain.MarshalJSON()
			if err != nil || werr != nil || !bytes.Equal(gotJSON, wantJSON) {
				t.Errorf("[%d,%d) MarshalJSON: %s %v, want %s %v", from, to, gotJSON, err, wantJSON, werr)
			}
			plain.Release()
			ours.Release()
		}
	}
	outer := Slice(rec, 1, 6)
	inner := outer.NewSlice(1, 3)
	outer.Release()
	if got, want := string(AppendJSON(nil, inner, 0)), string(AppendJSON(nil, rec, 2)); got != want {
		t.Errorf("slice of a slice: %s, want %s", got, want)
	}
	set, err := inner.SetColumn(0, inner.Column(0))
	if err != nil {
		t.Fatal(err)
	}
	set.Release()
	taken := Take(mem, []Part{{Rec: inner, Rows: []int32{1, 0}}})
	if got, want := string(AppendJSON(nil, taken, 0)), string(AppendJSON(nil, rec, 3)); got != want {
		t.Errorf("take from a slice: %s, want %s", got, want)
	}
	if Size(inner) <= 0 || Size(inner) > Size(rec) {
		t.Errorf("size of a slice: %d of %d", Size(inner), Size(rec))
	}
	taken.Release()
	inner.Release()
}

func TestSliceAllocs(t *testing.T) {
	b := NewBuilder(memory.DefaultAllocator, RawSchema([]string{"a", "b", "c"}))
	defer b.Release()
	for range 10 {
		if r := b.Append([]byte(`{"a":"x","b":12,"c":[1,2]}`)); r != nil {
			t.Fatal(r)
		}
	}
	rec := b.NewRecord()
	defer rec.Release()
	enc := NewEncoder(rec.Schema(), nil)
	dst := make([]byte, 0, 1<<10)
	got := testing.AllocsPerRun(100, func() {
		s := Slice(rec, 2, 6)
		enc.Bind(s)
		dst = enc.AppendObject(dst[:0], 0)
		s.Release()
	})
	if got > 2 {
		t.Errorf("%v allocations for a slice and its first row, want 2 at most", got)
	}
}

func TestOmitEmpty(t *testing.T) {
	rec := makeWide(t, memory.DefaultAllocator, wideRows...)
	defer rec.Release()
	enc := NewEncoder(rec.Schema(), nil)
	enc.OmitEmpty = true
	enc.Bind(rec)
	const want = `{"json":null,"int":0,"float":0,"bool":false,"bin":"","list":[],"small":0,"day":"1970-01-01"}`
	if got := string(enc.AppendObject(nil, 2)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
