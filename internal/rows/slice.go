package rows

import (
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
)

// Slice returns rows from (included) to (excluded) of a record, as rec.NewSlice does, but makes a column only when it is
// asked for one. A request is a slice of a hundred rows and a dozen columns that its encoder reads through [Base], so
// the arrays would be most of what a row allocates. The caller owns one reference.
func Slice(rec arrow.Record, from, to int) arrow.Record {
	base, at := Base(rec)
	base.Retain()
	s := &slice{base: base, from: at + from, rows: to - from}
	s.refs.Store(1)
	return s
}

// Base returns the record that rec is a Slice of and the row where it begins; any other record is its own base. The base
// lives as long as rec does.
func Base(rec arrow.Record) (base arrow.Record, from int) {
	if s, ok := rec.(*slice); ok {
		return s.base, s.from
	}
	return rec, 0
}

// slice is an arrow.Record whose columns are made when they are asked for.
type slice struct {
	base       arrow.Record
	from, rows int
	refs       atomic.Int64

	mu      sync.Mutex // covers columns: records are shared between goroutines
	columns []arrow.Array
}

func (s *slice) Retain() { s.refs.Add(1) }

func (s *slice) Release() {
	if s.refs.Add(-1) > 0 {
		return
	}
	for _, c := range s.columns {
		if c != nil {
			c.Release()
		}
	}
	s.columns = nil
	s.base.Release()
}

func (s *slice) Schema() *arrow.Schema   { return s.base.Schema() }
func (s *slice) NumRows() int64          { return int64(s.rows) }
func (s *slice) NumCols() int64          { return s.base.NumCols() }
func (s *slice) ColumnName(i int) string { return s.base.ColumnName(i) }

func (s *slice) Column(i int) arrow.Array {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.column(i)
}

func (s *slice) Columns() []arrow.Array {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range int(s.base.NumCols()) {
		s.column(i)
	}
	return s.columns
}

// column makes a column. The lock is held.
func (s *slice) column(i int) arrow.Array {
	if s.columns == nil {
		s.columns = make([]arrow.Array, s.base.NumCols())
	}
	if s.columns[i] == nil {
		s.columns[i] = array.NewSlice(s.base.Column(i), int64(s.from), int64(s.from+s.rows))
	}
	return s.columns[i]
}

func (s *slice) NewSlice(i, j int64) arrow.Record { return Slice(s, int(i), int(j)) }

func (s *slice) SetColumn(i int, col arrow.Array) (arrow.Record, error) {
	plain := s.plain()
	defer plain.Release()
	return plain.SetColumn(i, col)
}

func (s *slice) MarshalJSON() ([]byte, error) {
	plain := s.plain()
	defer plain.Release()
	return plain.MarshalJSON()
}

// plain is the same rows as one of Arrow's own records.
func (s *slice) plain() arrow.Record { return s.base.NewSlice(int64(s.from), int64(s.from+s.rows)) }
