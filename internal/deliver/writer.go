package deliver

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

var errClosed = errors.New("write to a closed writer")

// Writer is a connector.Writer over a Codec. Use New.
type Writer struct {
	conf    Config
	ctx     context.Context // covers every call
	cancel  context.CancelFunc
	unwatch func() bool
	opened  time.Time
	dry     sync.Mutex   // serialises Config.DryRun
	skew    atomic.Int64 // the vendor's clock less ours, in nanoseconds

	keys []uint64 // Write's own: the identifiers of a batch
	ends []int32  // and where each row's end

	mu        sync.Mutex // covers all below
	quiet     *sync.Cond // unanswered or inFlight fell
	lanes     []*lane
	people    *people
	same      []uint64 // claim's own
	governors map[string]*governor
	asleep    heap   // rows that wait alone, their keys held
	open      *batch // list of unanswered batches
	seq       uint64
	inFlight  int // goroutines that carry a call
	// unanswered counts batches whose done has not returned.
	unanswered int
	answered   []*batch // whose done is to be called once the lock is free
	closing    bool
	err        error // what ended the run
	timer      *time.Timer
	lookUps    int       // as lookUpsMost
	lookFirst  int       // rows to come that are looked up before they are sent
	wake       time.Time // what pick found to wait for
	armed      time.Time // what timer is set to
	stats      Stats
	spareBatch []*batch
	spareCall  []*call
}

var _ connector.Writer = (*Writer)(nil)

// New makes a Writer. It does nothing before Open.
func New(c Config) *Writer {
	w := &Writer{
		conf: c.withDefaults(), people: newPeople(pastPeople), governors: make(map[string]*governor),
		asleep: heap{less: (*row).wakesBefore}, lookFirst: max(c.LookupFirst, 0), lookUps: lookUpsMost,
	}
	w.quiet = sync.NewCond(&w.mu)
	return w
}

// Open implements connector.Writer. Once ctx is done, calls are broken off and every open batch is answered with its
// error.
func (w *Writer) Open(ctx context.Context) error {
	if w.conf.Codec == nil || (w.conf.Transport == nil && w.conf.DryRun == nil) {
		return connector.Internalf("Report this", "the delivery chain was made without a codec or a transport")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.opened = time.Now()
	w.timer = time.AfterFunc(time.Hour, w.tick)
	w.timer.Stop()
	w.unwatch = context.AfterFunc(ctx, func() {
		w.mu.Lock()
		w.fail(ctx.Err())
		w.unlock()
	})
	return nil
}

// Write implements connector.Writer. It does not block.
func (w *Writer) Write(ctx context.Context, b connector.Batch, done func([]connector.RowResult, error)) error {
	if err := ctx.Err(); err != nil {
		release(b.Rows)
		return err
	}
	if b.NumRows() == 0 {
		release(b.Rows)
		if err := w.failure(); err != nil {
			return err
		}
		done(nil, nil)
		return nil
	}
	l, err := w.laneOf(b.Stream, b.Rows.Schema())
	if err != nil {
		b.Rows.Release()
		return err
	}
	w.identify(l, b.Rows)

	w.mu.Lock()
	defer w.unlock()
	if err := w.refusal(); err != nil {
		b.Rows.Release()
		return err
	}
	w.enqueue(l, b, done)
	w.pump(false)
	return nil
}

func release(rec arrow.Record) {
	if rec != nil {
		rec.Release()
	}
}

// refusal is why no more batches are taken; nil while they are. Under the lock.
func (w *Writer) refusal() error {
	if w.err != nil {
		return w.err
	}
	if w.closing || w.ctx == nil {
		return errClosed
	}
	return nil
}

func (w *Writer) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refusal()
}

// identify collects the identifiers of all rows, outside the lock.
func (w *Writer) identify(l *lane, rec arrow.Record) {
	w.keys, w.ends = w.keys[:0], w.ends[:0]
	for i := range int(rec.NumRows()) {
		w.keys = l.codec.AppendKeys(w.keys, rec, i)
		w.ends = append(w.ends, int32(len(w.keys)))
	}
}

