package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

const (
	defaultMemory = 16 << 20
	looseRows     = 1000 // rows of a batch of rows without a group
)

// Config says what to spool. Reader, Plans and Codec are required.
type Config struct {
	// Reader is the input. It is opened, acked and closed by the spool.
	Reader connector.Reader
	// Plans and Codec are what the run maps and encodes with. The codec must be a connector.Grouper.
	Plans func(stream string, schema *arrow.Schema) ([]connector.Plan, error)
	Codec func(stream string, schema *arrow.Schema) (connector.Codec, error)
	// Dir is where the file lies; "": the system's temporary folder.
	Dir string
	// Memory is how many bytes of rows are held before they go to the file; 0: 16 MiB.
	Memory int64
	Alloc  memory.Allocator
	Log    *slog.Logger
}

// Reader is a connector.Reader that hands out whole groups. Use New.
type Reader struct {
	conf  Config
	inner connector.Reader

	lanes  []*lane
	groups []*group          // in the order of their first rows
	byName map[string]*group // the same
	held   map[int]arrow.Record
	bytes  int64 // of held
	disk   *disk // nil: nothing was written
	filled bool
	failed error // why nothing is handed out
	next   cursor

	mu      sync.Mutex // covers what Ack and Withheld share with Read
	batches []batch
	out     []handed // not acked yet
	read    int64    // rows from the inner Reader
	given   int64    // of these, handed out
}

// lane is the rows of one stream and schema.
type lane struct {
	stream  string
	schema  *arrow.Schema
	plans   []connector.Plan // one; none: the stream is dropped
	codec   connector.Codec
	grouper connector.Grouper // the same
	limits  connector.Limits
	loose   *group // rows without a group
	name    []byte
}

// group is input rows that belong together, first those in the file, then those in memory.
type group struct {
	name   string
	lane   *lane
	mapped int // rows that the mapping makes of them
	parts  []segment
	refs   []origin
}

// origin is where an input row came from.
type origin struct{ batch, row int32 }

// batch is what is kept of an inner Batch until it is acked.
type batch struct {
	pos      connector.Position
	rows     int
	refused  []connector.RowResult
	filtered int
	rejected []connector.RowResult
}

// handed is a Batch that was handed out.
type handed struct {
	origins []origin
	loose   bool
	last    bool
}

// cursor is what is handed out next.
type cursor struct {
	lane, part, group int
	done              bool
}

