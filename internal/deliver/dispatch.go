package deliver

import (
	"fmt"
	"slices"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// tick is what the timer calls when there was only time to wait for.
func (w *Writer) tick() {
	w.mu.Lock()
	w.armed = time.Time{}
	w.pump(false)
	w.unlock()
}

// pump starts every request that may start now. With self, the first is returned for the caller's goroutine to carry
// instead of a new one. Under the lock.
func (w *Writer) pump(self bool) (mine *call) {
	if w.err == nil && w.ctx.Err() != nil {
		w.err = w.ctx.Err()
	}
	if w.err != nil {
		w.abandon()
		return nil
	}
	now := time.Now()
	for w.asleep.len() > 0 && !now.Before(w.asleep.rows[0].wake) {
		r := w.asleep.pop()
		r.batch.lane.back(r)
	}
	for {
		w.wake = time.Time{}
		c := w.next(now)
		if c == nil {
			break
		}
		w.inFlight++
		if self && mine == nil {
			mine = c
		} else {
			go w.carry(c)
		}
	}
	if w.asleep.len() > 0 {
		w.later(w.asleep.rows[0].wake)
	}
	if !w.wake.IsZero() && !w.wake.Equal(w.armed) {
		w.armed = w.wake
		w.timer.Reset(w.wake.Sub(now))
	}
	return mine
}

// later notes a time at which to look again.
func (w *Writer) later(t time.Time) {
	if !t.IsZero() && (w.wake.IsZero() || t.Before(w.wake)) {
		w.wake = t
	}
}

// next makes the next call. Verdicts go before requests: they free rows, and those that wait for them.
func (w *Writer) next(now time.Time) *call {
	for {
		if c := w.pickAsk(now); c != nil {
			return c
		}
		if c, again := w.pick(now); !again {
			return c
		}
	}
}

// pick makes the next request: of all lanes whose endpoint has a slot, from the one with the oldest row. again: there
// was one, and all its rows must be looked up first. Under the lock.
func (w *Writer) pick(now time.Time) (c *call, again bool) {
	var (
		best  *lane
		first *row
		from  *unit
	)
	for _, l := range w.lanes {
		if l.gov == nil {
			if l.learning {
				continue
			}
		} else if ok, wake := l.gov.ready(now); !ok {
			if !wake.IsZero() && l.waiting() {
				w.later(wake)
			}
			continue
		}
		r, u := w.offer(l, now)
		if r != nil && (first == nil || r.before(first)) {
			best, first, from = l, r, u
		}
	}
	if best == nil {
		return nil, false
	}
	c = w.newCall(best)
	if from != nil {
		best.drop(from)
		c.rows, c.unit, c.part = append(c.rows, from.rows...), true, from.part
		c.clocks, c.probe, c.learns = from.clocks, from.probe, from.learns
	} else {
		c.rows = best.cut(c.rows, best.capacity())
		if best.marked {
			if c.rows = w.lookUpFirst(best, c.rows, now); len(c.rows) == 0 {
				w.free(c)
				return nil, true
			}
		}
	}
	if best.gov == nil {
		best.learning = true
	} else {
		c.gov = best.gov
		c.gov.take(now)
	}
	return c, false
}

// waiting tells whether the lane has anything that may go once its endpoint does.
func (l *lane) waiting() bool {
	return len(l.units) > 0 || len(l.doubt.aside) > 0 || l.ready.len() > 0 || l.free > 0
}

// offer is what the lane would send now: its first row, and the unit it is in if it is not to be cut from the queue.
func (w *Writer) offer(l *lane, now time.Time) (*row, *unit) {
	u, wake := l.due(now)
	if u != nil {
		return u.rows[0], u
	}
	w.later(wake)
	if l.inDoubt() {
		if u := l.sample(); u != nil {
			l.units = append(l.units, u)
			return u.rows[0], u
		}
		return nil, nil
	}
	if r := l.first(); r != nil {
		full := l.ready.len()+l.free >= l.capacity() || w.closing
		due := r.batch.at.Add(w.conf.Linger)
		if full || !now.Before(due) {
			return r, nil
		}
		w.later(due)
	}
	if len(l.doubt.aside) > 0 {
		// Nothing else can tell whether the configuration is at fault, so the suspects must.
		l.release()
		return w.offer(l, now)
	}
	return nil, nil
}

// fail ends the run: nothing more is cut, calls in flight may still settle their rows, then every open batch is answered
// with the error. Under the lock.
func (w *Writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
	w.abandon()
}

// abandon answers all open batches with the error that ended the run, once no call is under way.
func (w *Writer) abandon() {
	if w.inFlight > 0 {
		return
	}
	for b := w.open; b != nil; b = b.nextOpen {
		w.answered = append(w.answered, b)
	}
	w.open, w.lanes, w.asleep.rows = nil, nil, nil
	w.people = newPeople(0)
}

// terminal takes a row out of everything. Under the lock.
func (w *Writer) terminal(r *row) {
	r.state = rowDone
	b := r.batch
	remember := b.lane.limits.Duplicates != connector.DuplicatesReject
	next := w.people.leave(r, remember)
	if b.left--; b.left == 0 {
		w.close(b)
	}
	if next == nil {
		return
	}
	if first, ok := next.batch.repeats[next.at]; ok {
		w.refuse(next, connector.RowResult{Code: connector.CodeDuplicate, Message: "shares an identifier with " + first + ", which came first"})
		return
	}
	next.batch.lane.freed(next)
}

// close takes a batch of which every row is terminal off the list. Under the lock.
func (w *Writer) close(b *batch) {
	if b.prev != nil {
		b.prev.nextOpen = b.nextOpen
	} else {
		w.open = b.nextOpen
	}
	if b.nextOpen != nil {
		b.nextOpen.prev = b.prev
	}
	w.answered = append(w.answered, b)
	if b.turn != nil {
		if next := w.people.leave(b.turn, false); next != nil {
			next.batch.lane.freed(next)
		}
	}
}

// claim notes, of the rows that wait behind one that the vendor has, or may have, which repeat it and must not be sent. They
// are refused in their turn: until then they keep those behind them waiting. Under the lock.
func (w *Writer) claim(r *row) {
	if r.next == nil || r.batch.lane.limits.Duplicates != connector.DuplicatesReject {
		return
	}
	w.same = r.batch.lane.codec.AppendKeys(w.same[:0], r.batch.rec, int(r.at))
	own := len(w.same)
	for n := r.next; n != nil; n = n.next {
		b := n.batch
		w.same = b.lane.codec.AppendKeys(w.same[:own], b.rec, int(n.at))
		if _, ok := b.repeats[n.at]; ok || !slices.ContainsFunc(w.same[own:], func(k uint64) bool { return slices.Contains(w.same[:own], k) }) {
			continue
		}
		if b.repeats == nil {
			b.repeats = make(map[int32]string)
		}
		b.repeats[n.at] = r.name()
	}
}

// refuse rejects a row with what is said of it; Attempts is filled in. Under the lock.
func (w *Writer) refuse(r *row, res connector.RowResult) {
	res.Row, res.Verdict, res.RetryAfter, res.Attempts = int(r.at), connector.VerdictRejected, 0, int(r.sends)
	r.batch.rejected = append(r.batch.rejected, res)
	w.stats.Rejected++
	prev := r.replaced()
	if res.Code == connector.CodeAmbiguous {
		w.claim(r)
	}
	w.terminal(r)
	if prev != nil {
		w.refuse(prev, connector.RowResult{Code: connector.CodeDuplicate, RequestID: res.RequestID, Message: fmt.Sprintf(
			"row %d of the same batch came later, was sent in its place and rejected with code %s", r.at+1, res.Code)})
	}
}
