package transforms

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
)

// cleared returns the column of an output, with the vendor's form of a cleared field in the place of nulls.
func (x *exec) cleared(o *output) *vector {
	vec := &x.vecs[o.slot]
	if o.clear == nil {
		return vec
	}
	if x.swapped.kind == nil {
		x.swapped = newVectors(1)[0]
	}
	x.swapped.copyFrom(vec)
	for _, r := range x.sel {
		if vec.kind[r] == kindNull {
			x.swapped.set(r, *o.clear)
		}
	}
	return &x.swapped
}

// nullSink builds the column "_null": of each row a bit for every column that is null on purpose. A text that was cleared
// to "" has its bit too, so that no encoder takes it for one that came out empty.
type nullSink struct {
	b    *array.BinaryBuilder
	outs []output
	bits []byte
}

func newNullSink(mem memory.Allocator, outs []output) *nullSink {
	return &nullSink{array.NewBinaryBuilder(mem, arrow.BinaryTypes.Binary), outs, make([]byte, (len(outs)+7)/8)}
}

func (s *nullSink) mark(x *exec, in arrow.Record) {
	var marks *array.Binary
	if x.g.nulls >= 0 {
		marks, _ = in.Column(x.g.nulls).(*array.Binary)
	}
	for _, r := range x.sel {
		row, found := x.lo+int(r), false
		clear(s.bits)
		for i := range s.outs {
			o := &s.outs[i]
			hit := false
			switch {
			case o.null <= onNullOmit || o.never || o.extra:
			case o.share >= 0:
				hit = marks != nil && marks.IsValid(row) && marked(marks.Value(row), o.share) && in.Column(o.share).IsNull(row)
			default:
				hit = x.vecs[o.slot].kind[r] == kindNull && (o.clear == nil || *o.clear == textValue(""))
			}
			if hit {
				found = true
				bitutil.SetBit(s.bits, i)
			}
		}
		if found {
			s.b.Append(s.bits)
		} else {
			s.b.AppendNull()
		}
	}
}

func marked(bits []byte, i int) bool { return i/8 < len(bits) && bitutil.BitIsSet(bits, i) }

func (s *nullSink) append(*exec, *vector, []int32) error {
	return connector.Internalf("", "apply: %s is marked, not appended to", connector.ColumnNull)
}
func (s *nullSink) array() arrow.Array { return s.b.NewArray() }
func (s *nullSink) release()           { s.b.Release() }
