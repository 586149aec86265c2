package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/rows"
)

// Defaults of Config.
const (
	DefaultBatchRows  = 1000
	DefaultBatchBytes = 4 << 20
)

// batchOverhead is what a batch costs beside the buffers of its rows: schema, arrays, bookkeeping.
const batchOverhead = 2 << 10

// Config says what to read. Vendor, Stream, Puller and Caller are needed.
type Config struct {
	Vendor string
	Stream connector.Stream
	Puller connector.Puller
	// Caller makes the calls; readers of one account share one.
	Caller *deliver.Caller
	// Schema is that of the rows, of columns that rows.NewBuilder takes; nil: all columns of the stream, as raw JSON.
	Schema *arrow.Schema
	// Follow is the time from the end of one walk to the begin of the next; 0: there is one walk.
	Follow time.Duration
	// Throttled is told, during Read, when a query begins to wait for the CRM's limit, and until when; nil: nobody is told.
	Throttled  func(until time.Time)
	BatchRows  int   // 0: DefaultBatchRows
	BatchBytes int64 // 0: DefaultBatchBytes
	Alloc      memory.Allocator
	Log        *slog.Logger // nil: silent
}

// Reader is a connector.Reader over one stream. Use New.
type Reader struct {
	cfg     Config
	builder *rows.Builder
	at      connector.Position // the page to ask for next, as the vendor has it
	held    []connector.Batch  // of the page at hand, not handed out yet
	refused []connector.RowResult
	asked   time.Time // when the page at hand was asked for
	wake    time.Time // when the next walk begins; zero: one is under way
	done    bool
}

var _ connector.Reader = (*Reader)(nil)

