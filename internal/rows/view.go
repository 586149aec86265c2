package rows

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// view is an array opened for reading: its buffers as slices that begin at the array's own first row, wherever the array
// was sliced from. It holds no reference.
type view struct {
	arr    arrow.Array // for what has no slice below
	kind   kind
	rows   int
	offset int    // of the bits in valid, and in data for booleans
	valid  []byte // nil: no nulls
	ends   []int32
	data   []byte
	ints   []int64
	floats []float64
}

// open makes v a view of an array whose column is of kind k.
func (v *view) open(arr arrow.Array, k kind) {
	d := arr.Data()
	bufs := d.Buffers()
	*v = view{arr: arr, kind: k, rows: d.Len(), offset: d.Offset()}
	if v.rows == 0 {
		return
	}
	if len(bufs) > 0 && bufs[0] != nil && arr.NullN() > 0 {
		v.valid = bufs[0].Bytes()
	}
	from, to := d.Offset(), d.Offset()+d.Len()
	switch k {
	case kindInt:
		v.ints = arrow.Int64Traits.CastFromBytes(bufs[1].Bytes())[from:to]
	case kindFloat:
		v.floats = arrow.Float64Traits.CastFromBytes(bufs[1].Bytes())[from:to]
	case kindBool:
		v.data = bufs[1].Bytes()
	case kindList:
		v.ends = arrow.Int32Traits.CastFromBytes(bufs[1].Bytes())[from : to+1]
	case kindText, kindJSON, kindNumber, kindBinary:
		v.ends = arrow.Int32Traits.CastFromBytes(bufs[1].Bytes())[from : to+1]
		if bufs[2] != nil {
			v.data = bufs[2].Bytes()
		}
	}
}

func (v *view) isNull(row int) bool {
	if v.valid == nil {
		// An array of the type "null" has no bitmap.
		return v.kind == kindOther && v.arr.IsNull(row)
	}
	i := row + v.offset
	return v.valid[i>>3]>>(i&7)&1 == 0
}

func (v *view) bool(row int) bool {
	i := row + v.offset
	return v.data[i>>3]>>(i&7)&1 != 0
}

// bytes returns a text or binary value.
func (v *view) bytes(row int) []byte { return v.data[v.ends[row]:v.ends[row+1]] }

// values returns the array that a list's elements stand in.
func (v *view) values() arrow.Array { return v.arr.(*array.List).ListValues() }
