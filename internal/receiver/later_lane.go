package receiver

import (
	"context"
	"math"
	"sync"
	"time"

	"github.com/sluicehq/sluice/internal/inbox"
)

const (
	laterChunk   = 64
	laterWorkers = 4
)

// lane makes the calls of one endpoint, so that one whose CRM does not answer keeps no other waiting. What is new comes
// first; what failed comes again in rounds, a chunk of it at a time.
type lane struct {
	l    *later
	e    *Endpoint
	wake chan struct{}

	timer *time.Timer // of the round
	armed bool
	pause time.Duration
	fresh int64 // what is on the list up to here was tried
	round int64 // and up to here tried again in this round
	open  int   // how many of those in this round came to nothing
}

// chunk is what became of a few records.
type chunk struct {
	last       int64         // the last of them, 0 if there was none
	more       bool          // the list has more behind it
	done, open int           // how many need no call any more, and how many do
	wait       time.Duration // what the other side asked for
}

func (n *lane) run(ctx context.Context) {
	n.pause, n.timer = n.l.pause, time.NewTimer(time.Hour)
	n.timer.Stop()
	defer n.timer.Stop()
	for {
		got := n.chunk(ctx, n.fresh, math.MaxInt64)
		if n.fresh = max(n.fresh, got.last); got.open > 0 {
			n.arm(max(n.pause, got.wait))
		}
		if got.last > 0 && ctx.Err() == nil { // there may be more; a round is due all the same
			select {
			case <-n.timer.C:
				n.again(ctx)
			default:
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-n.wake:
		case <-n.timer.C:
			n.again(ctx)
		}
	}
}

// arm has a round begin or go on in a while, unless one is due earlier.
func (n *lane) arm(in time.Duration) {
	if !n.armed {
		n.armed = true
		n.timer.Reset(min(in, laterLongest))
	}
}

// again goes on with the round. At its end a new one is due later, unless nothing is open.
func (n *lane) again(ctx context.Context) {
	n.armed = false
	got := n.chunk(ctx, n.round, n.fresh)
	switch {
	case got.done > 0:
		n.pause = n.l.pause
	case got.open > 0:
		n.pause = min(4*n.pause, laterLongest)
	}
	n.open += got.open
	if !got.more {
		if n.round = 0; n.open > 0 {
			n.arm(max(n.pause, got.wait))
		}
		n.open = 0
		return
	}
	if n.round = got.last; got.open == 0 { // they come through again: the rest at once
		n.arm(0)
		return
	}
	n.arm(max(n.pause, got.wait))
}

// chunk makes the calls of the next few records that are on the list after a sequence, up to another.
func (n *lane) chunk(ctx context.Context, after, upTo int64) (got chunk) {
	over := n.l.unflushed() // before the list is read: what is flushed meanwhile is on it no longer
	list, err := n.l.r.reader.FollowUps(ctx, func(at inbox.Endpoint) bool { return at.Name == n.e.Name }, after, laterChunk)
	if err != nil {
		if ctx.Err() == nil && n.l.quiet.now(n.e.Name, n.l.r.opts.Clock()) {
			n.l.r.opts.Log.Error("the inbox does not say which calls are to be made; it is asked again", "endpoint", n.e.Name, "error", err)
		}
		return chunk{open: 1} // maybe
	}
	var (
		mu    sync.Mutex
		work  sync.WaitGroup
		tasks = make(chan int64)
	)
	for range min(laterWorkers, len(list)) {
		work.Go(func() {
			for seq := range tasks {
				done, wait := n.follow(ctx, seq)
				mu.Lock()
				if got.wait = max(got.wait, wait); done {
					got.done++
				} else {
					got.open++
				}
				mu.Unlock()
			}
		})
	}
	got.more = len(list) == laterChunk
	for _, seq := range list {
		if seq > upTo {
			got.more = false
			break
		}
		if got.last = seq; !over[seq] && ctx.Err() == nil {
			tasks <- seq
		}
	}
	close(tasks)
	work.Wait()
	return got
}