// New makes a Reader. It does nothing before Open.
func New(c Config) *Reader {
	if c.BatchRows <= 0 {
		c.BatchRows = DefaultBatchRows
	}
	if c.BatchBytes <= 0 {
		c.BatchBytes = DefaultBatchBytes
	}
	if c.Schema == nil {
		names := make([]string, len(c.Stream.Columns))
		for i := range c.Stream.Columns {
			names[i] = c.Stream.Columns[i].Name
		}
		c.Schema = rows.RawSchema(names)
	}
	if c.Alloc == nil {
		c.Alloc = memory.DefaultAllocator
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Reader{cfg: c}
}

// position is a resume point. Page is the vendor's own, null at the first page.
type position struct {
	Vendor string             `json:"vendor"`
	Stream string             `json:"stream"`
	Page   connector.Position `json:"page"`
}

// Open implements connector.Reader. It makes no call.
func (r *Reader) Open(_ context.Context, from connector.Position) error {
	if r.cfg.Puller == nil || r.cfg.Caller == nil {
		return connector.Internalf("Report this", "the reader of %s was made without a query", r.cfg.Stream.Name)
	}
	if from != nil {
		var at position
		d := json.NewDecoder(bytes.NewReader(from))
		d.DisallowUnknownFields()
		if err := d.Decode(&at); err != nil || d.More() {
			return connector.Configf(connector.ReadAnew, "the saved position is none of a query of %s", r.cfg.Vendor)
		}
		if at.Vendor != r.cfg.Vendor || at.Stream != r.cfg.Stream.Name {
			return connector.Configf(connector.ReadAnew, "the saved position is one of %s of %s, not of %s of %s", at.Stream, at.Vendor, r.cfg.Stream.Name, r.cfg.Vendor)
		}
		r.at = at.Page
	}
	// The vendor tells here, and not after the first wait, of a position that it cannot read.
	if err := r.cfg.Puller.AppendQuery(&connector.Request{}, r.at); err != nil {
		return err
	}
	r.builder = rows.NewBuilder(r.cfg.Alloc, r.cfg.Schema)
	return nil
}

// Read implements connector.Reader. A page without rows is a batch without rows.
func (r *Reader) Read(ctx context.Context) (connector.Batch, error) {
	if err := ctx.Err(); err != nil {
		return connector.Batch{}, err
	}
	for len(r.held) == 0 {
		if r.done {
			return connector.Batch{}, io.EOF
		}
		if err := r.rest(ctx); err != nil {
			return connector.Batch{}, err
		}
		if err := r.page(ctx); err != nil {
			return connector.Batch{}, err
		}
	}
	b := r.held[0]
	r.held[0] = connector.Batch{}
	r.held = r.held[1:]
	return b, nil
}

// rest waits for the next walk where one has ended.
func (r *Reader) rest(ctx context.Context) error {
	if r.wake.IsZero() {
		return nil
	}
	timer := time.NewTimer(time.Until(r.wake))
	defer timer.Stop()
	select {
	case <-timer.C:
		r.wake = time.Time{}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// page asks for the next page and makes batches of it.
func (r *Reader) page(ctx context.Context) error {
	var page connector.Page
	var broken error // what keeps a page that was read from being rows; asking again would not mend it
	signer, _ := r.cfg.Puller.(connector.Signer)
	o, err := r.cfg.Caller.Ask(ctx, deliver.Query{
		Append: func(req *connector.Request) error {
			r.asked = time.Now()
			return r.cfg.Puller.AppendQuery(req, r.at)
		},
		Signer:    signer,
		Throttled: r.cfg.Throttled,
		Parse: func(resp *connector.Response) (o connector.Outcome, err error) {
			r.drop()
			out := sink{r, nil}
			page, o, err = r.cfg.Puller.ParsePage(resp, r.at, &out)
			if broken = out.err; broken != nil {
				return connector.Outcome{Verdict: connector.VerdictRejected}, nil
			}
			if err == nil && o.Verdict == connector.VerdictDelivered && page.More && (page.Next == nil || bytes.Equal(page.Next, r.at)) {
				broken = connector.Internalf("Report this, with the CRM's answer", "the query of %s gave a page that leads to itself", r.cfg.Stream.Name)
				return connector.Outcome{Verdict: connector.VerdictRejected}, nil
			}
			return o, err
		},
	})
	switch {
	case err != nil:
	case broken != nil:
		err = broken
	case o.Verdict == connector.VerdictRejected:
		err = refusal(&o)
	}
	if err != nil {
		r.drop()
		return fmt.Errorf("query %s: %w", r.cfg.Stream.Name, err)
	}
	return r.close(page)
}

// refusal is the error of a query that the vendor does not answer. Its code is a key of the vendor's table.
func refusal(o *connector.Outcome) error {
	kind := connector.KindConfig
	if o.Stop != connector.KindNone {
		kind = o.Stop
	}
	return &connector.Error{Kind: kind, What: "the CRM refuses the query", Fix: "Look up what the code means, then mend the settings of the account",
		Err: &deliver.CodeError{Code: o.Code, Message: o.Message, RequestID: o.RequestID}}
}

// close ends a page: its last batch carries the position behind it.
func (r *Reader) close(page connector.Page) error {
	pos, err := json.Marshal(position{r.cfg.Vendor, r.cfg.Stream.Name, page.Next})
	if err != nil {
		return connector.Internalf("Report this", "the query of %s gave a position that is no JSON: %w", r.cfg.Stream.Name, err)
	}
	if r.builder.Len() > 0 || len(r.held) == 0 {
		r.cut()
	}
	last := &r.held[len(r.held)-1]
	last.Pos = pos
	last.Bytes += int64(len(pos))
	r.at = page.Next
	switch {
	case page.More:
	case r.cfg.Follow > 0:
		r.wake = time.Now().Add(r.cfg.Follow)
	default:
		r.done = true
	}
	return nil
}

// cut makes a batch of the rows so far.
func (r *Reader) cut() {
	b := connector.Batch{Stream: r.cfg.Stream.Name, Refused: r.refused, Bytes: batchOverhead}
	if r.builder.Len() > 0 {
		b.Rows = r.builder.NewRecord()
		b.Bytes += rows.Size(b.Rows)
	}
	for _, x := range r.refused {
		b.Bytes += int64(len(x.Message)) + 128
	}
	r.refused = nil
	r.held = append(r.held, b)
}

// drop forgets what was read of a page.
func (r *Reader) drop() {
	for _, b := range r.held {
		if b.Rows != nil {
			b.Rows.Release()
		}
	}
	r.held, r.refused = nil, nil
	if r.builder.Len() > 0 {
		r.builder.NewRecord().Release()
	}
}

// Asked returns when the rows of the last batch were asked for: what changed in the CRM before is in them.
func (r *Reader) Asked() time.Time { return r.asked }

// Ack has nothing to do: whoever runs the reader keeps the positions.
func (r *Reader) Ack(context.Context, connector.Settled) error { return nil }

// Close frees the rows not handed out.
func (r *Reader) Close() error {
	if r.builder != nil {
		r.drop()
		r.builder.Release()
		r.builder = nil
	}
	return nil
}

// sink takes the rows of a page.
type sink struct {
	r   *Reader
	err error // a defect of the vendor's code
}

var errStream = errors.New("row of another stream")

// AppendJSON implements connector.Rows. An object that is no row of the stream keeps its place as a refused one.
func (s *sink) AppendJSON(stream string, object []byte) error {
	r := s.r
	if stream != r.cfg.Stream.Name {
		s.err = connector.Internalf("Report this", "the query of %s gave a row of %q", r.cfg.Stream.Name, stream)
		return errStream
	}
	if refusal := r.builder.Append(object); refusal != nil {
		r.refused = append(r.refused, refusal.Result(r.builder.Len()))
		r.builder.AppendRefused(object)
	}
	if r.builder.Len() >= r.cfg.BatchRows || r.builder.Bytes() >= r.cfg.BatchBytes {
		r.cut()
	}
	return nil
}
