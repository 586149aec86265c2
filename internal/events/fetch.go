package events

import (
	"context"
	"fmt"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

// fetcher reads the pages of the inbox, one after another.
type fetcher struct {
	r           *Reader
	after, head int64 // requests
	begins      bool  // nothing was read before, and the inbox was in use: what retention took is nobody's loss
	awaits      bool  // what came in is not for this reader, as far as it is known
	wait        time.Duration
}

// await asks whether there is anything for this reader.
func (f *fetcher) await(ctx context.Context) error {
	if f.r.Await == nil {
		return nil
	}
	some, err := f.r.Await(ctx)
	f.awaits = err == nil && !some
	return err
}

// run reads until the head, or, under Follow, until ctx ends. An error is the last thing in the line.
func (f *fetcher) run(ctx context.Context) {
	for {
		s := &stretch{done: make(chan struct{})}
		switch more, err := f.next(ctx, &s.page); {
		case err != nil:
			s.err = err
			close(s.done)
			select {
			case f.r.line <- s:
			case <-ctx.Done():
			}
			return
		case !more:
			return
		}
		select {
		case f.r.line <- s:
		case <-ctx.Done():
			return
		}
		f.r.jobs <- s // decoders go on until jobs is closed
	}
}

// next reads the next page; false: there is none.
func (f *fetcher) next(ctx context.Context, page *inbox.Page) (bool, error) {
	for {
		switch {
		case ctx.Err() != nil:
			return false, ctx.Err()
		case (f.after >= f.head || f.awaits) && !f.r.Follow:
			return false, nil
		case f.after >= f.head:
			if err := f.sleep(ctx); err != nil {
				return false, err
			}
			continue
		case f.awaits:
			if err := f.again(ctx); err != nil {
				return false, err
			}
			continue
		}
		p, err := f.r.Log.Read(ctx, inbox.Query{After: f.after, Head: f.head, Endpoint: f.r.mine, Bytes: pageBytes})
		if err != nil {
			if err := f.outage(ctx, err); err != nil {
				return false, err
			}
			continue
		}
		if f.r.id != 0 && p.ID != f.r.id {
			return false, errReplaced(f.r.id, p.ID)
		}
		if p.Last <= f.after {
			return false, connector.Internalf("This is a defect: report it", "the inbox gives nothing behind request %d, and should up to %d", f.after, f.head)
		}
		if err := f.tell(&p); err != nil {
			return false, err
		}
		*page, f.after, f.begins, f.wait = p, p.Last, false, 0
		return true, nil
	}
}

// tell says what is missing from a page.
func (f *fetcher) tell(page *inbox.Page) error {
	r := f.r
	for _, d := range page.Damaged {
		n := d.To - d.From + 1
		if r.Strict {
			return connector.Configf("Look at the inbox with `sluice inbox verify`. To read on without them, set `on_loss: warn`",
				"%d requests of the inbox, %d to %d, cannot be read: %s", n, d.From, d.To, d.Reason)
		}
		if before := r.lost.Add(n) - n; before < told {
			r.Logger.Warn("requests of the inbox cannot be read and are left out; some may belong to other streams",
				"stream", r.Stream.Name, "from", d.From, "to", d.To, "requests", n, "why", d.Reason)
		}
	}
	if page.Trimmed == 0 {
		return nil
	}
	n := page.Trimmed - f.after
	switch {
	case f.begins:
		r.Logger.Info("the inbox no longer holds its beginning: the stream begins with what retention has left",
			"stream", r.Stream.Name, "requests_removed", n)
	case r.Strict:
		return connector.Configf("To read on without them, set `on_loss: warn`, or read the stream from its beginning; to keep it from happening, let the inbox keep more or name this consumer",
			"%d requests, %d to %d, were removed from the inbox before they were read", n, f.after+1, page.Trimmed)
	default:
		r.lost.Add(n)
		r.Logger.Warn("requests were removed from the inbox before they were read; let it keep more, or name this consumer, so that it waits",
			"stream", r.Stream.Name, "from", f.after+1, "to", page.Trimmed, "requests", n)
	}
	return nil
}

// sleep waits, longer each time, until there is more.
func (f *fetcher) sleep(ctx context.Context) error {
	if err := f.pause(ctx); err != nil {
		return err
	}
	head, err := f.r.Log.Head(ctx)
	if err != nil {
		return f.outage(ctx, err)
	}
	if head < f.after { // which no inbox does
		if id, err := f.r.Log.Identity(ctx); err == nil && f.r.id != 0 && id != f.r.id {
			return errReplaced(f.r.id, id)
		}
	}
	if head > f.head {
		f.head, f.wait = head, 0
	}
	return nil
}

// again waits and asks again whether there is anything for this reader.
func (f *fetcher) again(ctx context.Context) error {
	if err := f.pause(ctx); err != nil {
		return err
	}
	if err := f.await(ctx); err != nil {
		f.awaits = true // as it was
		return f.outage(ctx, err)
	}
	return nil
}

func (f *fetcher) pause(ctx context.Context) error {
	f.wait = min(max(2*f.wait, firstWait), longestWait)
	timer := time.NewTimer(f.wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outage judges an error of the inbox. A Reader that follows outlives a receiver that is started anew.
func (f *fetcher) outage(ctx context.Context, err error) error {
	if !f.r.Follow || ctx.Err() != nil || connector.KindOf(err) != connector.KindTransient {
		return fmt.Errorf("read the inbox: %w", err)
	}
	if f.wait < longestWait {
		f.r.Logger.Warn("the inbox cannot be read just now; trying again", "stream", f.r.Stream.Name, "error", err.Error())
	}
	return f.pause(ctx)
}

// mine reports whether an endpoint belongs to the stream.
func (r *Reader) mine(e inbox.Endpoint) bool {
	if e.Vendor != r.Vendor || r.Endpoint != nil && !r.Endpoint(e) {
		return false
	}
	return r.hooks[e.Type] != nil || r.Stream.Name == connector.StreamRawEvents
}
