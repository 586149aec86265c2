package events_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/inbox"
)

// late is a log that retention empties from the old end, down to the request at, while it is read.
type late struct {
	inbox.Log
	at    int64
	reads int
}

func (l *late) Read(ctx context.Context, q inbox.Query) (inbox.Page, error) {
	if l.reads++; l.reads > 1 {
		return spoiled{Log: l.Log, trimmed: l.at}.Read(ctx, q)
	}
	q.Rows = 2
	return l.Log.Read(ctx, q)
}

// Who began at the beginning and fell behind since has lost something too: while it reads, and where the inbox was empty
// when it came by first.
func TestTrimmedSince(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{MaxItems: 1})
	empty := mustRead(t, w.config(connector.StreamRawEvents), nil).last()
	w.change(20)
	c := w.config(connector.StreamRawEvents)
	c.Log, c.Strict = &late{Log: w.box.Reader(), at: 10}, true
	if g, err := read(t, c, nil); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "8 requests, 3 to 10") || len(g.rows) != 2 {
		t.Errorf("while it read: %d rows, %v", len(g.rows), err)
	}
	c.Log = spoiled{Log: w.box.Reader(), trimmed: 10}
	if _, err := read(t, c, empty); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "10 requests, 1 to 10") {
		t.Errorf("behind %s: %v", empty, err)
	}
}
