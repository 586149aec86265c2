package rows

import (
	"bytes"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// kind is what a column holds, as far as this package is concerned.
type kind uint8

const (
	kindOther  kind = iota // written by Arrow's own means
	kindText               // utf8
	kindJSON               // utf8 that is raw JSON
	kindNumber             // utf8 that is a JSON number, see NumberField
	kindInt                // int64
	kindFloat              // float64
	kindBool               // bool
	kindBinary             // binary
	kindList               // list
)

func kindOf(f arrow.Field) kind {
	switch f.Type.ID() {
	case arrow.STRING:
		switch {
		case IsNumber(f):
			return kindNumber
		case connector.IsJSON(f):
			return kindJSON
		}
		return kindText
	case arrow.INT64:
		return kindInt
	case arrow.FLOAT64:
		return kindFloat
	case arrow.BOOL:
		return kindBool
	case arrow.BINARY:
		return kindBinary
	case arrow.LIST:
		return kindList
	}
	return kindOther
}

// column stages the values of one column. The slices keep their capacity from record to record; a finished record has
// exactly fitting buffers of its own.
type column struct {
	name  string
	kind  kind
	dtype arrow.DataType
	rows  int
	nulls int
	valid []byte  // a bit per row
	ends  []int32 // text, binary and lists: where each value ends; one more than rows, the first is 0
	data  []byte  // text, binary; bool: a bit per row
	ints  []int64

	values *column // of a list: its elements, one after the other
}

func newColumn(f arrow.Field) column {
	c := column{name: f.Name, kind: kindOf(f), dtype: f.Type}
	if list, ok := f.Type.(*arrow.ListType); ok {
		values := newColumn(arrow.Field{Type: list.Elem()})
		values.reset()
		c.values = &values
	}
	return c
}

// mark opens the next row.
func (c *column) mark(valid bool) {
	bit := byte(1) << (c.rows & 7)
	if bit == 1 {
		c.valid = append(c.valid, 0)
		if c.kind == kindBool {
			c.data = append(c.data, 0)
		}
	}
	if valid {
		c.valid[len(c.valid)-1] |= bit
	} else {
		c.nulls++
	}
	c.rows++
}

func (c *column) appendNull() {
	c.mark(false)
	switch c.kind {
	case kindInt:
		c.ints = append(c.ints, 0)
	case kindBool:
	case kindList:
		c.ends = append(c.ends, int32(c.values.rows))
	default:
		c.ends = append(c.ends, int32(len(c.data)))
	}
}

func (c *column) appendInt(n int64) {
	c.mark(true)
	c.ints = append(c.ints, n)
}

func (c *column) appendBool(v bool) {
	bit := byte(1) << (c.rows & 7)
	c.mark(true)
	if v {
		c.data[len(c.data)-1] |= bit
	}
}

func (c *column) appendBytes(b []byte) {
	c.data = append(c.data, b...)
	c.close()
}

// close ends a value that was appended to data by other means.
func (c *column) close() {
	c.mark(true)
	c.ends = append(c.ends, int32(len(c.data)))
}

// closeList ends a list whose elements were appended to values.
func (c *column) closeList() {
	c.mark(true)
	c.ends = append(c.ends, int32(c.values.rows))
}

// Flatten turns the line breaks between the tokens of valid JSON into spaces. Within strings there are none.
func Flatten(b []byte) {
	for _, br := range [...]byte{'\n', '\r'} {
		for rest := b; ; {
			i := bytes.IndexByte(rest, br)
			if i < 0 {
				break
			}
			rest[i] = ' '
			rest = rest[i+1:]
		}
	}
}

// appendValidUTF8 appends b with U+FFFD in the place of bytes that are not UTF-8.
func appendValidUTF8(dst, b []byte) []byte {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		dst = utf8.AppendRune(dst, r)
		b = b[n:]
	}
	return dst
}

// finish returns the staged rows as an array and empties the column.
func (c *column) finish(mem memory.Allocator) arrow.Array {
	values := [][]byte{c.data}
	switch c.kind {
	case kindInt:
		values[0] = arrow.Int64Traits.CastToBytes(c.ints)
	case kindBool:
	case kindList:
		values[0] = arrow.Int32Traits.CastToBytes(c.ends)
	default:
		values = [][]byte{arrow.Int32Traits.CastToBytes(c.ends), c.data}
	}
	sizes := []int{len(c.valid)}
	if c.nulls == 0 {
		sizes[0] = 0
	}
	for _, v := range values {
		sizes = append(sizes, len(v))
	}
	bufs := newBuffers(mem, sizes...)
	if bufs[0] != nil {
		copy(bufs[0].Bytes(), c.valid)
	}
	for i, v := range values {
		copy(bufs[i+1].Bytes(), v)
	}
	var children []arrow.ArrayData
	if c.kind == kindList {
		elements := c.values.finish(mem)
		defer elements.Release()
		children = []arrow.ArrayData{elements.Data()}
	}
	arr := newArray(c.dtype, c.rows, bufs, children, c.nulls)
	c.reset()
	return arr
}

// keepStaged is the capacity that a column keeps however little of it the last record needed.
const keepStaged = 1 << 16

func (c *column) reset() {
	if cap(c.data) > keepStaged && cap(c.data)/4 > len(c.data) {
		c.data = nil // one huge value must not be held for ever
	}
	c.rows, c.nulls = 0, 0
	c.valid, c.data, c.ints = c.valid[:0], c.data[:0], c.ints[:0]
	c.ends = append(c.ends[:0], 0)
}

// newBuffers allocates one block and cuts it into buffers of the sizes given, each on a 64 byte boundary. The first, the
// validity bitmap, is nil if its size is 0. The caller owns a reference to each.
func newBuffers(mem memory.Allocator, sizes ...int) []*memory.Buffer {
	total := 0
	for _, n := range sizes {
		total += (n + 63) &^ 63
	}
	block := memory.NewResizableBuffer(mem)
	block.Resize(total)
	bufs := make([]*memory.Buffer, len(sizes))
	at := 0
	for i, n := range sizes {
		if i > 0 || n > 0 {
			bufs[i] = memory.SliceBuffer(block, at, n)
			at += (n + 63) &^ 63
		}
	}
	block.Release()
	return bufs
}

// newArray wraps buffers, whose references it takes over, and children, whose references the caller keeps.
func newArray(t arrow.DataType, n int, bufs []*memory.Buffer, children []arrow.ArrayData, nulls int) arrow.Array {
	data := array.NewData(t, n, bufs, children, nulls, 0)
	defer data.Release()
	for _, b := range bufs {
		if b != nil {
			b.Release()
		}
	}
	return array.MakeFromData(data)
}
