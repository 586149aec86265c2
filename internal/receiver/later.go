package receiver

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluicehq/sluice/connector"
)

const (
	// giveUpAfter is how long after it was stored a request's calls are tried: a call that has not come through in a day
	// finds nobody who waits for it. A person who does replays the request.
	giveUpAfter = 24 * time.Hour
	sweepEvery  = time.Minute
	flushEvery  = time.Second

	// laterPause is the wait before a call that failed is made again; it grows fourfold while none comes through. The
	// vendor's signature is good for a minute, and each try is signed anew.
	laterPause   = 2 * time.Second
	laterLongest = 5 * time.Minute
)

// later makes the calls that stored requests ask for, outside of their handlers. Which these are is written down with the
// requests: the inbox's list of follow-ups. So neither a crash nor a call that takes long loses one, and none waits in
// memory.
//
//	handler: asks? ─▶ inbox.Append, on the list ─▶ answer ─▶ wake
//	lane, one an endpoint: the list, a chunk at a time ─▶ the record ─▶ its calls ─▶ done ─▶ off the list, once a second
//
// A process that dies between a call and the end of that second makes the call again, and that is harmless: what was
// fetched before is known by its keys, and a confirmation says the same as the one before.
type later struct {
	r     *Receiver
	lanes map[string]*lane // by the name of the endpoint; those whose hooks make calls
	pause time.Duration
	quiet *quiet // of calls that will be made again

	mu   sync.Mutex
	done map[int64]bool // needs no call any more, and is still on the list
}

func newLater(r *Receiver) *later {
	l := &later{r: r, lanes: map[string]*lane{}, pause: laterPause, quiet: newQuiet(time.Minute), done: map[int64]bool{}}
	for i := range r.opts.Endpoints {
		e := &r.opts.Endpoints[i]
		if l.fetcher(e) != nil || confirmer(e) != nil {
			l.lanes[e.Name] = &lane{l: l, e: e, wake: make(chan struct{}, 1)}
		}
	}
	return l
}

// fetcher returns what fetches for an endpoint, nil if nothing does.
func (l *later) fetcher(e *Endpoint) connector.Fetcher {
	if f, ok := e.Hook.(connector.Fetcher); ok && l.r.opts.Calls != nil {
		return f
	}
	return nil
}

func confirmer(e *Endpoint) connector.Confirmer {
	c, _ := e.Hook.(connector.Confirmer)
	return c
}

// asks reports whether a body asks for a call, or for one that cannot be made, which its lane tells. The call is made in
// req, for nobody: its lane makes it again.
func (l *later) asks(req *connector.Request, e *Endpoint, body []byte) (yes bool) {
	if l.lanes[e.Name] == nil {
		return false
	}
	defer func() {
		if recover() != nil { // it must not keep the request from being stored: the lane tells of it
			yes = true
		}
	}()
	if f := l.fetcher(e); f != nil {
		if asked, err := f.AppendFetch(req, body); asked || err != nil {
			return true
		}
	}
	if c := confirmer(e); c != nil {
		asked, err := c.AppendConfirm(req, body, l.r.opts.Clock())
		return asked || err != nil
	}
	return false
}

// wake tells an endpoint's lane that something came onto the list. What it is not told of it finds within sweepEvery.
func (l *later) wake(endpoint string) {
	if n := l.lanes[endpoint]; n != nil {
		select {
		case n.wake <- struct{}{}:
		default:
		}
	}
}

func (l *later) wakeAll() {
	for name := range l.lanes {
		l.wake(name)
	}
}

// run makes calls until ctx is cancelled, beginning with those that the process before had left.
func (l *later) run(ctx context.Context) {
	l.giveUp(ctx)
	var work sync.WaitGroup
	for _, n := range l.lanes {
		work.Go(func() { n.run(ctx) })
	}
	work.Go(func() { l.keep(ctx) })
	work.Wait()
	l.flush(context.WithoutCancel(ctx))
}

// keep writes down, now and then, what is done and what is given up.
func (l *later) keep(ctx context.Context) {
	flush, sweep := time.NewTicker(flushEvery), time.NewTicker(sweepEvery)
	defer flush.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-flush.C:
			l.flush(ctx)
		case <-sweep.C:
			l.giveUp(ctx)
			l.wakeAll()
		}
	}
}

// giveUp ends what is too old, also of endpoints that are there no longer. The inbox logs its own faults.
func (l *later) giveUp(ctx context.Context) {
	g, err := l.r.box.GiveUp(ctx, l.r.opts.Clock().Add(-giveUpAfter))
	if err != nil || g.Records+g.Damaged == 0 {
		return
	}
	l.r.metrics.calls.WithLabelValues(anyCall, "given_up").Add(float64(g.Records + g.Damaged))
	l.r.opts.Log.Error("calls that requests ask for did not come through in a day and are not made any more; `sluice inbox replay` has them made again",
		"requests", g.Records, "first", g.First, "last", g.Last, "damaged", g.Damaged)
}

// closed remembers that a record needs no call any more.
func (l *later) closed(seq int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done[seq] = true
}

// unflushed returns what is done and may still be on the list.
func (l *later) unflushed() map[int64]bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.done)
}

// flush takes what is done off the list. What cannot be taken off now is so the next time.
func (l *later) flush(ctx context.Context) {
	seqs := slices.Sorted(maps.Keys(l.unflushed()))
	if len(seqs) == 0 || l.r.box.Done(ctx, seqs) != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, seq := range seqs {
		delete(l.done, seq)
	}
}
