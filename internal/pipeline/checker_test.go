package pipeline

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
)

// A checker stands between a world and whatever moves its rows, and holds that to the promises. It looks at what the
// source, the CRM and the disk saw, never into the pipeline.
type checker struct {
	*scenario
	mu      sync.Mutex
	faults  []string
	batches []seenBatch
	rows    map[int64]*seenRow
	acked   int // batches
	saved   int // the last batch whose position was saved; -1: none
	held    int64
	open    int
	last    map[string]int64 // output stream → id written last
	ackDead bool             // an Ack has failed
	reading atomic.Int32
	acking  atomic.Int32
	writing atomic.Int32
}

type seenBatch struct {
	stream int
	ids    []int64
	pos    []byte
	left   int // rows that are not terminal
}

type seenRow struct {
	batch   int
	stream  int
	written map[int]int // variant → copies
	open    int         // copies without an answer
	failed  bool        // an answer was an error
	durable int         // dead letters
	closed  bool
}

func newChecker(s *scenario) *checker {
	return &checker{scenario: s, rows: map[int64]*seenRow{}, last: map[string]int64{}, saved: -1}
}

func (c *checker) fault(format string, args ...any) {
	if len(c.faults) < 20 {
		c.faults = append(c.faults, fmt.Sprintf(format, args...))
	}
}

// terminal reports whether everything that must happen to the row has happened. The lock is held.
func (c *checker) terminal(id int64, r *seenRow) bool {
	want := c.fate(r.stream, id)
	if c.refused(id) || c.variants(r.stream) == 0 {
		return want != fateRejected || r.durable > 0
	}
	for v := range c.variants(r.stream) {
		if n := max(c.copies(v, id), 0); r.written[v] < n {
			return false
		}
	}
	if r.open > 0 || r.failed {
		return false
	}
	return want != fateRejected || r.durable > 0
}

// look closes the row, and its batch, if it has become terminal. The lock is held.
func (c *checker) look(id int64) {
	r := c.rows[id]
	if r == nil || r.closed || !c.terminal(id, r) {
		return
	}
	r.closed = true
	c.closeOne(r.batch)
}

func (c *checker) closeOne(batch int) {
	b := &c.batches[batch]
	if b.left--; b.left == 0 {
		c.held -= c.bytes(batch)
		c.open--
	}
}

// checkedReader is the source as the loop sees it.
type checkedReader struct {
	connector.Reader
	*checker
	id int64
}

func (r *checkedReader) Read(ctx context.Context) (connector.Batch, error) {
	if r.reading.Add(1) > 1 {
		r.mu.Lock()
		r.fault("Read beside itself")
		r.mu.Unlock()
	}
	defer r.reading.Add(-1)
	r.mu.Lock()
	if ctx.Err() == nil && r.held > r.window && r.open > 1 {
		r.fault("unbounded: %d bytes held of %d when more was read", r.held, r.window)
	}
	r.mu.Unlock()
	b, err := r.Reader.Read(ctx)
	if err != nil {
		return b, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.batches)
	seen := seenBatch{stream: r.streamIndex(b.Stream), pos: b.Pos, left: b.NumRows()}
	r.batches = append(r.batches, seen)
	if seen.left > 0 {
		r.held += r.bytes(n)
		r.open++
	}
	for range b.NumRows() {
		r.batches[n].ids = append(r.batches[n].ids, r.id)
		r.rows[r.id] = &seenRow{batch: n, stream: seen.stream, written: map[int]int{}}
		r.id++
	}
	for _, id := range r.batches[n].ids {
		r.look(id) // a row of a stream that is skipped needs nothing
	}
	return b, nil
}

func (r *checkedReader) Ack(ctx context.Context, s connector.Settled) error {
	if r.acking.Add(1) > 1 {
		r.mu.Lock()
		r.fault("Ack beside itself")
		r.mu.Unlock()
	}
	defer r.acking.Add(-1)
	r.mu.Lock()
	r.checkAck(s)
	r.mu.Unlock()
	err := r.Reader.Ack(ctx, s)
	r.mu.Lock()
	r.ackDead = r.ackDead || err != nil
	r.mu.Unlock()
	return err
}

func (c *checker) checkAck(s connector.Settled) {
	n := c.acked
	c.acked++
	if c.ackDead {
		c.fault("Ack after an Ack that failed")
	}
	if n >= len(c.batches) {
		c.fault("ack %d: only %d batches were read", n, len(c.batches))
		return
	}
	b := c.batches[n]
	if !bytes.Equal(s.Pos, b.pos) || s.Rows != len(b.ids) {
		c.fault("ack %d is out of order or wrong: position %s, %d rows, want %s, %d rows", n, s.Pos, s.Rows, b.pos, len(b.ids))
		return
	}
	if b.pos != nil && c.saved < n {
		c.fault("ack %d: its position was not saved before", n)
	}
	rejected, filtered := s.Rejected, 0
	for row, id := range b.ids {
		if !c.terminal(id, c.rows[id]) {
			c.fault("ack %d is early: row %d is not settled", n, id)
			return
		}
		told := len(rejected) > 0 && rejected[0].Row == row
		if told {
			rejected = rejected[1:]
		}
		switch c.fate(b.stream, id) {
		case fateRejected:
			if !told {
				c.fault("ack %d does not tell that row %d was rejected", n, id)
			}
			continue
		case fateFiltered:
			filtered++
		}
		if told {
			c.fault("ack %d calls row %d rejected", n, id)
		}
	}
	if filtered != s.Filtered {
		c.fault("ack %d: %d rows filtered, want %d", n, s.Filtered, filtered)
	}
}

