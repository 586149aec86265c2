package transforms

import (
	"math"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/bitutil"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
)

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

func (s *textSink) append(x *exec, vec *vector, rows []int32) error {
	if s.json {
		return s.appendJSON(x, vec, rows)
	}
	size := 0
	for _, r := range rows {
		if vec.kind[r] == kindText {
			size += len(vec.text[r])
		}
	}
	dst, err := s.grow(size)
	if err != nil {
		return err
	}
	at, offsets := s.size, arrow.Int32Traits.CastFromBytes(s.offsets.Bytes())
	for _, r := range rows {
		there := vec.kind[r] == kindText
		if there {
			at += copy(dst[at:], vec.text[r])
		}
		s.mark(there)
		offsets[s.rows] = int32(at)
	}
	s.size = at
	return nil
}

func (s *textSink) appendJSON(x *exec, vec *vector, rows []int32) error {
	buf, offsets := x.buf[:0], arrow.Int32Traits.CastFromBytes(s.offsets.Bytes())
	for _, r := range rows {
		there := !vec.missing(r)
		if there {
			buf = x.appendJSON(buf, vec.at(r))
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

// sameSink is the sink of a column whose steps may leave the texts of a column of the record as they are: as long as
// they do, nothing is written, and in the end the column is shared.
type sameSink struct {
	w    *writer
	like *array.String
	text *textSink // nil: every value so far is the very one of like
}

func (s *sameSink) append(x *exec, vec *vector, rows []int32) error {
	if s.text == nil {
		if s.same(x, vec, rows) {
			return nil
		}
		s.text = newTextSink(s.w.p.m.opts.Alloc, s.like.Len(), false)
		if err := s.text.appendColumn(s.like, s.w.index); err != nil {
			return err
		}
	}
	return s.text.append(x, vec, rows)
}

// same reports whether each value is the column's own: it begins and ends where the column's does.
func (s *sameSink) same(x *exec, vec *vector, rows []int32) bool {
	offsets, data := s.like.ValueOffsets(), stringOf(s.like.ValueBytes())
	base := offsets[0]
	for _, r := range rows {
		i := x.lo + int(r)
		if there := vec.kind[r] == kindText; there != s.like.IsValid(i) {
			return false
		} else if !there {
			continue
		}
		was, is := data[offsets[i]-base:offsets[i+1]-base], vec.text[r]
		if len(was) != len(is) || len(is) > 0 && unsafe.StringData(was) != unsafe.StringData(is) {
			return false
		}
	}
	return true
}

func (s *sameSink) array() arrow.Array { return s.text.array() }

func (s *sameSink) release() {
	if s.text != nil {
		s.text.release()
	}
}

// appendColumn copies rows of a column.
func (s *textSink) appendColumn(a *array.String, rows []int32) error {
	size := 0
	for _, r := range rows {
		size += a.ValueLen(int(r))
	}
	dst, err := s.grow(size)
	if err != nil {
		return err
	}
	offsets := arrow.Int32Traits.CastFromBytes(s.offsets.Bytes())
	for _, r := range rows {
		there := a.IsValid(int(r))
		if there {
			s.size += copy(dst[s.size:], a.Value(int(r)))
		}
		s.mark(there)
		offsets[s.rows] = int32(s.size)
	}
	return nil
}
