package rows

import "github.com/apache/arrow/go/v15/arrow"

// Size returns the bytes of the buffers that a record holds; of a slice, its share of them. (A slice still pins the whole
// record that it was cut from: [Take] rows that wait long.)
func Size(rec arrow.Record) int64 {
	size := int64(0)
	for _, col := range rec.Columns() {
		size += arraySize(col, 0, col.Len())
	}
	return size
}

// arraySize is the share of the rows from ≤ i < to.
func arraySize(arr arrow.Array, from, to int) int64 {
	rows := int64(to - from)
	if rows <= 0 {
		return 0
	}
	size := int64(0)
	if bufs := arr.Data().Buffers(); len(bufs) > 0 && bufs[0] != nil {
		size = (rows + 7) / 8
	}
	var v view
	v.open(arr, kindOf(arrow.Field{Type: arr.DataType()}))
	switch v.kind {
	case kindText, kindBinary:
		return size + 4*(rows+1) + int64(v.ends[to]-v.ends[from])
	case kindList:
		return size + 4*(rows+1) + arraySize(v.values(), int(v.ends[from]), int(v.ends[to]))
	}
	if t, ok := arr.DataType().(arrow.FixedWidthDataType); ok {
		return size + (rows*int64(t.BitWidth())+7)/8
	}
	return dataSize(arr.Data())
}

// dataSize counts whole buffers, for types of which we know nothing better.
func dataSize(d arrow.ArrayData) int64 {
	size := int64(0)
	for _, b := range d.Buffers() {
		if b != nil {
			size += int64(b.Len())
		}
	}
	for _, child := range d.Children() {
		size += dataSize(child)
	}
	return size
}