// checkedWriter is the CRM as the loop sees it.
type checkedWriter struct {
	connector.Writer
	*checker
}

func (w *checkedWriter) Write(ctx context.Context, b connector.Batch, done func([]connector.RowResult, error)) error {
	if w.writing.Add(1) > 1 {
		w.mu.Lock()
		w.fault("Write beside itself")
		w.mu.Unlock()
	}
	defer w.writing.Add(-1)
	ids := append([]int64(nil), b.Rows.Column(0).(*array.Int64).Int64Values()...)
	v := int(b.Stream[len(b.Stream)-1] - '0')
	w.mu.Lock()
	for _, id := range ids {
		r := w.rows[id]
		if r == nil {
			w.fault("row %d was written before it was read", id)
			continue
		}
		if id < w.last[b.Stream] {
			w.fault("row %d was written after row %d: out of order", id, w.last[b.Stream])
		}
		w.last[b.Stream] = id
		r.written[v]++
		r.open++
		if r.written[v] > w.copies(v, id) {
			w.fault("row %d was written twice", id)
		}
	}
	w.mu.Unlock()
	answered := func(err error) {
		w.mu.Lock()
		defer w.mu.Unlock()
		for _, id := range ids {
			if r := w.rows[id]; r != nil {
				r.open--
				r.failed = r.failed || err != nil
				w.look(id)
			}
		}
	}
	err := w.Writer.Write(ctx, b, func(rejected []connector.RowResult, err error) {
		answered(err)
		done(rejected, err)
	})
	if err != nil {
		answered(err)
	}
	return err
}

// checkedRejects is the disk as the loop sees it.
type checkedRejects struct {
	Rejects
	*checker
}

func (j *checkedRejects) Write(ctx context.Context, list []Reject) error {
	if err := j.Rejects.Write(ctx, list); err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, x := range list {
		id := int64(-1)
		if x.Raw {
			_, _ = fmt.Sscanf(string(x.Row), "broken %d", &id)
		} else {
			_, _ = fmt.Sscanf(string(x.Row), `{"id":%d,`, &id)
			if want := fmt.Sprintf(`{"id":%d,"text":"row %d"}`, id, id); string(x.Row) != want {
				j.fault("the dead letter holds %s, want %s", x.Row, want)
			}
			if x.Key != j.key(id) {
				j.fault("the dead letter of row %d has the key %q", id, x.Key)
			}
		}
		r := j.rows[id]
		if r == nil {
			j.fault("a dead letter for row %d, which was not read", id)
			continue
		}
		if x.Stream != j.streamName(r.stream) || x.Result.Code != j.code(id) {
			j.fault("the dead letter of row %d names stream %s and code %s", id, x.Stream, x.Result.Code)
		}
		if r.durable++; r.durable > 1 {
			j.fault("row %d has two dead letters", id)
		}
		if j.fate(r.stream, id) != fateRejected {
			j.fault("row %d has a dead letter and was not rejected", id)
		}
		j.look(id)
	}
	return nil
}

// save is the Checkpoint.
func (c *checker) save(pos connector.Position) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := -1
	_, _ = fmt.Sscanf(string(pos), `{"batch":%d}`, &n)
	if n <= c.saved || n >= len(c.batches) {
		c.fault("position %d was saved after %d", n, c.saved)
	}
	c.saved = n
	for i := c.acked; i <= n && i < len(c.batches); i++ {
		for _, id := range c.batches[i].ids {
			if !c.terminal(id, c.rows[id]) {
				c.fault("position %d was saved early: row %d is not settled", n, id)
				return
			}
		}
	}
}

// end holds the report to what was seen.
func (c *checker) end(report Report, err error) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	want := Report{}
	unsettled := 0
	for _, b := range c.batches {
		want.Read += int64(len(b.ids))
		settled := true
		for _, id := range b.ids {
			settled = settled && c.terminal(id, c.rows[id])
		}
		if !settled {
			unsettled++
			want.Left += int64(len(b.ids))
			continue
		}
		for _, id := range b.ids {
			switch c.fate(b.stream, id) {
			case fateDelivered:
				want.Delivered++
			case fateFiltered:
				want.Filtered++
			case fateRejected:
				want.Rejected++
			}
		}
	}
	// What is left may be settled in truth and not in the books (a Write that failed although its rows had arrived).
	if report.Read != want.Read || report.Left < want.Left || err == nil && report.Left > 0 ||
		want.Left == report.Left && (report.Delivered != want.Delivered || report.Filtered != want.Filtered || report.Rejected != want.Rejected) {
		c.fault("the report does not add up: read %d, delivered %d, filtered %d, rejected %d, left %d, want %d, %d, %d, %d, %d",
			report.Read, report.Delivered, report.Filtered, report.Rejected, report.Left,
			want.Read, want.Delivered, want.Filtered, want.Rejected, want.Left)
	}
	if bad := report.Balanced(); bad != nil {
		c.fault("the report does not add up: %v", bad)
	}
	if err == nil && unsettled > 0 {
		c.fault("lost: %d batches were not settled and nothing was said", unsettled)
	}
	if err == nil && c.acked < len(c.batches) {
		c.fault("only %d of %d batches were acked and nothing was said", c.acked, len(c.batches))
	}
	if report.Complete && (err != nil || c.unknown) {
		c.fault("called complete: %v", err)
	}
	return c.faults
}
