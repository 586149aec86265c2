package airbyte

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/pipeline"
	"github.com/sluicehq/sluice/internal/rows"
)

// sourceWindow bounds the rows between a reader and standard output, in bytes.
const sourceWindow = 16 << 20

// unfitShown is how many rows that do not fit their stream are named in the log.
const unfitShown = 5

// emitter writes one stream as messages: it is the Writer of the stream's run, and paces its Reader.
//
//	Read ─▶ batch handed out ─▶ RECORD lines ─▶ Ack ─▶ nothing is under way? a state is due? ─▶ STATE
//	 ▲                                                        │
//	 └──────────── waits while a state is due ◀───────────────┘
//
// So a STATE stands exactly behind the records that it covers: a sync that begins there gives what followed it, and the
// records since the state before are as many as it says.
type emitter struct {
	of     *sourceRun
	stream connector.Stream
	name   streamName
	given  connector.Position // by the host
	fault  error              // why the stream cannot be read
	head   []byte             // of a RECORD line, up to its data

	encoder *rows.Encoder
	schema  *arrow.Schema
	mender  *mender // nil: every row has fitted
	unfit   int     // rows that did not

	mu      sync.Mutex // covers what follows
	settled *sync.Cond // under is lower
	under   int        // batches handed out and not answered
	handed  int64      // rows handed out since the last state
	emitted int64      // rows written since the last state
	pos     connector.Position
	sent    connector.Position // the last state that was written
	running bool
	due     bool
	ended   bool
	limit   time.Time // the reader waits for the CRM's limit until then, which the host was not told yet; zero: it does not
	limited bool      // the host was told of such a wait, and not of its end
	timer   *time.Timer
	broken  error
}

func newEmitter(s *sourceRun, name streamName) *emitter {
	e := &emitter{of: s, name: name, head: []byte(`{"type":"RECORD","record":{`)}
	e.settled = sync.NewCond(&e.mu)
	e.head = append(appendDescriptor(e.head, "stream", &name), `,"data":`...)
	return e
}

// appendDescriptor appends the members that name a stream; key is what its name goes by.
func appendDescriptor(dst []byte, key string, name *streamName) []byte {
	dst = append(append(append(dst, '"'), key...), `":`...)
	dst = rows.AppendString(dst, name.Name)
	if name.Namespace != nil {
		dst = rows.AppendString(append(dst, `,"namespace":`...), *name.Namespace)
	}
	return dst
}

// run reads the stream and leaves its last state behind. The error is for the trace.
func (e *emitter) run(ctx context.Context, sync Sync) error {
	reader, err := sync.Reader(e.stream.Name, e.throttled)
	if err != nil {
		return err
	}
	e.mu.Lock()
	e.pos = e.given
	e.timer = time.AfterFunc(e.of.StateAge, e.tick)
	e.mu.Unlock()
	report, err := pipeline.Run(ctx, pipeline.Config{
		Reader: &pacedReader{reader, e}, Writer: recordWriter{e}, From: e.given, Rejects: e,
		Plans:  func(string, *arrow.Schema) ([]connector.Plan, error) { return []connector.Plan{asItIs{e}}, nil },
		Window: sourceWindow, Log: e.of.log,
	})
	if e.mender != nil {
		e.mender.builder.Release()
		e.of.log.Warn("the stream has rows that did not fit", "stream", e.stream.Name, "rows", e.unfit)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timer.Stop()
	e.ended = true
	if err == nil {
		err = e.broken
	}
	if err == nil && !report.Complete {
		err = connector.Transientf("Run the sync again", "the stream ended before it was complete")
	}
	e.final(err == nil)
	return err
}

// final writes the last state. Of a stream that was cut short, only if it stands behind all that was emitted.
func (e *emitter) final(complete bool) {
	switch {
	case !complete:
		if e.under == 0 && e.emitted > 0 {
			e.state()
		}
		return
	case e.stream.Cursor == "":
		e.pos = connector.Position(`{"` + fullRefreshDone + `":true}`)
	case e.pos == nil:
		e.pos = connector.Position(`{"` + noCursor + `":true}`)
	}
	e.start()
	if e.emitted > 0 || !bytes.Equal(e.sent, e.pos) {
		e.state()
	}
}

// start says, once, that the stream is under way. The lock is held.
func (e *emitter) start() {
	if !e.running {
		e.running = true
		e.status("RUNNING")
	}
}

func (e *emitter) status(status string, reasons ...statusReason) {
	// Names and constants cannot fail to encode.
	_ = e.of.out.send(message{Type: "TRACE", Trace: &trace{Type: "STREAM_STATUS", EmittedAt: now(), Status: &traceStatus{&e.name, status, reasons}}})
}

// throttled takes note that the reader begins to wait for the CRM's limit.
func (e *emitter) throttled(until time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.limit = until
	e.settle()
}

// unthrottled takes note that the reader has got on. The lock is held.
func (e *emitter) unthrottled() {
	e.limit = time.Time{}
	if e.limited {
		e.limited = false
		e.status("RUNNING")
	}
}

// tick makes a state due because of its age.
func (e *emitter) tick() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.ended {
		e.due = true
		e.settle()
	}
}

