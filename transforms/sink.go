package transforms

import (
	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

type intSink struct {
	b    *array.Int64Builder
	rows int
}

func (s *intSink) append(_ *exec, vec *vector, rows []int32) error {
	if s.b.Cap() == 0 {
		s.b.Reserve(s.rows)
	}
	for _, r := range rows {
		if vec.kind[r] == kindInt {
			s.b.UnsafeAppend(vec.num[r])
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

func (s *boolSink) append(_ *exec, vec *vector, rows []int32) error {
	if s.b.Cap() == 0 {
		s.b.Reserve(s.rows)
	}
	for _, r := range rows {
		if vec.kind[r] == kindBool {
			s.b.UnsafeAppend(vec.num[r] != 0)
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

func (s *listSink) append(x *exec, vec *vector, rows []int32) error {
	items := s.b.ValueBuilder().(*array.StringBuilder)
	for _, r := range rows {
		list, ok := x.elements(vec.at(r))
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
