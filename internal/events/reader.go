package events

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
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
	// Head is the last request that is read; 0: the last one when the Reader is opened. Without meaning under Follow.
	Head   int64
	Follow bool // wait at the end for more
	// Strict ends the run where requests were lost, or were removed before they were read, instead of a warning.
	Strict bool

	BatchRows  int   // rows of a batch; default 1,000
	BatchBytes int64 // a batch is cut once it holds so much; default 1 MiB
	Alloc      memory.Allocator
	Logger     *slog.Logger
}

// Reader reads one stream. It is a connector.Reader.
type Reader struct {
	Config
	hooks   map[string]connector.Hook
	main    map[string]bool // webhooks whose first stream is this one
	builder *rows.Builder
	seq     int // the column seq
	object  rows.Object

	head  int64
	from  int64             // rows up to this one were had before
	after int64             // the last request of the pages that were read
	page  []inbox.Record    // what is left of the last one
	more  bool              // there are further pages
	at    int64             // everything up to this row is in the builder, or was handed out
	given int64             // the position handed out last
	fresh bool              // none was handed out, and none was had: even of an empty inbox one is wanted
	ready []connector.Batch // cut and not handed out
	ended bool
	wait  time.Duration

	now          request
	lost, unread int64 // requests
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
	r := &Reader{Config: c, hooks: map[string]connector.Hook{}, main: map[string]bool{}}
	for _, w := range c.Webhooks {
		r.hooks[w.Name] = w.Hook
		r.main[w.Name] = len(w.Streams) > 0 && w.Streams[0] == c.Stream.Name
	}
	return r
}

// Open starts behind a position of this Reader's.
func (r *Reader) Open(ctx context.Context, from connector.Position) error {
	row, err := ParsePosition(from)
	if err != nil {
		return err
	}
	if r.head = r.Head; r.head == 0 || r.Follow {
		if r.head, err = r.Log.Head(ctx); err != nil {
			return fmt.Errorf("read the inbox: %w", err)
		}
	}
	r.from, r.at, r.given, r.after = row, row, row, consumed(row)
	r.fresh = from == nil
	if row > inbox.RowSeq(r.head, lastItem) {
		if r.Follow {
			return connector.Configf("Is it the position of another inbox? Read the stream from the beginning",
				"the position is behind the end of the inbox, which holds requests up to %d", r.head)
		}
		r.Logger.Warn("the position is behind the end of the inbox, so nothing is read. If the inbox was replaced by a new one, refresh the stream",
			"stream", r.Stream.Name, "position", row, "end", inbox.RowSeq(r.head, lastItem))
		r.ended = true
	}
	r.more = !r.ended && r.after < r.head
	schema := r.Stream.Schema()
	r.builder = rows.NewBuilder(r.Alloc, schema)
	if at := schema.FieldIndices(r.Stream.Cursor); len(at) == 1 && schema.Field(at[0]).Type.ID() == arrow.INT64 {
		r.seq = at[0]
		return nil
	}
	return connector.Internalf("This is a defect: report it", "the stream %s has no sequence among its columns", r.Stream.Name)
}

// Read returns the next rows.
func (r *Reader) Read(ctx context.Context) (connector.Batch, error) {
	for {
		if len(r.ready) > 0 {
			b := r.ready[0]
			r.ready = slices.Delete(r.ready, 0, 1)
			return b, nil
		}
		if err := ctx.Err(); err != nil {
			return connector.Batch{}, err
		}
		switch {
		case len(r.page) > 0:
			if err := r.take(&r.page[0]); err != nil {
				return connector.Batch{}, err
			}
			if r.page = r.page[1:]; len(r.page) == 0 {
				r.at = max(r.at, inbox.RowSeq(r.after, lastItem))
			}
		case r.builder.Len() == 0 && r.at > r.given, r.builder.Len() > 0 && !r.more:
			r.cut()
		case r.more:
			if err := r.turn(ctx); err != nil {
				return connector.Batch{}, err
			}
		case r.fresh && !r.Follow:
			r.cut()
		case r.ended || !r.Follow:
			r.ended = true
			return connector.Batch{}, io.EOF
		default:
			if err := r.sleep(ctx); err != nil {
				return connector.Batch{}, err
			}
		}
	}
}

