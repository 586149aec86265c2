package pipeline

import (
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// restFixed is what a settled flight costs beside its position and verdicts: the ticket and the flight itself.
const restFixed = 384

// restBytes is what stays held for a settled flight until it is acked.
func restBytes(f *flight) int64 {
	n := restFixed + len(f.pos) + len(f.refused)*int(unsafe.Sizeof(connector.RowResult{}))
	for _, v := range f.refused {
		n += len(v.Code) + len(v.Message) + len(v.Field) + len(v.RequestID)
	}
	return int64(n)
}

// added returns the bytes that the flight's parts hold beyond its input: a renamed column shares its buffers and costs
// nothing, an exploded one may cost many times the input.
func (f *flight) added() int64 {
	seen := make(map[*byte]struct{}, 4*f.in.NumCols())
	measure(seen, f.in)
	var n int64
	for _, p := range f.parts {
		if p.rows != f.in {
			n += measure(seen, p.rows)
		}
		n += 4*int64(len(p.index)) + int64(len(p.refused))*int64(unsafe.Sizeof(connector.RowResult{}))
	}
	return n
}

// measure returns the bytes of the buffers of rec that are not in seen, and adds them to it.
func measure(seen map[*byte]struct{}, rec arrow.Record) int64 {
	var n int64
	for _, col := range rec.Columns() {
		n += measureData(seen, col.Data())
	}
	return n
}

func measureData(seen map[*byte]struct{}, data arrow.ArrayData) int64 {
	var n int64
	for _, buf := range data.Buffers() {
		if buf == nil || buf.Len() == 0 {
			continue
		}
		first := &buf.Bytes()[0]
		if _, ok := seen[first]; !ok {
			seen[first] = struct{}{}
			n += int64(buf.Cap())
		}
	}
	for _, child := range data.Children() {
		n += measureData(seen, child)
	}
	return n
}
