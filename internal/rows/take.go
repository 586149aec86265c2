package rows

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// Part is some rows of a record, in the order wanted; a row may come more than once.
type Part struct {
	Rec  arrow.Record
	Rows []int32
}

// Take gathers rows of records of one schema into a new record, owned by the caller, in the order of the parts. There
// must be at least one part, though it may have no rows. The new record shares no memory with the old ones, so few rows
// that wait long do not pin the many that they came with.
func Take(mem memory.Allocator, parts []Part) arrow.Record {
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	schema := parts[0].Rec.Schema()
	picks := make([]pick, len(parts))
	n := 0
	for i, p := range parts {
		picks[i].rows = p.Rows
		n += len(p.Rows)
	}
	cols := make([]arrow.Array, schema.NumFields())
	for c := range cols {
		for i, p := range parts {
			picks[i].arr = p.Rec.Column(c)
		}
		cols[c] = takeArray(mem, picks, n)
	}
	rec := array.NewRecord(schema, cols, int64(n))
	for _, c := range cols {
		c.Release()
	}
	return rec
}

// pick is some rows of an array.
type pick struct {
	arr  arrow.Array
	rows []int32
	view view
}

// takeArray gathers n rows of arrays of one type.
func takeArray(mem memory.Allocator, picks []pick, n int) arrow.Array {
	t := picks[0].arr.DataType()
	k := kindOf(arrow.Field{Type: t})
	if k == kindOther || n == 0 {
		return takeOther(mem, picks)
	}
	nulls := 0
	for i := range picks {
		p := &picks[i]
		p.view.open(p.arr, k)
		if p.view.valid != nil {
			for _, row := range p.rows {
				if p.view.isNull(int(row)) {
					nulls++
				}
			}
		}
	}
	valid := 0
	if nulls > 0 {
		valid = (n + 7) / 8
	}
	var bufs []*memory.Buffer
	var children []arrow.ArrayData
	switch k {
	case kindInt, kindFloat:
		bufs = newBuffers(mem, valid, 8*n)
		takeFixed(picks, bufs[1].Bytes())
	case kindBool:
		bufs = newBuffers(mem, valid, (n+7)/8)
		takeBits(picks, bufs[1].Bytes(), (*view).bool)
	case kindList:
		bufs = newBuffers(mem, valid, 4*(n+1))
		values := takeLists(mem, picks, arrow.Int32Traits.CastFromBytes(bufs[1].Bytes()))
		defer values.Release()
		children = []arrow.ArrayData{values.Data()}
	default:
		bufs = newBuffers(mem, valid, 4*(n+1), textSize(picks))
		takeText(picks, arrow.Int32Traits.CastFromBytes(bufs[1].Bytes()), bufs[2].Bytes())
	}
	if nulls > 0 {
		takeBits(picks, bufs[0].Bytes(), func(v *view, row int) bool { return !v.isNull(row) })
	}
	return newArray(t, n, bufs, children, nulls)
}

func takeFixed(picks []pick, dst []byte) {
	at := 0
	for _, p := range picks {
		src := arrow.Int64Traits.CastToBytes(p.view.ints)
		if p.view.kind == kindFloat {
			src = arrow.Float64Traits.CastToBytes(p.view.floats)
		}
		for _, row := range p.rows {
			at += copy(dst[at:at+8], src[8*row:])
		}
	}
}

func takeBits(picks []pick, dst []byte, bit func(*view, int) bool) {
	clear(dst)
	at := 0
	for i := range picks {
		p := &picks[i]
		for _, row := range p.rows {
			if bit(&p.view, int(row)) {
				bitutil.SetBit(dst, at)
			}
			at++
		}
	}
}

func textSize(picks []pick) int {
	size := 0
	for _, p := range picks {
		for _, row := range p.rows {
			size += int(p.view.ends[row+1] - p.view.ends[row])
		}
	}
	return size
}

func takeText(picks []pick, ends []int32, dst []byte) {
	ends[0] = 0
	row, at := 0, 0
	for i := range picks {
		p := &picks[i]
		for _, r := range p.rows {
			at += copy(dst[at:], p.view.bytes(int(r)))
			row++
			ends[row] = int32(at)
		}
	}
}

// takeLists fills the ends and gathers the elements.
func takeLists(mem memory.Allocator, picks []pick, ends []int32) arrow.Array {
	elements := make([]pick, len(picks))
	ends[0] = 0
	row, n := 0, 0
	for i, p := range picks {
		elements[i].arr = p.view.values()
		for _, r := range p.rows {
			for e := p.view.ends[r]; e < p.view.ends[r+1]; e++ {
				elements[i].rows = append(elements[i].rows, e)
				n++
			}
			row++
			ends[row] = int32(n)
		}
	}
	return takeArray(mem, elements, n)
}

// takeOther gathers rows of a type that has no loop of its own, and makes arrays without rows.
func takeOther(mem memory.Allocator, picks []pick) arrow.Array {
	var runs []arrow.Array
	for _, p := range picks {
		for i := 0; i < len(p.rows); {
			from := i
			for i++; i < len(p.rows) && p.rows[i] == p.rows[i-1]+1; i++ {
			}
			runs = append(runs, array.NewSlice(p.arr, int64(p.rows[from]), int64(p.rows[i-1])+1))
		}
	}
	if len(runs) == 0 {
		b := array.NewBuilder(mem, picks[0].arr.DataType())
		defer b.Release()
		return b.NewArray()
	}
	out, err := array.Concatenate(runs, mem)
	for _, r := range runs {
		r.Release()
	}
	if err != nil { // one type by contract, so this is a type that Arrow itself cannot join
		panic(fmt.Sprintf("rows: take: %v", err))
	}
	return out
}
