package events

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/rows"
)

const (
	defaultRows  = 1000
	defaultBytes = 1 << 20
	// batchOverhead is what a batch costs beside the buffers of its rows.
	batchOverhead = 2 << 10
	// pageBytes bounds a page, of which a few are held at once; mostDecoders how many.
	pageBytes    = 1 << 20
	mostDecoders = 4
	// told is how many gaps, or requests that cannot be read, are named in the log; the rest is counted.
	told = 5

	firstWait, longestWait = 20 * time.Millisecond, time.Second
)

// Webhook is one kind of request of the account.
type Webhook struct {
	Name    string // inbox.Endpoint.Type
	Streams []string
	Hook    connector.Hook
}

// Config says what a Reader reads.
type Config struct {
	Log      inbox.Log // is not closed
	Stream   connector.Stream
	Vendor   string
	Webhooks []Webhook
	// Endpoint chooses among the vendor's endpoints; nil: all.
	Endpoint func(inbox.Endpoint) bool
	// Await says whether anything came in yet that Endpoint chooses; nil: it is not asked. Until it did, nothing is read and
	// the position does not move, whatever else came in. It is asked by Open and, under Follow, again and again.
	Await func(context.Context) (bool, error)
	// Head is the last request that is read; 0: the last one when the Reader is opened. Without meaning under Follow.
	Head   int64
	Follow bool // wait at the end for more
	// Strict ends the run where requests were lost, or were removed before they were read, or the position is behind the
	// end of the inbox, instead of a warning.
	Strict bool
	// Schema is that of the rows, of columns that rows.NewBuilder takes, the stream's cursor among them; nil: the stream's.
	// With connector.ColumnExtra in it, no column of the stream has to be.
	Schema *arrow.Schema

	BatchRows  int   // rows of a batch; default 1,000
	BatchBytes int64 // a batch is cut once it holds so much; default 1 MiB
	Alloc      memory.Allocator
	Logger     *slog.Logger
}

// Reader reads one stream. It is a connector.Reader.
type Reader struct {
	Config
	hooks map[string]connector.Hook
	main  map[string]bool // webhooks whose first stream is this one
	seq   int             // the column of the cursor
	from  int64           // rows up to this one were had before
	id    inbox.Identity

	cancel context.CancelFunc
	work   sync.WaitGroup
	line   chan *stretch     // in the order of the inbox; closed at its end
	jobs   chan *stretch     // the same, for whoever decodes
	due    *stretch          // the one that Read waits for
	held   []connector.Batch // decoded and not handed out
	end    error
	fresh  bool // no position was had, and none handed out: even of an empty inbox one is wanted

	fetch        fetcher
	lost, unread atomic.Int64 // requests
}

// stretch is a page of the inbox on its way through a decoder.
type stretch struct {
	page    inbox.Page
	done    chan struct{} // closed when the rest is known
	batches []connector.Batch
	err     error // behind the batches
}

