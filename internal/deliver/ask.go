package deliver

import (
	"slices"
	"time"

	"github.com/sluicehq/sluice/connector"
)

const (
	pollFirst   = time.Second
	pollMost    = 30 * time.Second
	lookUpsMost = 6 // answered look-ups before "not there" counts, or a row stays in doubt for good
)

// ask is a set of rows, their keys held, whose verdict is asked for: the answer to their request said that it comes
// later, or the answer was lost, or an earlier run may have sent them.
type ask struct {
	rows    []*row
	token   string    // "": the first step of a look-up
	look    bool      // it began as a look-up, whatever step it is at
	at      time.Time // not before
	gov     *governor // nil: the codec has not named the endpoint yet
	since   time.Time // begin of the wait that Config.PollLimit bounds; zero: there is none
	round   int       // waits so far
	looks   int       // look-ups, each answered to its last step, that did not settle the rows
	steps   int       // tokens followed since the last row was settled
	mark    string    // one of these; a token that comes again shows that the steps go in a circle
	circles bool      // they do
	turns   int       // times that a poll by token left nothing but a look-up
	clocks  int       // polls that ended with the vendor calling our clock wrong
	resumed bool      // not sent in this run
	free    bool      // the send whose answer was lost costs none of the rows' sends
}

// pollWait is the wait before the poll that follows n others.
func pollWait(n int) time.Duration {
	if n >= 5 {
		return pollMost
	}
	return min(pollFirst<<n, pollMost)
}

// postpone sets the time of the next poll. Look-ups are put on a grid, so that rows which were asked for one by one can
// be asked for together.
func (w *Writer) postpone(a *ask, now time.Time, floor time.Duration) {
	wait := pollWait(a.round)
	a.round++
	a.at = now.Add(atLeast(wait, floor))
	if a.token == "" {
		grid := wait / 8
		a.at = w.opened.Add((a.at.Sub(w.opened) + grid - 1) / grid * grid)
	}
}

// expect queues an ask; look-ups of one time and history are one.
func (l *lane) expect(a *ask) {
	if len(a.rows) == 0 {
		return
	}
	for _, e := range l.asks {
		if e.joins(a) {
			e.rows = append(e.rows, a.rows...)
			slices.SortFunc(e.rows, func(x, y *row) int {
				if x.before(y) {
					return -1
				}
				return 1
			})
			return
		}
	}
	l.asks = append(l.asks, a)
}

func (a *ask) joins(b *ask) bool {
	return a.token == "" && b.token == "" && a.at.Equal(b.at) && a.since.IsZero() && b.since.IsZero() && a.gov == b.gov &&
		a.round == b.round && a.looks == b.looks && a.turns == b.turns && a.clocks == b.clocks && a.resumed == b.resumed && a.free == b.free &&
		a.look == b.look
}

// follow takes a step. The token of every step whose number is a power of two is kept to compare with, so that a circle
// of any length is found within three rounds.
func (a *ask) follow(token string) {
	a.token, a.gov = token, nil
	if a.steps++; token == a.mark {
		a.circles = true
	}
	if a.steps&(a.steps-1) == 0 {
		a.mark = token
	}
}

// with is the same ask for some of its rows.
func (a *ask) with(rows []*row) *ask {
	b := *a
	b.rows = rows
	return &b
}

// where is the endpoint of an ask as far as it is known: look-ups all go to where the last one went.
func (l *lane) where(a *ask) *governor {
	if a.gov == nil && a.token == "" {
		return l.lookGov
	}
	return a.gov
}

// pickAsk makes the next poll that may go now, nil if there is none. Under the lock.
func (w *Writer) pickAsk(now time.Time) *call {
	var (
		best *ask
		from *lane
	)
	for _, l := range w.lanes {
		for _, a := range l.asks {
			if now.Before(a.at) {
				w.later(a.at)
				continue
			}
			if g := l.where(a); g != nil {
				if ok, wake := g.ready(now); !ok {
					w.later(wake)
					continue
				}
			} else if a.token == "" && l.lookLearning {
				continue
			}
			if best == nil || a.at.Before(best.at) {
				best, from = a, l
			}
		}
	}
	if best == nil {
		return nil
	}
	c := w.newCall(from)
	c.ask = from.cutAsk(best)
	c.rows = append(c.rows, c.ask.rows...)
	if c.gov = from.where(c.ask); c.gov != nil {
		c.gov.take(now)
	} else if c.ask.token == "" {
		from.lookLearning = true
	}
	return c
}

// cutAsk takes as much of an ask as one poll may hold. A token names a request, so its rows stay together: cut up, each
// part would fetch the same answer.
func (l *lane) cutAsk(a *ask) *ask {
	n := l.limits.PollRows
	if n <= 0 {
		n = l.limits.Rows
	}
	if a.token == "" && len(a.rows) > n {
		part := a.with(a.rows[:n:n])
		a.rows = a.rows[n:]
		return part
	}
	l.asks = slices.DeleteFunc(l.asks, func(e *ask) bool { return e == a })
	return a
}

// admitAsk moves a poll to the endpoint that the codec named. False: it must not be sent now. Under the lock.
func (w *Writer) admitAsk(c *call) bool {
	l, a := c.lane, c.ask
	if c.gov == nil && a.token == "" {
		l.lookLearning = false
	}
	for _, f := range c.refused {
		if !a.resumed {
			f.res.Code = connector.CodeAmbiguous // it was sent, and there is no way to learn what became of it
		}
		w.refuse(f.row, f.res)
	}
	if c.err != nil {
		w.fail(c.err)
	}
	if w.err != nil || len(c.rows) == 0 {
		return false
	}
	g := w.governor(c.req.Endpoint)
	unknown := c.gov == nil
	a.gov = g
	if a.token == "" {
		l.lookGov = g
	}
	if g != c.gov {
		if c.gov != nil {
			c.gov.release()
		}
		c.gov = nil
		now := time.Now()
		if ok, _ := g.ready(now); !ok {
			l.expect(a.with(slices.Clone(c.rows)))
			return false
		}
		g.take(now)
		c.gov = g
	}
	w.stats.Polls++
	if unknown {
		w.pump(false)
	}
	return true
}

// mark notes that the first rows of the run may have been sent by an earlier one. Under the lock.
func (w *Writer) mark(l *lane, b *batch) {
	if l.poller == nil || l.limits.Idempotent || w.lookFirst <= 0 {
		return
	}
	l.marked = true
	n := min(w.lookFirst, len(b.rows))
	w.lookFirst -= n
	for i := range n {
		b.rows[i].look = true
	}
}

// lookUpFirst takes the rows out that must be looked up before they are sent. Under the lock.
func (w *Writer) lookUpFirst(l *lane, rows []*row, now time.Time) []*row {
	a := &ask{resumed: true, look: true}
	kept := rows[:0]
	for _, r := range rows {
		if r.look {
			a.rows = append(a.rows, r)
			r.look = false
		} else {
			kept = append(kept, r)
		}
	}
	// Not at once: more rows come with these, and a search costs the same for one row as for all.
	w.postpone(a, now, 0)
	l.expect(a)
	return kept
}