// turn reads the next page.
func (r *Reader) turn(ctx context.Context) error {
	page, err := r.Log.Read(ctx, inbox.Query{After: r.after, Head: r.head, Endpoint: r.mine})
	if err != nil {
		return r.outage(ctx, err)
	}
	r.wait = 0
	if err := r.tell(&page); err != nil {
		return err
	}
	if page.Last <= r.after {
		return connector.Internalf("This is a defect: report it", "the inbox gives nothing behind request %d, and should up to %d", r.after, r.head)
	}
	if r.page, r.after, r.more = page.Records, page.Last, page.More; len(r.page) == 0 {
		r.at = max(r.at, inbox.RowSeq(r.after, lastItem))
	}
	return nil
}

// tell says what is missing from a page.
func (r *Reader) tell(page *inbox.Page) error {
	for _, d := range page.Damaged {
		n := d.To - d.From + 1
		if r.Strict {
			return connector.Configf("Look at the inbox with `sluice inbox ls`. To read on without them, let losses be warnings",
				"%d requests of the inbox, %d to %d, cannot be read: %s", n, d.From, d.To, d.Reason)
		}
		if r.lost += n; r.lost-n < told {
			r.Logger.Warn("requests of the inbox cannot be read and are left out; some may belong to other streams",
				"stream", r.Stream.Name, "from", d.From, "to", d.To, "requests", n, "why", d.Reason)
		}
	}
	if page.Trimmed == 0 {
		return nil
	}
	n := page.Trimmed - r.after
	switch {
	case r.from == 0:
		r.Logger.Info("the inbox no longer holds its beginning: the stream begins with what retention has left",
			"stream", r.Stream.Name, "requests_removed", n)
	case r.Strict:
		return connector.Configf("Refresh the stream. To read on without them, let losses be warnings; to keep it from happening, let the inbox keep more or name this consumer",
			"%d requests, %d to %d, were removed from the inbox before they were read", n, r.after+1, page.Trimmed)
	default:
		r.lost += n
		r.Logger.Warn("requests were removed from the inbox before they were read; let it keep more, or name this consumer, so that it waits",
			"stream", r.Stream.Name, "from", r.after+1, "to", page.Trimmed, "requests", n)
	}
	return nil
}

// mine reports whether an endpoint belongs to the stream.
func (r *Reader) mine(e inbox.Endpoint) bool {
	if e.Vendor != r.Vendor || r.Endpoint != nil && !r.Endpoint(e) {
		return false
	}
	return r.hooks[e.Type] != nil || r.Stream.Name == connector.StreamRawEvents
}

// sleep waits, longer each time, until there is more.
func (r *Reader) sleep(ctx context.Context) error {
	if err := r.pause(ctx); err != nil {
		return err
	}
	head, err := r.Log.Head(ctx)
	if err != nil {
		return r.outage(ctx, err)
	}
	if head > r.head {
		r.head, r.more, r.wait = head, true, 0
	}
	return nil
}

func (r *Reader) pause(ctx context.Context) error {
	r.wait = min(max(2*r.wait, firstWait), longestWait)
	timer := time.NewTimer(r.wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outage judges an error of the inbox. A Reader that follows outlives a receiver that is started anew.
func (r *Reader) outage(ctx context.Context, err error) error {
	if !r.Follow || ctx.Err() != nil || connector.KindOf(err) != connector.KindTransient {
		return fmt.Errorf("read the inbox: %w", err)
	}
	if r.wait < longestWait {
		r.Logger.Warn("the inbox cannot be read just now; trying again", "stream", r.Stream.Name, "error", err.Error())
	}
	return r.pause(ctx)
}

// Ack has nothing to note: what was read stays in the inbox until its owner removes it.
func (r *Reader) Ack(context.Context, connector.Settled) error { return nil }

// Close frees the rows that were not handed out.
func (r *Reader) Close() error {
	for _, b := range r.ready {
		if b.Rows != nil {
			b.Rows.Release()
		}
	}
	r.ready = nil
	if r.builder != nil {
		r.builder.Release()
		r.builder = nil
	}
	if r.lost > 0 || r.unread > 0 {
		r.Logger.Warn("the stream is not whole", "stream", r.Stream.Name, "requests_lost_or_removed", r.lost, "requests_not_understood", r.unread)
	}
	return nil
}
