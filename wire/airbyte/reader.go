package airbyte

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"strconv"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
	"github.com/sluicehq/sluice/wire/internal/lines"
)

const (
	defaultRows  = 1000
	defaultBytes = 1 << 20
	defaultAge   = time.Second
	maxLine      = 64 << 20 // the platform warns from 20 MB on

	// batchOverhead is what a batch costs beside the buffers of its rows: schema, arrays, bookkeeping.
	batchOverhead = 2 << 10
	// garbageShown is how many lines that are no message are named in the log; the others are counted.
	garbageShown = 5
)

// settings of a reader.
type settings struct {
	batchRows  int
	batchBytes int64
	batchAge   time.Duration
	openBytes  int64 // rows of all streams that are not in a batch yet
	stateBytes int64 // states that wait for rows to be settled
	maxLine    int
	complete   bool // only input whose every stream was declared complete is; no state leaves before
	mem        memory.Allocator
	log        *slog.Logger
}

func (s settings) withDefaults() settings {
	def := func(v *int64, fallback int64) {
		if *v <= 0 {
			*v = fallback
		}
	}
	rows, line, age := int64(s.batchRows), int64(s.maxLine), int64(s.batchAge)
	def(&rows, defaultRows)
	def(&line, maxLine)
	def(&age, int64(defaultAge))
	def(&s.batchBytes, defaultBytes)
	def(&s.openBytes, 8*s.batchBytes)
	def(&s.stateBytes, 16<<20)
	if s.complete {
		s.stateBytes = math.MaxInt64 // a bound would wait for states that leave at the end
	}
	s.batchRows, s.maxLine, s.batchAge = int(rows), int(line), time.Duration(age)
	if s.mem == nil {
		s.mem = memory.DefaultAllocator
	}
	return s
}

// reader is the connector.Reader over standard input. It has no positions: states are given back to the host by Ack.
type reader struct {
	set    settings
	in     io.Reader
	src    *lines.Source
	walker *walker
	ledger *ledger

	streams map[string]*stream // by key
	byName  map[string]*stream // where only one stream has the name
	queues  []*queue           // of all streams, for states that cover them all
	keyBuf  []byte

	open      []*stream // with rows that are not in a batch, the oldest first
	openBytes int64
	kept      int64 // cost of states not yet in a batch's price
	age       *time.Timer
	end       error // why no more lines come; after the open rows

	garbage int64
	tally   tally // of all streams
	late    bool  // a record behind its stream's COMPLETE was seen
}

// stream is a stream of the catalog.
type stream struct {
	name    string
	columns func() *rows.Builder // makes the builder, when the first record comes
	builder *rows.Builder
	refused []connector.RowResult
	bytes   int64
	opened  time.Time
	queue   queue
	status  string // the last STREAM_STATUS
	tally   tally
}

// newReader makes a reader of the catalog's streams. fields may be nil, see Destination.Fields.
func newReader(in io.Reader, out *output, catalog []configured, fields func(stream string) []string, set settings) *reader {
	r := &reader{
		set: set.withDefaults(), in: in, walker: newWalker(), ledger: newLedger(out.sendState),
		streams: map[string]*stream{}, byName: map[string]*stream{},
	}
	for i := range catalog {
		c := &catalog[i]
		key := string(appendKey(nil, []byte(c.namespace()), []byte(c.Stream.Name)))
		if r.streams[key] != nil {
			continue // the same stream twice is one stream
		}
		s := &stream{name: c.Stream.Name}
		s.columns = func() *rows.Builder {
			b := rows.NewBuilder(r.set.mem, schemaOf(c, fields, r.set.log))
			b.Drop(isHostField)
			return b
		}
		r.streams[key] = s
		r.queues = append(r.queues, &s.queue)
		if _, twice := r.byName[s.name]; twice {
			r.byName[s.name] = nil
		} else {
			r.byName[s.name] = s
		}
	}
	return r
}

func appendKey(dst, namespace, name []byte) []byte {
	dst = append(dst, namespace...)
	dst = append(dst, 0)
	return append(dst, name...)
}

// find returns the stream of that name and namespace. A host that leaves out or changes the namespace still reaches a
// stream whose name is unique.
func (r *reader) find(namespace, name []byte) *stream {
	r.keyBuf = appendKey(r.keyBuf[:0], namespace, name)
	if s := r.streams[string(r.keyBuf)]; s != nil {
		return s
	}
	return r.byName[string(name)]
}

