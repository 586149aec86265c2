package job

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/deliver"
	"github.com/sluicehq/sluice/internal/events"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/pull"
	"github.com/sluicehq/sluice/internal/rows"
)

// sourceSync is one sync of an account. All its streams of webhooks end where the inbox ended when it began.
type sourceSync struct {
	*account
	transport http.RoundTripper
	log       *slog.Logger

	inbox  InboxStore // nil: no stream comes from it
	chosen *endpoints
	head   int64
	caller *deliver.Caller // nil: no stream is queried
}

// open prepares what the streams of the catalog need.
func (s *sourceSync) open(ctx context.Context, from map[string]connector.Position) error {
	webhooks, queries := map[string]connector.Position{}, false
	for stream, pos := range from {
		p, err := s.puller(stream)
		switch {
		case err != nil:
			return err
		case p != nil:
			queries = true
		default:
			webhooks[stream] = pos
		}
	}
	if queries {
		if err := s.openCalls(ctx, s.vendor.Source.Lookup); err != nil {
			return err
		}
	}
	if len(webhooks) == 0 {
		return nil
	}
	var err error
	var consumer string
	if s.inbox, consumer, err = s.openInbox(); err != nil {
		return err
	}
	s.chosen = s.account.endpoints(s.log)
	if s.head, err = s.inbox.Head(ctx); err != nil {
		return fmt.Errorf("inbox: %w", err)
	}
	s.release(ctx, consumer, webhooks)
	return nil
}

// release tells the receiver what this consumer needs no more: what lies before all the positions that the host handed in,
// for it has committed those. A failure costs nothing but space, so it is a warning.
func (s *sourceSync) release(ctx context.Context, consumer string, from map[string]connector.Position) {
	cursors, ok := s.inbox.(inbox.Cursors)
	if !ok || consumer == "" {
		return
	}
	id, err := s.inbox.Identity(ctx)
	if err != nil {
		s.log.Warn("the receiver could not be told how far this consumer has come; it keeps more than it has to", "consumer", consumer, "error", err.Error())
		return
	}
	least := int64(math.MaxInt64)
	for _, pos := range from {
		seq, err := events.Consumed(pos, id)
		if err != nil || seq > s.head {
			return // the stream itself says so
		}
		least = min(least, seq)
	}
	if err := cursors.SetCursor(ctx, id, consumer, least); err != nil {
		s.log.Warn("the receiver could not be told how far this consumer has come; it keeps more than it has to", "consumer", consumer, "error", err.Error())
	}
}

// openCalls prepares calls to the CRM, and makes the one that first gives, if any.
func (s *sourceSync) openCalls(ctx context.Context, first func(connector.Config) (connector.Probe, error)) error {
	t, d, err := s.transportOf(s.transport)
	if err != nil {
		return err
	}
	s.transport = t
	if s.log.Enabled(ctx, slog.LevelDebug) {
		s.transport = traced{t, s.log}
	}
	s.caller = deliver.NewCaller(deliver.Config{
		Transport: s.transport, Concurrency: d.Concurrency, RequestsPerSecond: d.RequestsPerSecond,
		Timeout: d.Timeout.D(), OutageLimit: d.OutageLimit.D(), Log: s.log,
	})
	if first == nil {
		return nil
	}
	probe, err := first(s.config)
	if probe == nil || err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return deliver.Probe(ctx, s.transport, probe)
}

// Reader makes the reader of a stream: of webhooks out of the inbox, or of a query.
func (s *sourceSync) Reader(stream string, throttled func(until time.Time)) (connector.Reader, error) {
	list, err := s.streams()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(list, func(st connector.Stream) bool { return st.Name == stream })
	p, err := s.puller(stream)
	switch {
	case err != nil:
		return nil, err
	case at < 0:
		return nil, connector.Internalf("This is a defect: report it", "no stream %q to read", stream)
	case p != nil:
		return pull.New(pull.Config{
			Vendor: s.vendor.Name, Stream: list[at], Puller: p, Caller: s.caller, Throttled: throttled, Schema: querySchema(&list[at]), Log: s.log,
		}), nil
	}
	return events.New(events.Config{
		Schema: eventSchema(&list[at]), Log: s.inbox, Stream: list[at], Vendor: s.vendor.Name, Webhooks: s.hooks, Endpoint: s.chosen.choose(), Await: s.chosen.await(s.inbox), Head: s.head,
		Strict: s.OnLoss == lossFail, Logger: s.log, Alloc: &rows.Recycler{},
	}), nil
}

// eventSchema is that of rows which leave as the vendor's decoder wrote them: the cursor, and everything else in one piece.
func eventSchema(st *connector.Stream) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: st.Cursor, Type: arrow.PrimitiveTypes.Int64, Nullable: true}, connector.JSONField(connector.ColumnExtra)}, nil)
}

// querySchema is that of rows which are held to the types that discover tells of; what else they have stays beside them.
func querySchema(st *connector.Stream) *arrow.Schema {
	return arrow.NewSchema(append(slices.Clip(st.Schema().Fields()), connector.JSONField(connector.ColumnExtra)), nil)
}

// Close frees the inbox and idle connections.
func (s *sourceSync) Close() (err error) {
	if s.inbox != nil {
		err = errors.Join(err, s.inbox.Close())
	}
	if c, ok := s.transport.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
	return err
}
