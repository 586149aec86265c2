package transforms

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/sluicehq/sluice/connector"
)

// writer collects the output columns of one record.
type writer struct {
	p    *plan
	in   arrow.Record
	cols []sink // by output; nil where the column is shared or null throughout

	index []int32 // rows of the record that were written
}

// sink takes the values of one output column, chunk by chunk.
type sink interface {
	// append adds the values of the rows given.
	append(x *exec, vec *vector, rows []int32) error
	array() arrow.Array
	release()
}

func newWriter(p *plan, in arrow.Record) *writer {
	rows := int(in.NumRows())
	w := &writer{p: p, in: in, cols: make([]sink, len(p.g.outs)), index: make([]int32, 0, rows)}
	for i, o := range p.g.outs {
		switch {
		case o.nulls:
			w.cols[i] = newNullSink(p.m.opts.Alloc, p.g.outs)
		case o.never || o.share >= 0:
		case o.field.Type.ID() == arrow.INT64:
			w.cols[i] = &intSink{b: array.NewInt64Builder(p.m.opts.Alloc), rows: rows}
		case o.field.Type.ID() == arrow.BOOL:
			w.cols[i] = &boolSink{b: array.NewBooleanBuilder(p.m.opts.Alloc), rows: rows}
		case o.field.Type.ID() == arrow.LIST:
			w.cols[i] = &listSink{b: array.NewListBuilder(p.m.opts.Alloc, arrow.BinaryTypes.String)}
		case o.like >= 0:
			w.cols[i] = &sameSink{w: w, like: in.Column(o.like).(*array.String)}
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
			if err := x.writeExtra(c.(*textSink), w.p.taken, o.null > onNullOmit); err != nil {
				return err
			}
		} else if o.nulls {
			c.(*nullSink).mark(x, w.in)
		} else if err := c.append(x, x.cleared(o), x.sel); err != nil {
			return err
		}
	}
	for _, r := range x.sel {
		w.index = append(w.index, int32(x.lo)+r)
	}
	return nil
}

// record finishes the columns. index lists the rows that are left, nil: all.
func (w *writer) record(index []int32) (arrow.Record, error) {
	rows := int64(len(w.index))
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
		from := o.share
		if same, ok := c.(*sameSink); ok && same.text == nil {
			c, from = nil, o.like
		}
		switch {
		case c != nil:
			cols[i] = c.array()
		case o.never:
			cols[i] = array.MakeArrayOfNull(w.p.m.opts.Alloc, o.field.Type, int(rows))
		default:
			col, err := w.share(o, from, index)
			if err != nil {
				return nil, err
			}
			cols[i] = col
		}
	}
	return array.NewRecord(w.p.schema, cols, rows), nil
}

// share hands the input's column on: the very array, or the runs of it that are left.
func (w *writer) share(o *output, from int, index []int32) (arrow.Array, error) {
	col := w.in.Column(from)
	if text, ok := col.(*array.String); ok && connector.IsJSON(o.field) && o.null <= onNullOmit && hasNullText(text) {
		return w.withoutNulls(text, index), nil
	}
	if index == nil {
		col.Retain()
		return col, nil
	}
	if len(index) == 0 {
		return array.NewSlice(col, 0, 0), nil
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

// writeExtra hands on what is left of "_extra" when the mapping has taken what it reads, and the names of what it makes.
func (x *exec) writeExtra(s *textSink, taken map[string]bool, nulls bool) error {
	offsets, dst := arrow.Int32Traits.CastFromBytes(s.offsets.Bytes()), x.buf[:0]
	for _, r := range x.sel {
		start := len(dst)
		dst = append(dst, '{')
		if extra := x.extraOf(r); extra != "" {
			members, _ := x.membersOf(extra)
			for _, m := range members {
				if taken[m.key] || bookkeeping(m.key) || m.raw == "null" && !nulls {
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