// Open starts reading. There is no position to start from: the host gave it to the source.
func (r *reader) Open(_ context.Context, from connector.Position) error {
	if from != nil {
		return connector.Internalf("Start without a position", "standard input cannot be resumed")
	}
	r.age = time.NewTimer(time.Hour)
	r.age.Stop()
	r.src = lines.New(r.in, r.set.maxLine)
	return nil
}

// Read returns the next batch. The rows of a stream wait no longer than batchAge, whatever the input does.
func (r *reader) Read(ctx context.Context) (connector.Batch, error) {
	if err := ctx.Err(); err != nil {
		return connector.Batch{}, err
	}
	for r.end == nil {
		if r.ledger.size.Load() > r.set.stateBytes {
			// The host has to wait until states leave. What they wait for may be rows that nobody was given yet.
			if len(r.open) > 0 {
				return r.cut(r.open[0]), nil
			}
			if err := r.makeRoom(ctx); err != nil {
				return connector.Batch{}, err
			}
			continue
		}
		line, err := r.src.Next(ctx, r.age.C, lines.Newline)
		switch {
		case err == nil:
			var full *stream
			if full, r.end = r.take(line); full != nil && r.end == nil {
				return r.cut(full), nil
			}
		case errors.Is(err, lines.ErrWake):
			if len(r.open) > 0 {
				return r.cut(r.open[0]), nil
			}
		case ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return connector.Batch{}, err
		default:
			r.end = r.ending(err)
		}
	}
	if len(r.open) > 0 {
		return r.cut(r.open[0]), nil
	}
	return connector.Batch{}, r.end
}

