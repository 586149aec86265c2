package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// A world is a simulated source, mapping, CRM and disk. What becomes of a row follows from its number alone, so that the
// checker knows the truth without asking the pipeline.

var errInjected = errors.New("injected")

var testSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: connector.ColumnExtra, Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

// scenario is all that varies between worlds.
type scenario struct {
	seed     uint64
	batches  []int // rows; 0: a position without rows
	streams  int   // batches go round: 0 has one plan, 1 two plans, 2 none
	window   int64
	filter   int // percent of rows
	refuse   int
	planned  int // rejected by a plan
	vendor   int // rejected by the CRM, per part
	explode  int
	queue    int // batches that the CRM takes before Write blocks
	unknown  bool
	failOp   string // "" or the operation that fails
	failAt   int    // at its n-th call
	panics   bool   // it panics instead
	stopAt   int    // ctx is cancelled at that Read; 0: never
	limit    int64
	most     int64 // max_rejects; -1: off
	slowAck  time.Duration
	slowDisk time.Duration
}

// dice gives a number of 0 to 99 that belongs to the row and the question.
func (s *scenario) dice(question string, id int64, copy int) int {
	h := s.seed ^ uint64(id)*0x9e3779b97f4a7c15 ^ uint64(copy)<<40
	for _, c := range question {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	h ^= h >> 32
	return int(h % 100)
}

func (s *scenario) stream(batch int) int     { return batch % max(s.streams, 1) }
func (s *scenario) refused(id int64) bool    { return s.dice("read", id, 0) < s.refuse }
func (s *scenario) variants(stream int) int  { return [...]int{1, 2, 0}[stream] }
func (s *scenario) pos(batch int) []byte     { return fmt.Appendf(nil, `{"batch":%d}`, batch) }
func (s *scenario) hasPos(batch int) bool    { return s.dice("pos", int64(batch), 0) < 70 }
func (s *scenario) bytes(batch int) int64    { return int64(s.batches[batch])*40 + 400 }
func (s *scenario) code(id int64) string     { return "c" + strconv.Itoa(int(id%4)) }
func (s *scenario) key(id int64) string      { return "key" + strconv.FormatInt(id, 10) }
func (s *scenario) streamName(i int) string  { return "stream" + strconv.Itoa(i) }
func (s *scenario) streamIndex(n string) int { return int(n[len(n)-1] - '0') }

// copies says what plan v makes of a row: 0 it is filtered, -1 rejected, else so many rows.
func (s *scenario) copies(v int, id int64) int {
	switch {
	case s.dice("plan", id, v) < s.planned:
		return -1
	case s.dice("filter", id, v) < s.filter:
		return 0
	case s.dice("explode", id, v) < s.explode:
		return 2 + s.dice("copies", id, v)%3
	}
	return 1
}

func (s *scenario) vendorRejects(v int, id int64, copy int) bool {
	return s.dice("vendor", id, 10*v+copy) < s.vendor
}

type fate uint8

const (
	fateDelivered fate = iota
	fateFiltered
	fateRejected
)

func (s *scenario) fate(stream int, id int64) fate {
	if s.variants(stream) == 0 {
		return fateFiltered
	}
	if s.refused(id) {
		return fateRejected
	}
	passed := false
	for v := range s.variants(stream) {
		n := s.copies(v, id)
		if n < 0 {
			return fateRejected
		}
		for c := range n {
			if passed = true; s.vendorRejects(v, id, c) {
				return fateRejected
			}
		}
	}
	if passed {
		return fateDelivered
	}
	return fateFiltered
}

// source hands out the batches of a scenario. Rows are numbered through.
type source struct {
	*scenario
	mem  memory.Allocator
	next int
	id   int64
}

func (s *source) Open(context.Context, connector.Position) error { return nil }
func (s *source) Close() error                                   { return nil }
func (s *source) Ack(ctx context.Context, _ connector.Settled) error {
	return pause(ctx, s.slowAck)
}

func (s *source) Read(ctx context.Context) (connector.Batch, error) {
	if err := pause(ctx, time.Duration(s.dice("read pause", int64(s.next), 0)%4)*time.Millisecond); err != nil {
		return connector.Batch{}, err
	}
	if s.next == len(s.batches) {
		if s.unknown {
			return connector.Batch{}, io.ErrUnexpectedEOF
		}
		return connector.Batch{}, io.EOF
	}
	n := s.next
	s.next++
	b := connector.Batch{Stream: s.streamName(s.stream(n)), Bytes: s.bytes(n)}
	if s.hasPos(n) {
		b.Pos = s.pos(n)
	}
	if s.batches[n] == 0 {
		return b, nil
	}
	rb := array.NewRecordBuilder(s.mem, testSchema)
	defer rb.Release()
	for row := range s.batches[n] {
		if s.refused(s.id) {
			rb.Field(0).(*array.Int64Builder).Append(0)
			rb.Field(1).AppendNull()
			rb.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("broken %d", s.id))
			b.Refused = append(b.Refused, connector.RowResult{
				Row: row, Verdict: connector.VerdictRejected, Code: s.code(s.id), Message: "unreadable",
			})
		} else {
			rb.Field(0).(*array.Int64Builder).Append(s.id)
			rb.Field(1).(*array.StringBuilder).Append("row " + strconv.FormatInt(s.id, 10))
			rb.Field(2).AppendNull()
		}
		s.id++
	}
	b.Rows = rb.NewRecord()
	return b, nil
}