// settle writes a state if one is due and nothing is under way, and tells then of a wait: a record behind that would say that
// the stream goes on. The lock is held.
func (e *emitter) settle() {
	if e.under > 0 {
		return
	}
	if e.due && !bytes.Equal(e.sent, e.pos) && !bytes.Equal(e.given, e.pos) {
		e.state()
	}
	if !e.limit.IsZero() {
		e.running, e.limited = true, true
		e.status("RUNNING", statusReason{"RATE_LIMITED", rateLimited{e.limit.UnixMilli()}})
		e.limit = time.Time{}
	}
}

// state writes the position, if there is one, behind the records that it covers. The lock is held.
func (e *emitter) state() {
	if e.pos == nil {
		return
	}
	if e.pos[0] != '{' {
		e.broken = connector.Internalf("This is a defect: report it", "%w: %.100s", errNotAnObject, e.pos)
		return
	}
	e.of.out.write(func(dst []byte) []byte {
		dst = appendDescriptor(append(dst, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{`...), "name", &e.name)
		dst = append(append(dst, `},"stream_state":`...), e.pos...)
		dst = appendCount(append(dst, `},"sourceStats":{"recordCount":`...), e.emitted)
		return append(dst, `}}}`...)
	})
	e.sent, e.emitted, e.handed, e.due = e.pos, 0, 0, false
	e.timer.Reset(e.of.StateAge)
}

// pacedReader is the stream's reader, held back while a state waits for what is under way.
type pacedReader struct {
	connector.Reader
	e *emitter
}

func (p *pacedReader) Read(ctx context.Context) (connector.Batch, error) {
	e := p.e
	stop := context.AfterFunc(ctx, e.settled.Broadcast)
	defer stop()
	e.mu.Lock()
	for e.due && e.under > 0 && ctx.Err() == nil {
		e.settled.Wait()
	}
	e.mu.Unlock()
	b, err := p.Reader.Read(ctx)
	if err != nil {
		return b, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.unthrottled()
	e.under++
	e.handed += int64(b.NumRows())
	if e.handed >= int64(e.of.StateRows) {
		e.due = true
	}
	return b, nil
}

func (p *pacedReader) Ack(ctx context.Context, s connector.Settled) error {
	if err := p.Reader.Ack(ctx, s); err != nil {
		return err
	}
	e := p.e
	e.mu.Lock()
	defer e.mu.Unlock()
	e.under--
	e.pos = s.Pos // where the batch has none, no state can stand here
	e.settle()
	e.settled.Broadcast()
	return e.broken
}

// recordWriter writes rows as RECORD messages. A row is delivered when its line stands in the output.
type recordWriter struct{ e *emitter }

func (recordWriter) Open(context.Context) error { return nil }
func (recordWriter) Close() error               { return nil }

func (w recordWriter) Write(_ context.Context, b connector.Batch, done func([]connector.RowResult, error)) error {
	e := w.e
	e.mu.Lock()
	e.start()
	e.emitted += int64(b.NumRows())
	e.mu.Unlock()
	if e.schema != b.Rows.Schema() {
		e.schema, e.encoder = b.Rows.Schema(), rows.NewEncoder(b.Rows.Schema(), nil)
	}
	e.encoder.Bind(b.Rows)
	tail := append(strconv.AppendInt([]byte(`,"emitted_at":`), now(), 10), `}}`...)
	size := int(rows.Size(b.Rows)) + b.NumRows()*(len(e.head)+len(tail)+32)
	e.of.out.writeWithin(outputBulk, func(dst []byte) []byte {
		dst = slices.Grow(dst, size)
		for i := range b.NumRows() {
			if i > 0 {
				dst = append(dst, '\n')
			}
			dst = append(dst, e.head...)
			dst = e.encoder.AppendObject(dst, i)
			dst = append(dst, tail...)
		}
		return dst
	})
	b.Rows.Release()
	done(nil, e.of.out.failure())
	return nil
}

// asItIs is the Plan that changes nothing.
type asItIs struct{ e *emitter }

func (p asItIs) Stream() string               { return p.e.stream.Name }
func (p asItIs) Schema() *arrow.Schema        { return p.e.schema }
func (p asItIs) Key(arrow.Record, int) string { return "" }
func (p asItIs) Apply(_ context.Context, in arrow.Record, skip []connector.RowResult) (connector.Applied, error) {
	if len(skip) == 0 {
		in.Retain()
		return connector.Applied{Rows: in}, nil
	}
	index := make([]int32, 0, in.NumRows())
	for i := range int32(in.NumRows()) {
		if len(skip) > 0 && skip[0].Row == int(i) {
			skip = skip[1:]
			continue
		}
		index = append(index, i)
	}
	return connector.Applied{Rows: rows.Take(p.e.of.Alloc, []rows.Part{{Rec: in, Rows: index}}), Index: index}, nil
}
