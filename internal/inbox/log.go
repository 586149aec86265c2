package inbox

import "context"

// Log is what whoever turns requests into rows needs of an inbox: a Reader, on its folder, or the client of a receiver's
// HTTP API. Both serve the same records for the same Query and have the same errors.
type Log interface {
	// Head returns the sequence of the last request that was acknowledged.
	Head(ctx context.Context) (int64, error)
	// Floor returns the last sequence that retention has removed, 0 if none.
	Floor(ctx context.Context) (int64, error)
	// Identity tells the inbox from others.
	Identity(ctx context.Context) (Identity, error)
	// Read returns the stretch of the log after q.After.
	Read(ctx context.Context, q Query) (Page, error)
	// Close frees what reading took. It is no error to close twice.
	Close() error
}

// Cursors is a Log whose owner can be told how far a named consumer has come: the client of a receiver, never a Reader,
// which must not write. Retention keeps everything behind the cursor.
type Cursors interface {
	// SetCursor says, durably, that the consumer needs nothing up to and including seq of that inbox any more. It is refused
	// if another inbox has taken its place.
	SetCursor(ctx context.Context, of Identity, consumer string, seq int64) error
}

var (
	_ Log     = (*Reader)(nil)
	_ Cursors = (*Inbox)(nil)
)