// enqueue fixes the order of the batch's rows. Under the lock.
func (w *Writer) enqueue(l *lane, in connector.Batch, done func([]connector.RowResult, error)) {
	b := w.newBatch(in.NumRows())
	w.seq++
	b.lane, b.rec, b.done, b.seq, b.at, b.base = l, in.Rows, done, w.seq, time.Now(), l.rows
	l.rows += int64(len(b.rows))
	b.left = len(b.rows)
	if b.nextOpen = w.open; w.open != nil {
		w.open.prev = b
	}
	w.open = b
	w.unanswered++
	if l.whole {
		w.enqueueWhole(b, in.Refused)
		return
	}
	l.add(b)
	w.mark(l, b)

	refused, start := in.Refused, int32(0)
	for i := range b.rows {
		r, keys := &b.rows[i], w.keys[start:w.ends[i]]
		start = w.ends[i]
		r.batch, r.at = b, int32(i)
		if len(refused) > 0 && refused[0].Row == i {
			w.refuse(r, refused[0])
			refused = refused[1:]
			continue
		}
		w.people.enter(r, keys)
		if r.waits == 0 {
			l.free++
		}
	}
}

// newBatch takes the slab of an answered batch, if there is one.
func (w *Writer) newBatch(rows int) *batch {
	b := &batch{}
	if n := len(w.spareBatch); n > 0 {
		b = w.spareBatch[n-1]
		w.spareBatch = w.spareBatch[:n-1]
	}
	slab := b.rows
	*b = batch{}
	if cap(slab) < rows {
		slab = make([]row, rows)
	} else {
		slab = slab[:rows]
		clear(slab)
	}
	b.rows = slab
	return b
}

// laneOf finds the queue of a stream and schema, or makes it.
func (w *Writer) laneOf(stream string, schema *arrow.Schema) (*lane, error) {
	w.mu.Lock()
	for _, l := range w.lanes {
		if l.stream == stream && (l.schema == schema || l.schema.Equal(schema)) {
			w.mu.Unlock()
			return l, nil
		}
	}
	w.mu.Unlock()
	codec, err := w.conf.Codec(stream, schema) // only Write adds lanes, and is not called beside itself
	if err != nil {
		return nil, fmt.Errorf("codec of stream %q: %w", stream, err)
	}
	l := newLane(stream, schema, codec)
	if l.whole && l.poller != nil {
		return nil, connector.Internalf("Report this", "the codec of stream %q has verdicts that come later for requests that must not be cut", stream)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conf.DryRun != nil {
		l.gov, l.poller = w.governor(""), nil
	}
	w.lanes = append(w.lanes, l)
	return l, nil
}

// Close implements connector.Writer. Requests that are not full go at once.
func (w *Writer) Close() error {
	w.mu.Lock()
	w.closing = true
	if w.ctx == nil {
		w.mu.Unlock()
		return nil
	}
	w.pump(false)
	w.unlock()

	w.mu.Lock()
	for w.unanswered > 0 || w.inFlight > 0 {
		w.quiet.Wait()
	}
	w.timer.Stop()
	w.mu.Unlock()
	w.unwatch()
	w.cancel()
	return nil
}

// Stats returns the counts so far. It may be called at any time.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// unlock frees the lock and answers the batches that became complete under it: done is the caller's code and may take
// the caller's locks.
func (w *Writer) unlock() {
	for len(w.answered) > 0 {
		answered, err := w.answered, error(nil)
		w.answered = nil
		w.mu.Unlock()
		for _, b := range answered {
			if err = nil; b.left > 0 {
				err = w.err // set once, before b came here
			}
			b.answer(err)
		}
		w.mu.Lock()
		for _, b := range answered {
			w.unanswered--
			w.recycle(b)
		}
	}
	if w.unanswered == 0 && w.inFlight == 0 {
		w.quiet.Broadcast()
	}
	w.mu.Unlock()
}

// recycle keeps a slab for later. One that the queue still holds (its last rows were refused at the door and the cursor
// has not come by) is left to the collector.
func (w *Writer) recycle(b *batch) {
	const most = 16
	if b.left == 0 && b.cursor == len(b.rows) && len(w.spareBatch) < most {
		b.rec, b.done, b.rejected, b.lane, b.over, b.repeats = nil, nil, nil, nil, nil, nil
		w.spareBatch = append(w.spareBatch, b)
	}
}
