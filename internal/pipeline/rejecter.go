package pipeline

import (
	"fmt"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// rejecter is the line between the writer's answers and the dead letters. It takes without blocking and is bounded by
// the window, since what lies here still counts there.
type rejecter struct {
	mu     sync.Mutex
	line   []parcel
	closed bool
	wake   chan struct{} // holds a token when line or closed changed
}

// parcel is an answered flight with rejected rows.
type parcel struct {
	flight   *flight
	refusals []refusal
}

func newRejecter() *rejecter { return &rejecter{wake: make(chan struct{}, 1)} }

func (q *rejecter) push(p parcel) {
	q.mu.Lock()
	q.line = append(q.line, p)
	q.mu.Unlock()
	q.signal()
}

// close says that nothing more comes. The writer is closed then: every answer is in.
func (q *rejecter) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *rejecter) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits and returns all that has gathered; nil: closed and empty.
func (q *rejecter) take() []parcel {
	for {
		q.mu.Lock()
		line, closed := q.line, q.closed
		q.line = nil
		q.mu.Unlock()
		if len(line) > 0 || closed {
			return line
		}
		<-q.wake
	}
}

// lettersAtOnce is how many bytes of original rows one Rejects.Write is given at most, but for a single parcel.
const lettersAtOnce = 1 << 20

// writeRejects is the rejecter goroutine. What has gathered while the last write ran goes out in one, for the sake of
// a single fsync. After a failed write no flight with rejects is settled any more.
func (r *run) writeRejects() {
	broken := false
	for {
		line := r.letter.take()
		if len(line) == 0 {
			return
		}
		for len(line) > 0 {
			n := 0
			if !broken {
				err := r.guard("writing rejects", func() (err error) {
					n, err = r.writeLetters(line)
					return err
				})
				if broken = err != nil; broken {
					r.fail(fmt.Errorf("write rejects: %w", err))
				}
			}
			if broken {
				for _, p := range line {
					r.drop(p.flight, nil)
				}
				break
			}
			for _, p := range line[:n] {
				r.settle(p.flight, p.refusals)
			}
			line = line[n:]
		}
	}
}

// writeLetters makes dead letters of the first parcels, writes them, and returns how many parcels that were.
func (r *run) writeLetters(line []parcel) (n int, err error) {
	var letters []Reject
	size := 0
	for ; n < len(line) && (n == 0 || size < lettersAtOnce); n++ {
		p := line[n]
		for _, v := range p.refusals {
			key := ""
			if v.plan >= 0 {
				key = p.flight.plans[v.plan].Key(p.flight.in, v.Row)
			}
			r.count.sample(v.Code, key)
			if r.Rejects == nil {
				continue
			}
			letter := Reject{Stream: p.flight.stream, Key: key, Result: v.RowResult, Raw: v.plan < 0}
			if letter.Raw {
				letter.Row = rawText(p.flight.in, v.Row)
			} else {
				letter.Row = rows.AppendJSON(nil, p.flight.in, v.Row)
			}
			size += len(letter.Row)
			letters = append(letters, letter)
		}
	}
	if len(letters) == 0 {
		return n, nil
	}
	return n, r.Rejects.Write(r.closing, letters)
}

// rawText returns the text of a row that was refused when it was read.
func rawText(rec arrow.Record, row int) []byte {
	for _, i := range rec.Schema().FieldIndices(connector.ColumnExtra) {
		if col, ok := rec.Column(i).(*array.String); ok && col.IsValid(row) {
			return []byte(col.Value(row))
		}
	}
	return nil
}

func verdictsOf(list []refusal) []connector.RowResult {
	if len(list) == 0 {
		return nil
	}
	out := make([]connector.RowResult, len(list))
	for i, v := range list {
		out[i] = v.RowResult
	}
	return out
}