// New makes a Reader.
func New(c Config) *Reader {
	if c.BatchRows <= 0 {
		c.BatchRows = defaultRows
	}
	if c.BatchBytes <= 0 {
		c.BatchBytes = defaultBytes
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Schema == nil {
		c.Schema = c.Stream.Schema()
	}
	r := &Reader{Config: c, hooks: map[string]connector.Hook{}, main: map[string]bool{}}
	for _, w := range c.Webhooks {
		r.hooks[w.Name] = w.Hook
		r.main[w.Name] = len(w.Streams) > 0 && w.Streams[0] == c.Stream.Name
	}
	return r
}

// Open starts behind a position of this Reader's.
func (r *Reader) Open(ctx context.Context, from connector.Position) error {
	at, err := ParsePosition(from)
	if err != nil {
		return err
	}
	if r.id, err = r.Log.Identity(ctx); err != nil {
		return fmt.Errorf("read the inbox: %w", err)
	}
	head := r.Head
	if head == 0 || r.Follow {
		if head, err = r.Log.Head(ctx); err != nil {
			return fmt.Errorf("read the inbox: %w", err)
		}
	}
	column := r.Schema.FieldIndices(r.Stream.Cursor)
	if len(column) != 1 || r.Schema.Field(column[0]).Type.ID() != arrow.INT64 {
		return connector.Internalf("This is a defect: report it", "the stream %s has no sequence among its columns", r.Stream.Name)
	}
	if err := r.place(&at, head); err != nil {
		return err
	}
	r.seq, r.from, r.fresh = column[0], at.Row, from == nil
	r.fetch = fetcher{r: r, after: consumed(at.Row), head: head, begins: from == nil && head > 0}
	if err := r.fetch.await(ctx); err != nil {
		return fmt.Errorf("read the inbox: %w", err)
	}
	r.start(context.WithoutCancel(ctx))
	return nil
}

// place finds a position in the inbox that is there, whose last request is head. What of another inbox was not read is out
// of reach, and this one is read from its beginning.
func (r *Reader) place(at *Place, head int64) error {
	switch end := inbox.RowSeq(head, lastItem); {
	case !at.of(r.id) && r.Strict:
		return errReplaced(at.ID, r.id)
	case !at.of(r.id):
		r.Logger.Warn("the position is of another inbox, which this one has replaced; this one is read from its beginning, and what the other one held and was not read is missing",
			"stream", r.Stream.Name, "position_of", at.ID.String(), "inbox", r.id.String())
		at.Row = 0
	case at.Row > end && (r.Follow || r.Strict):
		return connector.Configf("Is it the position of another inbox? "+connector.ReadAnew,
			"the position is behind the end of the inbox, which holds requests up to %d", head)
	case at.Row > end:
		r.Logger.Warn("the position is behind the end of the inbox, so nothing is read. If the inbox was replaced by a new one, read the stream from its beginning",
			"stream", r.Stream.Name, "position", at.Row, "end", end)
	}
	return nil
}

func errReplaced(was, is inbox.Identity) error {
	return connector.Configf("Give the one that was read before, if it is still there. To go on with this one from its beginning, set `on_loss: warn`",
		"the inbox has been replaced: what was read before is of the inbox %s, and this is %s", was, is)
}

// start has the inbox read and decoded ahead of Read, by as much as the line holds.
func (r *Reader) start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	decoders := min(runtime.GOMAXPROCS(0), mostDecoders)
	r.line, r.jobs = make(chan *stretch, decoders), make(chan *stretch)
	r.work.Go(func() {
		defer close(r.line)
		defer close(r.jobs)
		r.fetch.run(ctx)
	})
	for range decoders {
		r.work.Go(func() {
			d := decoder{Reader: r, builder: rows.NewBuilder(r.Alloc, r.Schema)}
			defer d.builder.Release()
			for s := range r.jobs {
				if s.err = ctx.Err(); s.err == nil {
					s.batches, s.err = d.run(&s.page)
				}
				s.page = inbox.Page{}
				close(s.done)
			}
		})
	}
}

// Read returns the next rows.
func (r *Reader) Read(ctx context.Context) (connector.Batch, error) {
	for {
		if err := ctx.Err(); err != nil {
			return connector.Batch{}, err
		}
		if len(r.held) > 0 {
			b := r.held[0]
			r.held, r.fresh = slices.Delete(r.held, 0, 1), false
			return b, nil
		}
		if r.end != nil {
			return connector.Batch{}, r.end
		}
		if err := r.wait(ctx); err != nil {
			return connector.Batch{}, err
		}
	}
}

// wait takes what the next stretch gave.
func (r *Reader) wait(ctx context.Context) error {
	if r.due == nil {
		select {
		case s, more := <-r.line:
			if !more {
				if r.end = io.EOF; r.fresh && !(r.fetch.awaits && r.fetch.head > 0) {
					r.held = append(r.held, connector.Batch{Stream: r.Stream.Name, Bytes: batchOverhead, Pos: r.position(0)})
				}
				return nil
			}
			r.due = s
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-r.due.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	r.held, r.end, r.due = r.due.batches, r.due.err, nil
	return nil
}

// Ack has nothing to note: what was read stays in the inbox until its owner removes it.
func (r *Reader) Ack(context.Context, connector.Settled) error { return nil }

// Close ends the reading ahead and frees the rows that were not handed out.
func (r *Reader) Close() error {
	if r.cancel != nil {
		r.cancel()
		r.work.Wait()
		if r.due != nil {
			r.held = append(r.held, r.due.batches...)
		}
		for s := range r.line {
			r.held = append(r.held, s.batches...)
		}
		r.cancel, r.due = nil, nil
	}
	for _, b := range r.held {
		if b.Rows != nil {
			b.Rows.Release()
		}
	}
	r.held, r.end = nil, io.EOF
	if lost, unread := r.lost.Swap(0), r.unread.Swap(0); lost > 0 || unread > 0 {
		r.Logger.Warn("the stream is not whole", "stream", r.Stream.Name, "requests_lost_or_removed", lost, "requests_not_understood", unread)
	}
	return nil
}
