package connector

import (
	"context"

	"github.com/apache/arrow/go/v15/arrow"
)

// Reader produces the rows of a run. The pipeline calls Open once, then Read from one goroutine; Ack may run beside
// Read but never beside itself. Close is called once, after the last Ack, also when Open failed.
type Reader interface {
	// Open starts after the position given, or at the beginning if it is nil. A position it cannot read is a Config error.
	Open(ctx context.Context, from Position) error
	// Read blocks for the next batch and hands its reference over. io.EOF: the input is known to be complete;
	// io.ErrUnexpectedEOF: it merely ended (a signal, a cut pipe). A cancelled ctx ends Read soon with ctx.Err().
	Read(ctx context.Context) (Batch, error)
	// Ack answers one batch. It is called once per batch, in the order read, also where Pos is nil; an error ends the run.
	Ack(ctx context.Context, s Settled) error
	Close() error
}

// Writer takes rows to their destination. The pipeline calls Open once, then Write from one goroutine, then Close.
type Writer interface {
	// Open prepares the writer. Its ctx covers all work of the writer, not only this call: once it is cancelled, every
	// batch that is still open is answered with the ctx's error.
	Open(ctx context.Context) error
	// Write queues the rows and returns; it blocks only where the writer's own bound is reached. The order of Write calls
	// is the order of rows of one key. Write takes over the batch's reference. done is called exactly once, from any
	// goroutine and perhaps before Write returns, when every row is terminal: with the rejected rows ascending by row, or
	// with an error when the batch could not be settled (then none of its rows counts as settled). If Write returns an
	// error, it has released the batch and does not call done.
	Write(ctx context.Context, b Batch, done func(rejected []RowResult, err error)) error
	// Close says that nothing more comes, waits until every batch is answered, and frees what the writer holds.
	Close() error
}

// Plan is a transform bound to one input schema. It is safe for concurrent use.
type Plan interface {
	// Stream is the name of the stream that the plan produces.
	Stream() string
	// Schema is the schema of Applied.Rows.
	Schema() *arrow.Schema
	// Apply maps a record. It keeps no reference to in beyond what Applied.Rows shares with it; the caller still owns in.
	// skip lists, ascending, input rows that must be left out (they were refused when read).
	Apply(ctx context.Context, in arrow.Record, skip []RowResult) (Applied, error)
	// Key names a row for people: the first identifier that the row has, as text; "" if none. It is not used to match.
	Key(in arrow.Record, row int) string
}

// Applied is what a Plan made of one record.
type Applied struct {
	Rows  arrow.Record // the caller owns one reference; may have no rows, never nil
	Index []int32      // output row → input row, ascending; nil: one to one
	// Rejected lists rows the plan refused, by input row, ascending. An input row that is neither here, nor skipped, nor
	// in Index was filtered by the user's own choice.
	Rejected []RowResult
}

// Rows takes decoded objects; a Puller appends to it.
type Rows interface {
	AppendJSON(stream string, object []byte) error
}

// Events takes the rows of a webhook's items; a Hook appends to it.
type Events interface {
	// AppendEvent adds a row of an item. Members are all of its columns but the stream's cursor, which is the item's
	// sequence: a JSON object on one line, in UTF-8, each name once and a column of the stream. They may be passed on
	// without being looked at again, so the Hook makes sure of it, whatever the item holds. They are the caller's again
	// when it returns.
	AppendEvent(stream string, item int, members []byte) error
}
