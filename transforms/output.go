package transforms

import (
	"math"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
)

// writer collects the output columns of one record.
type writer struct {
	p    *plan
	in   arrow.Record
	cols []sink // by output; nil where the column is shared or null throughout
}

// sink takes the values of one output column, chunk by chunk.
type sink interface {
	// append adds the values of the rows given.
	append(x *exec, vec []value, rows []int32) error
	array() arrow.Array
	release()
}

func newWriter(p *plan, in arrow.Record) *writer {
	w := &writer{p: p, in: in, cols: make([]sink, len(p.g.outs))}
	rows := int(in.NumRows())
	for i, o := range p.g.outs {
		switch {
		case o.never || o.share >= 0:
		case o.field.Type.ID() == arrow.INT64:
			w.cols[i] = &intSink{b: array.NewInt64Builder(p.m.opts.Alloc), rows: rows}
		case o.field.Type.ID() == arrow.BOOL:
			w.cols[i] = &boolSink{b: array.NewBooleanBuilder(p.m.opts.Alloc), rows: rows}
		case o.field.Type.ID() == arrow.LIST:
			w.cols[i] = &listSink{b: array.NewListBuilder(p.m.opts.Alloc, arrow.BinaryTypes.String)}
		default:
			w.cols[i] = newTextSink(p.m.opts.Alloc, rows, connector.IsJSON(o.field))
		}
	}
	return w
}

// write appends the rows of the chunk that are left.
func (w *writer) write(x *exec) error {
	for i, c := range w.cols {
		if c == nil {
			continue
		}
		if o := &w.p.g.outs[i]; o.extra {
			if err := x.writeExtra(c.(*textSink), w.p.consumed); err != nil {
				return err
			}
		} else if err := c.append(x, x.vecs[o.slot], x.sel); err != nil {
			return err
		}
	}
	return nil
}

