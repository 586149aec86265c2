package pipeline

import (
	"errors"
	"fmt"
	"io"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// read is the reader goroutine: it reads until the input ends, the limit is reached, or reading is stopped.
func (r *run) read(out chan<- *flight) {
	rest := r.Limit
	for {
		var b connector.Batch
		err := r.guard("reading", func() (err error) {
			b, err = r.Reader.Read(r.reading)
			return err
		})
		if err != nil {
			r.endOfInput(b, err)
			return
		}
		f, bytes, err := newFlight(b, rest)
		if err != nil {
			r.fail(err)
			return
		}
		r.count.read(f.rows)
		if f.ticket, err = r.window.Enter(r.reading, bytes, f); err != nil {
			r.count.leave(f.rows)
			f.release()
			return // stopped
		}
		out <- f
		if r.Limit > 0 {
			if rest -= int64(f.rows); rest == 0 {
				return
			}
		}
	}
}

// endOfInput tells a complete input from one that merely ended and from one that broke.
func (r *run) endOfInput(b connector.Batch, err error) {
	if b.Rows != nil { // rows beside an error would be lost without a word
		b.Rows.Release()
		r.fail(connector.Internalf("This is a defect of the reader: report it", "the reader gave rows together with %w", err))
		return
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
	case errors.Is(err, io.EOF):
		r.count.complete()
	case r.reading.Err() != nil && isContext(err): // as it was told to
	default:
		r.fail(fmt.Errorf("read: %w", err))
	}
}

// newFlight takes over the batch's reference, cut to limit rows (0: all), and prices it.
func newFlight(b connector.Batch, limit int64) (*flight, int64, error) {
	f := &flight{stream: b.Stream, pos: b.Pos, rows: b.NumRows(), refused: b.Refused, in: b.Rows}
	bytes := b.Bytes
	if bytes <= 0 && b.Rows != nil { // a reader that does not price its batches must not unbound the window
		bytes = rows.Size(b.Rows)
	}
	bytes = max(bytes, restFixed+int64(len(b.Pos))) // what it costs even when it is settled
	if err := checkRows("the rows refused when read", b.Refused, f.rows); err != nil {
		f.release()
		return nil, 0, err
	}
	if limit > 0 && int64(f.rows) > limit {
		f.cut, f.pos, f.rows = true, nil, int(limit)
		f.in = b.Rows.NewSlice(0, limit)
		b.Rows.Release()
		for i, v := range f.refused {
			if v.Row >= f.rows {
				f.refused = f.refused[:i:i]
				break
			}
		}
	}
	return f, bytes, nil
}