// plan is variant v of a stream's mapping.
type plan struct {
	*scenario
	mem    memory.Allocator
	stream string
	v      int
}

func (p plan) Stream() string        { return fmt.Sprintf("%s/%d", p.stream, p.v) }
func (p plan) Schema() *arrow.Schema { return testSchema }
func (p plan) Key(in arrow.Record, row int) string {
	return p.key(in.Column(0).(*array.Int64).Value(row))
}

func (p plan) Apply(_ context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	ids := in.Column(0).(*array.Int64)
	rb := array.NewRecordBuilder(p.mem, testSchema)
	defer rb.Release()
	out := connector.Applied{Index: []int32{}}
	same := true
	for row := range int(in.NumRows()) {
		if len(skip) > 0 && skip[0].Row == row {
			skip, same = skip[1:], false
			continue
		}
		id := ids.Value(row)
		n := p.copies(p.v, id)
		if n < 0 {
			out.Rejected = append(out.Rejected, connector.RowResult{
				Row: row, Verdict: connector.VerdictRejected, Code: p.code(id), Message: "refused",
			})
		}
		same = same && n == 1
		for range n {
			rb.Field(0).(*array.Int64Builder).Append(id)
			rb.Field(1).(*array.StringBuilder).Append("mapped")
			rb.Field(2).AppendNull()
			out.Index = append(out.Index, int32(row))
		}
	}
	if same { // one to one: share the record, as a plan of renames does
		out.Index = nil
		in.Retain()
		out.Rows = in
		return out, nil
	}
	out.Rows = rb.NewRecord()
	return out, nil
}

// crm is the simulated writer: it answers each batch after a time of its own, so answers come in any order.
type crm struct {
	*scenario
	work  context.Context
	queue chan struct{}
	busy  sync.WaitGroup
	count int
	fail  func() error // called per answer
	seen  map[string]int
}

func (c *crm) Open(ctx context.Context) error {
	c.work, c.queue, c.seen = ctx, make(chan struct{}, max(c.scenario.queue, 1)), map[string]int{}
	return nil
}

func (c *crm) Write(ctx context.Context, b connector.Batch, done func([]connector.RowResult, error)) error {
	select {
	case c.queue <- struct{}{}:
	case <-ctx.Done():
		b.Rows.Release()
		return ctx.Err()
	}
	var rejected []connector.RowResult
	v := int(b.Stream[len(b.Stream)-1] - '0')
	for row, id := range b.Rows.Column(0).(*array.Int64).Int64Values() {
		name := b.Stream + "/" + strconv.FormatInt(id, 10)
		if c.vendorRejects(v, id, c.seen[name]) {
			rejected = append(rejected, connector.RowResult{
				Row: row, Verdict: connector.VerdictRejected, Code: c.code(id), Message: "no thanks", Attempts: 1, RequestID: "r1",
			})
		}
		c.seen[name]++
	}
	wait := c.dice("answer", int64(c.count), 0)
	c.count++
	answer := func() {
		err := pause(c.work, time.Duration(wait)*time.Millisecond)
		if err == nil && c.fail != nil {
			err = c.fail()
		}
		b.Rows.Release()
		<-c.queue
		if err != nil {
			rejected = nil
		}
		done(rejected, err)
	}
	if wait%10 == 0 { // at times before Write returns
		answer()
		return nil
	}
	c.busy.Go(answer)
	return nil
}

func (c *crm) Close() error { c.busy.Wait(); return nil }

// pause waits, in the bubble's time.
func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