// record finishes the columns. index lists the rows that are left, nil: all.
func (w *writer) record(index []int32) (arrow.Record, error) {
	rows := int64(len(index))
	if index == nil {
		rows = w.in.NumRows()
	}
	cols := make([]arrow.Array, len(w.cols))
	defer func() {
		for _, c := range cols {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i, c := range w.cols {
		o := &w.p.g.outs[i]
		switch {
		case c != nil:
			cols[i] = c.array()
		case o.never:
			cols[i] = array.MakeArrayOfNull(w.p.m.opts.Alloc, o.field.Type, int(rows))
		default:
			col, err := w.share(o, index)
			if err != nil {
				return nil, err
			}
			cols[i] = col
		}
	}
	return array.NewRecord(w.p.schema, cols, rows), nil
}

// share hands the input's column on: the very array, or the runs of it that are left.
func (w *writer) share(o *output, index []int32) (arrow.Array, error) {
	col := w.in.Column(o.share)
	if text, ok := col.(*array.String); ok && connector.IsJSON(o.field) && hasNullText(text) {
		return w.withoutNulls(text, index), nil
	}
	if index == nil {
		col.Retain()
		return col, nil
	}
	if len(index) == 0 {
		return array.MakeArrayOfNull(w.p.m.opts.Alloc, o.field.Type, 0), nil
	}
	var runs []arrow.Array
	defer func() {
		for _, r := range runs {
			r.Release()
		}
	}()
	for i := 0; i < len(index); {
		j := i + 1
		for j < len(index) && index[j] == index[j-1]+1 {
			j++
		}
		runs = append(runs, array.NewSlice(col, int64(index[i]), int64(index[j-1])+1))
		i = j
	}
	out, err := array.Concatenate(runs, w.p.m.opts.Alloc)
	if err != nil {
		return nil, connector.Internalf("", "apply: column %s: %w", o.name, err)
	}
	return out, nil
}

// hasNullText reports whether a raw JSON column holds an explicit null, which is not handed on.
func hasNullText(a *array.String) bool {
	for i := range a.Len() {
		if a.ValueLen(i) == 4 && a.Value(i) == "null" {
			return true
		}
	}
	return false
}

func (w *writer) withoutNulls(a *array.String, index []int32) arrow.Array {
	b := array.NewStringBuilder(w.p.m.opts.Alloc)
	defer b.Release()
	put := func(i int) {
		if a.IsNull(i) || a.Value(i) == "null" {
			b.AppendNull()
		} else {
			b.Append(a.Value(i))
		}
	}
	if index == nil {
		for i := range a.Len() {
			put(i)
		}
	}
	for _, i := range index {
		put(int(i))
	}
	return b.NewArray()
}

func (w *writer) release() {
	for _, c := range w.cols {
		if c != nil {
			c.release()
		}
	}
}

// textSink builds a utf8 column in buffers of its own: the offsets have their full size from the start, the bytes grow by
// the chunk, and the bitmap is made when the first null comes.
type textSink struct {
	offsets, data     *memory.Buffer
	valid             *memory.Buffer
	bits              []byte // of valid; nil: no null so far
	json              bool
	total             int // rows of the record
	rows, size, nulls int
}

func newTextSink(mem memory.Allocator, rows int, json bool) *textSink {
	s := &textSink{
		offsets: memory.NewResizableBuffer(mem), data: memory.NewResizableBuffer(mem), valid: memory.NewResizableBuffer(mem), json: json, total: rows,
	}
	s.offsets.Resize(arrow.Int32Traits.BytesRequired(rows + 1))
	arrow.Int32Traits.CastFromBytes(s.offsets.Bytes())[0] = 0
	return s
}

func (s *textSink) append(x *exec, vec []value, rows []int32) error {
	if s.json {
		return s.appendJSON(x, vec, rows)
	}
	size := 0
	for _, r := range rows {
		size += len(vec[r].s)
	}
	dst, err := s.grow(size)
	if err != nil {
		return err
	}
	at, offsets := s.size, arrow.Int32Traits.CastFromBytes(s.offsets.Bytes())
	for _, r := range rows {
		v := &vec[r]
		if v.k == kindText {
			at += copy(dst[at:], v.s)
		}
		s.mark(v.k == kindText)
		offsets[s.rows] = int32(at)
	}
	s.size = at
	return nil
}

func (s *textSink) appendJSON(x *exec, vec []value, rows []int32) error {
	buf, offsets := x.buf[:0], arrow.Int32Traits.CastFromBytes(s.offsets.Bytes())
	for _, r := range rows {
		there := !vec[r].missing()
		if there {
			buf = x.appendJSON(buf, vec[r])
		}
		s.mark(there)
		offsets[s.rows] = int32(s.size + len(buf))
	}
	x.buf = buf
	return s.put(buf)
}

// mark counts a row that has a value or has none.
func (s *textSink) mark(there bool) {
	if !there {
		s.nulls++
		if s.bits == nil {
			s.valid.Resize(int(bitutil.BytesForBits(int64(s.total))))
			s.bits = s.valid.Bytes()
			memory.Set(s.bits, 0)
			bitutil.SetBitsTo(s.bits, 0, int64(s.rows), true)
		}
	} else if s.bits != nil {
		bitutil.SetBit(s.bits, s.rows)
	}
	s.rows++
}

// put copies bytes behind those that are there.
func (s *textSink) put(b []byte) error {
	dst, err := s.grow(len(b))
	if err != nil {
		return err
	}
	s.size += copy(dst[s.size:], b)
	return nil
}

// grow makes room for n more bytes and returns the whole buffer.
func (s *textSink) grow(n int) ([]byte, error) {
	if s.size+n > math.MaxInt32 {
		return nil, connector.Internalf("Make the batches smaller", "apply: a column of text exceeds 2 GiB")
	}
	if need := s.size + n; need > s.data.Cap() {
		// What is still to come is taken to be like what has come, plus a sixteenth.
		if seen := min(s.total, s.rows+chunkRows); seen > 0 && seen < s.total {
			need = max(need, int(int64(need)*int64(s.total)/int64(seen)*17/16))
		}
		s.data.Reserve(need)
	}
	s.data.ResizeNoShrink(s.size + n)
	return s.data.Bytes(), nil
}

func (s *textSink) array() arrow.Array {
	s.data.ResizeNoShrink(s.size)
	s.offsets.ResizeNoShrink(arrow.Int32Traits.BytesRequired(s.rows + 1))
	buffers := []*memory.Buffer{nil, s.offsets, s.data}
	if s.bits != nil {
		s.valid.ResizeNoShrink(int(bitutil.BytesForBits(int64(s.rows))))
		buffers[0] = s.valid
	}
	data := array.NewData(arrow.BinaryTypes.String, s.rows, buffers, nil, s.nulls, 0)
	defer data.Release()
	return array.NewStringData(data)
}

func (s *textSink) release() {
	s.offsets.Release()
	s.data.Release()
	s.valid.Release()
}

type intSink struct {
	b    *array.Int64Builder
	rows int
}

func (s *intSink) append(_ *exec, vec []value, rows []int32) error {
	if s.b.Cap() == 0 {
		s.b.Reserve(s.rows)
	}
	for _, r := range rows {
		if vec[r].k == kindInt {
			s.b.UnsafeAppend(vec[r].n)
		} else {
			s.b.UnsafeAppendBoolToBitmap(false)
		}
	}
	return nil
}

func (s *intSink) array() arrow.Array { return s.b.NewArray() }
func (s *intSink) release()           { s.b.Release() }

type boolSink struct {
	b    *array.BooleanBuilder
	rows int
}

func (s *boolSink) append(_ *exec, vec []value, rows []int32) error {
	if s.b.Cap() == 0 {
		s.b.Reserve(s.rows)
	}
	for _, r := range rows {
		if vec[r].k == kindBool {
			s.b.UnsafeAppend(vec[r].n != 0)
		} else {
			s.b.UnsafeAppendBoolToBitmap(false)
		}
	}
	return nil
}

func (s *boolSink) array() arrow.Array { return s.b.NewArray() }
func (s *boolSink) release()           { s.b.Release() }

// listSink builds a list<utf8>; elements of other kinds become text.
type listSink struct{ b *array.ListBuilder }

func (s *listSink) append(x *exec, vec []value, rows []int32) error {
	items := s.b.ValueBuilder().(*array.StringBuilder)
	for _, r := range rows {
		list, ok := x.elements(vec[r])
		if !ok {
			s.b.AppendNull()
			continue
		}
		s.b.Append(true)
		for _, item := range x.listOf(list) {
			switch {
			case item.missing():
				continue
			case item.k == kindText:
				items.BinaryBuilder.Append(bytesOf(item.s))
			default:
				x.buf = x.appendJSON(x.buf[:0], item)
				items.BinaryBuilder.Append(x.buf)
			}
		}
	}
	return nil
}

func (s *listSink) array() arrow.Array { return s.b.NewArray() }
func (s *listSink) release()           { s.b.Release() }

// writeExtra hands on what is left of "_extra" when the mapping has taken what it reads.
func (x *exec) writeExtra(s *textSink, consumed map[string]bool) error {
	offsets, dst := arrow.Int32Traits.CastFromBytes(s.offsets.Bytes()), x.buf[:0]
	for _, r := range x.sel {
		start := len(dst)
		dst = append(dst, '{')
		if extra := x.extraOf(r); extra != "" {
			members, _ := x.membersOf(extra)
			for _, m := range members {
				if consumed[m.key] || bookkeeping(m.key) || m.raw == "null" {
					continue
				}
				if len(dst) > start+1 {
					dst = append(dst, ',')
				}
				dst = append(append(appendString(dst, m.key), ':'), m.raw...)
			}
		}
		there := len(dst) > start+1
		if there {
			dst = append(dst, '}')
		} else {
			dst = dst[:start]
		}
		s.mark(there)
		offsets[s.rows] = int32(s.size + len(dst))
	}
	x.buf = dst
	return s.put(dst)
}