// makeRoom waits until a state has left.
func (r *reader) makeRoom(ctx context.Context) error {
	select {
	case <-r.ledger.room:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// take reads one line. It returns the stream whose rows make a batch now, if one is full.
func (r *reader) take(line []byte) (*stream, error) {
	if r.src.Line() <= 1 {
		line = bytes.TrimPrefix(line, []byte("\xef\xbb\xbf"))
	}
	line = bytes.TrimSpace(line)
	if len(line) == 0 {
		return nil, nil
	}
	if line[0] != '{' {
		if bytes.Contains(line, []byte(`"RECORD"`)) || bytes.Contains(line, []byte(`"STATE"`)) {
			return nil, r.broken("is no message, but a message stands in it: something printed into the stream")
		}
		r.ignore()
		return nil, nil
	}
	env, err := r.walker.walk(line)
	if err != nil {
		return nil, r.broken("is not a JSON message: " + err.Error())
	}
	kind := env.kind
	switch {
	case bytes.EqualFold(kind, []byte("RECORD")):
		return r.record(env)
	case env.hasRecord:
		return nil, r.broken("holds a record but is not of the type RECORD")
	case bytes.EqualFold(kind, []byte("STATE")):
		return nil, r.state(env)
	case bytes.EqualFold(kind, []byte("TRACE")) && env.trace != nil:
		r.trace(env.trace)
	}
	return nil, nil // every other message is meant for the host
}

// broken ends the run: a line that may have held a row must not be passed over.
func (r *reader) broken(what string) error {
	return connector.Internalf("Run the sync again; if it comes back, report it to whoever makes the source: no record can be left out without losing it",
		"line %d of the input %s", r.src.Line(), what)
}

// ignore passes over a line that cannot be a message: some hosts let a source's prints through.
func (r *reader) ignore() {
	if r.garbage++; r.garbage <= garbageShown {
		r.set.log.Warn("a line of the input is no message and was passed over", "line", r.src.Line())
	}
}

func (r *reader) record(env *envelope) (*stream, error) {
	if !env.hasRecord || env.stream == nil {
		return nil, r.broken("is a RECORD without a record or without its stream")
	}
	s := r.find(env.namespace, env.stream)
	if s == nil {
		return nil, connector.Internalf("Refresh the connection's schema so that the catalog holds the stream",
			"line %d of the input is a record of the stream %q, which the catalog does not hold", r.src.Line(), env.stream)
	}
	if s.status == "COMPLETE" && !r.late {
		r.late = true
		r.set.log.Warn("a stream that was declared complete has more records; they are taken", "stream", s.name)
	}
	if s.builder == nil {
		s.builder = s.columns()
	}
	data := env.data
	if data == nil {
		data = []byte("null")
	}
	if refusal := s.builder.Append(data); refusal != nil {
		s.refused = append(s.refused, connector.RowResult{
			Row: s.builder.Len(), Verdict: connector.VerdictRejected, Code: refusal.Code, Field: refusal.Field,
			Message: "line " + strconv.FormatInt(r.src.Line(), 10) + ": " + refusal.Message,
		})
		s.builder.AppendRefused(data)
	}
	s.queue.read++
	return r.weigh(s), nil
}

// weigh prices the open rows after one came to s and returns the stream that has to be cut, if any.
func (r *reader) weigh(s *stream) *stream {
	if s.builder.Len() == 1 {
		s.opened = time.Now()
		if r.open = append(r.open, s); len(r.open) == 1 {
			r.age.Reset(r.set.batchAge)
		}
	}
	size := s.builder.Bytes()
	r.openBytes += size - s.bytes
	s.bytes = size
	switch {
	case s.builder.Len() >= r.set.batchRows || size >= r.set.batchBytes:
		return s
	case r.openBytes < r.set.openBytes:
		return nil
	}
	most := r.open[0]
	for _, o := range r.open {
		if o.bytes > most.bytes {
			most = o
		}
	}
	return most
}

// cut makes a batch of the open rows of s.
func (r *reader) cut(s *stream) connector.Batch {
	for i, o := range r.open {
		if o == s {
			r.open = append(r.open[:i], r.open[i+1:]...)
			break
		}
	}
	r.age.Stop()
	if len(r.open) > 0 {
		r.age.Reset(max(0, r.set.batchAge-time.Since(r.open[0].opened)))
	}
	rec := s.builder.NewRecord()
	b := connector.Batch{Stream: s.name, Rows: rec, Refused: s.refused, Bytes: rows.Size(rec) + batchOverhead + r.kept}
	for _, x := range s.refused {
		b.Bytes += int64(len(x.Message)) + 128
	}
	r.openBytes -= s.bytes
	s.refused, s.bytes, r.kept = nil, 0, 0
	r.ledger.addBatch(&s.queue, int(rec.NumRows()))
	return b
}

// ending says what the end of the input means.
func (r *reader) ending(err error) error {
	if r.garbage > garbageShown {
		r.set.log.Warn("lines of the input were no messages and were passed over", "count", r.garbage)
	}
	switch {
	case errors.Is(err, lines.ErrTooLong):
		return connector.Internalf("Leave the largest fields of the stream out of the sync", "line %d of the input is longer than %d MiB",
			r.src.Line()+1, r.set.maxLine>>20)
	case err != io.EOF:
		// Not wrapped: whatever the cause, this is neither a complete input nor one that merely stopped.
		return connector.Transientf("Run the sync again", "the input cannot be read on: %v", err)
	}
	for _, s := range r.streams {
		if s.status != "COMPLETE" && (s.status != "" || r.set.complete) {
			r.set.log.Warn("a stream was not declared complete", "stream", s.name, "status", s.status)
			return io.ErrUnexpectedEOF
		}
	}
	return io.EOF
}

// Ack takes the answer to the oldest batch not answered yet and gives the host the states that this makes safe.
func (r *reader) Ack(_ context.Context, s connector.Settled) error { return r.ledger.settle(s) }

// Close frees the rows not handed out. It does not wait for a read of standard input that nothing ends.
func (r *reader) Close() error {
	for _, s := range r.streams {
		if s.builder != nil {
			s.builder.Release()
			s.builder = nil
		}
	}
	if r.src != nil {
		r.src.Stop()
	}
	return nil
}

// finished reports whether the input was read to its end and everything in it has been settled; why says what is missing.
func (r *reader) finished() (ok bool, why string) {
	batches, states := r.ledger.unsettled()
	switch {
	case !errors.Is(r.end, io.EOF) && !errors.Is(r.end, io.ErrUnexpectedEOF):
		return false, "the input was not read to its end"
	case len(r.open) > 0 || batches > 0 || states > 0:
		return false, "rows or states are still waiting"
	}
	return true, ""
}