// New makes a Reader. It does nothing before Open.
func New(c Config) *Reader {
	if c.Memory <= 0 {
		c.Memory = defaultMemory
	}
	if c.Dir == "" {
		c.Dir = os.TempDir()
	}
	if c.Alloc == nil {
		c.Alloc = memory.DefaultAllocator
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Reader{conf: c, inner: c.Reader, byName: map[string]*group{}, held: map[int]arrow.Record{}}
}

// Open implements connector.Reader. There is no position to start from: a group's rows may lie before it.
func (r *Reader) Open(ctx context.Context, from connector.Position) error {
	if from != nil {
		return connector.Internalf("Start without a position", "input of whole groups cannot be resumed")
	}
	return r.inner.Open(ctx, nil)
}

// Read implements connector.Reader. The first call reads all input.
func (r *Reader) Read(ctx context.Context) (connector.Batch, error) {
	if r.failed == nil {
		if r.failed = ctx.Err(); r.failed == nil && !r.filled {
			r.failed = r.fill(ctx)
		}
	}
	if r.failed != nil {
		return connector.Batch{}, r.failed
	}
	b, origins, err := r.take()
	if err != nil {
		return connector.Batch{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.given += int64(len(origins.origins))
	r.out = append(r.out, origins)
	return b, nil
}

// fill reads the input to its end and checks that every group can go as one request.
func (r *Reader) fill(ctx context.Context) error {
	for {
		b, err := r.inner.Read(ctx)
		if err == io.EOF { // the contract is the bare value; what wraps it is something else
			break
		}
		if err == nil {
			err = r.keep(ctx, b)
		}
		if err != nil {
			return r.ended(ctx, err)
		}
	}
	if err := ctx.Err(); err != nil {
		return r.ended(ctx, err)
	}
	if err := r.checkSizes(); err != nil {
		return err
	}
	if r.disk != nil {
		if err := r.flush(); err != nil {
			return err
		}
	}
	if err := r.checkBytes(ctx); err != nil {
		return err
	}
	r.filled = true
	r.conf.Log.Info("all input is read; groups are sent one request each", "rows", r.read, "groups", len(r.groups))
	return nil
}

// ended is the error for input that did not come to its known end.
func (r *Reader) ended(ctx context.Context, err error) error {
	const nothing = "nothing was sent, because this mode replaces what the CRM holds and takes complete input only"
	switch {
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		r.conf.Log.Warn("stopped before all input was read: "+nothing, "rows", r.read)
		return err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		// Not wrapped: whoever calls must not take this for the end of the input.
		return connector.Transientf("Run it again when the input is complete",
			"the input broke off after %d rows; %s", r.read, nothing)
	}
	kind := connector.KindOf(err)
	return &connector.Error{Kind: kind, What: fmt.Sprintf("after %d rows of input an error came up, and %s", r.read, nothing), Err: err}
}

// checkSizes refuses groups that are more than a request.
func (r *Reader) checkSizes() error {
	for _, g := range r.groups {
		if g.mapped > g.lane.limits.Rows {
			return connector.Configf("Give this one fewer contacts, or choose a mode that adds to what is there",
				"%s has %d contacts and one request takes %d; a part of them would replace the rest, so nothing was sent", g.name, g.mapped, g.lane.limits.Rows)
		}
	}
	return nil
}

// Plans is Config.Plans; what was compiled while the input was read is not compiled again.
func (r *Reader) Plans(stream string, schema *arrow.Schema) ([]connector.Plan, error) {
	l, err := r.laneOf(stream, schema)
	if err != nil {
		return nil, err
	}
	return l.plans, nil
}

// Withheld is how many rows were read from the input and not handed out. It may be called at any time.
func (r *Reader) Withheld() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.read - r.given
}

// Close implements connector.Reader and removes the file.
func (r *Reader) Close() error {
	r.release()
	var err error
	if r.disk != nil {
		err = r.disk.close()
		r.disk = nil
	}
	return errors.Join(err, r.inner.Close())
}

// release frees the rows in memory.
func (r *Reader) release() {
	for _, rec := range r.held {
		rec.Release()
	}
	clear(r.held)
	r.bytes = 0
}

// take makes the next Batch: rows without a group, then the groups, then the last position.
func (r *Reader) take() (connector.Batch, handed, error) {
	for ; r.next.lane < len(r.lanes); r.next.lane, r.next.part = r.next.lane+1, 0 {
		l := r.lanes[r.next.lane]
		piece, ok := l.loose.piece(r.next.part)
		if !ok {
			continue
		}
		r.next.part++
		return r.gather(piece, true)
	}
	if r.next.group < len(r.groups) {
		g := r.groups[r.next.group]
		r.next.group++
		return r.gather(g, false)
	}
	if r.next.done || len(r.batches) == 0 {
		return connector.Batch{}, handed{}, io.EOF
	}
	r.next.done = true
	r.release()
	return connector.Batch{Pos: r.batches[len(r.batches)-1].pos}, handed{last: true}, nil
}

// piece is the n-th batch of rows without a group.
func (g *group) piece(n int) (*group, bool) {
	if n < len(g.parts) {
		return &group{lane: g.lane, parts: g.parts[n : n+1]}, true
	}
	from := (n - len(g.parts)) * looseRows
	if from >= len(g.refs) {
		return nil, false
	}
	return &group{lane: g.lane, refs: g.refs[from:min(from+looseRows, len(g.refs))]}, true
}

// gather makes a Batch of a group's rows.
func (r *Reader) gather(g *group, loose bool) (connector.Batch, handed, error) {
	h := handed{loose: loose}
	var parts []rows.Part
	defer func() {
		for _, p := range parts {
			p.Rec.Release()
		}
	}()
	for _, s := range g.parts {
		rec, origins, err := r.disk.read(s, g.lane.schema, r.conf.Alloc)
		if err != nil {
			return connector.Batch{}, h, err
		}
		parts = append(parts, rows.Part{Rec: rec, Rows: upTo(len(origins))})
		h.origins = append(h.origins, origins...)
	}
	for _, p := range r.refs(g) {
		p.Rec.Retain()
		parts = append(parts, p)
	}
	h.origins = append(h.origins, g.refs...)
	rec := rows.Take(r.conf.Alloc, parts)
	b := connector.Batch{Stream: g.lane.stream, Rows: rec, Bytes: rows.Size(rec) + 8*int64(len(h.origins))}
	if loose {
		b.Refused = r.refused(h.origins)
	}
	return b, h, nil
}

// refs are the group's rows in memory, by the record that they lie in.
func (r *Reader) refs(g *group) []rows.Part {
	var parts []rows.Part
	for i, o := range g.refs {
		if i == 0 || o.batch != g.refs[i-1].batch {
			parts = append(parts, rows.Part{Rec: r.held[int(o.batch)]})
		}
		last := &parts[len(parts)-1]
		last.Rows = append(last.Rows, o.row)
	}
	return parts
}

// refused lists those of the rows that the inner Reader refused.
func (r *Reader) refused(origins []origin) []connector.RowResult {
	var list []connector.RowResult
	for i, o := range origins {
		if res, ok := r.batches[o.batch].refusal(int(o.row)); ok {
			res.Row = i
			list = append(list, res)
		}
	}
	return list
}

func upTo(n int) []int32 {
	all := make([]int32, n)
	for i := range all {
		all[i] = int32(i)
	}
	return all
}
