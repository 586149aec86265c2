package deliver

import (
	"fmt"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// hearing is the walk over the rows of one answered poll.
type hearing struct {
	call    *call
	reading *reading
	now     time.Time
	silent  bool // the answer says nothing about rows that it does not list
	settled int
	wait    []*row // their verdict is not there yet
	step    []*row // as wait, and the next step is known
	look    []*row // to be looked up, again or for the first time
	floor   time.Duration
	spent   error
}

// hear turns the answer to a poll into what becomes of each row. Under the lock; the call's slot is already free.
func (w *Writer) hear(c *call, r reading) {
	if r.Stop != connector.KindNone {
		w.fail(stopError(&r))
		return
	}
	if !listedInOrder(r.Rows, len(c.rows)) {
		w.fail(connector.Internalf("Report this", "the codec gave verdicts on rows that are not in the poll, or not in order"))
		return
	}
	h := hearing{call: c, reading: &r, now: time.Now(), floor: r.RetryAfter}
	if r.signal == signalBusy {
		r.signal = signalAlive // what is a plea for patience in an answer to a request is news here
	}
	if h.silent = r.silent(); !h.silent && !r.Throttled {
		r.RetryAfter = 0 // the rows wait, not the endpoint
	}
	w.endpoint(c, &r, h.now)
	if !r.Clock.IsZero() {
		w.learnClock(r.Clock.Sub(h.now))
	}
	listed := r.Rows
	for i, x := range c.rows {
		res := connector.RowResult{Row: i, Verdict: r.Verdict, Code: r.Code, Message: r.Message}
		named := len(listed) > 0 && listed[0].Row == i
		if named {
			res, listed = listed[0], listed[1:]
		}
		if res.RequestID == "" {
			res.RequestID = r.RequestID
		}
		if h.silent && !named {
			h.wait = append(h.wait, x)
			continue
		}
		w.learn(&h, x, res)
	}
	w.goOn(&h)
}

// silent tells whether the answer to a poll is none: then its verdict is about the poll and not about the rows.
func (r *reading) silent() bool {
	switch {
	case r.cause != nil, !r.Clock.IsZero():
		return true
	case r.Verdict != connector.VerdictRetry:
		return false
	}
	return r.Throttled || r.status >= 500 || r.status == http.StatusRequestTimeout
}

// learn does to one row what the answer to its poll says. Under the lock.
func (w *Writer) learn(h *hearing, x *row, res connector.RowResult) {
	a := h.call.ask
	switch res.Verdict {
	case connector.VerdictDelivered:
		h.settled++
		w.stats.Rows++
		h.call.lane.trust()
		w.claim(x)
		w.terminal(x)
	case connector.VerdictRejected:
		h.settled++
		w.refuse(x, res)
	case connector.VerdictPending:
		h.floor = max(h.floor, res.RetryAfter)
		if token := h.reading.Token; token != "" && token != a.token && !a.circles {
			h.step = append(h.step, x)
		} else {
			h.wait = append(h.wait, x)
		}
	case connector.VerdictRetry:
		if a.look && a.looks+1 < w.lookUps {
			h.look = append(h.look, x) // what was accepted may not be in yet
			return
		}
		h.settled++
		w.sendAgain(h, x, res)
	default:
		if a.look && a.looks+1 >= w.lookUps || a.turns >= w.lookUps {
			h.settled++
			res.Code = connector.CodeAmbiguous
			if res.Message == "" {
				res.Message = "the reply was lost, and look-ups did not tell whether the row was taken"
			}
			w.refuse(x, res)
			return
		}
		h.look = append(h.look, x)
	}
}

// sendAgain puts a row that is known not to be there to the front.
func (w *Writer) sendAgain(h *hearing, x *row, res connector.RowResult) {
	if a := h.call.ask; !a.free && !a.resumed {
		if x.spent++; int(x.spent) >= w.conf.MaxAttempts && h.spent == nil {
			h.spent = outOfSends(x, &CodeError{Code: res.Code, Message: res.Message, RequestID: res.RequestID})
		}
	}
	if asked := max(res.RetryAfter, h.floor); asked > 0 {
		x.wake, x.state = h.now.Add(atLeast(0, asked)), rowAsleep
		w.asleep.push(x)
		return
	}
	h.call.lane.back(x)
}

// goOn does what concerns the rows of a poll together. Under the lock.
func (w *Writer) goOn(h *hearing) {
	l, a := h.call.lane, h.call.ask
	if h.spent != nil {
		w.fail(h.spent)
		return
	}
	if len(h.look) > 0 {
		next := &ask{rows: h.look, look: true, free: a.free, resumed: a.resumed, turns: a.turns}
		if a.look {
			next.looks = a.looks + 1
			next.round = max(next.looks, a.round)
		} else {
			next.turns++
		}
		w.postpone(next, h.now, h.floor)
		l.expect(next)
	}
	if h.settled > 0 {
		a.steps, a.mark, a.circles = 0, "", false
	}
	if len(h.step) > 0 {
		next := a.with(h.step)
		next.follow(h.reading.Token)
		next.round, next.clocks = 0, 0
		next.at = h.now.Add(atLeast(0, h.floor))
		next.since = h.now // however long the way is, each step on it is an answer
		l.expect(next)
	}
	if len(h.wait) > 0 {
		w.waitOn(h, a.with(h.wait))
	}
}

// begin starts the wait that Config.PollLimit bounds, unless it has begun.
func (a *ask) begin(now time.Time) {
	if a.since.IsZero() {
		a.since = now
	}
}

// waitOn asks again later, until the limit. Under the lock.
func (w *Writer) waitOn(h *hearing, a *ask) {
	if !h.reading.Clock.IsZero() {
		if a.clocks++; a.clocks >= clockTries {
			w.fail(clockError(h.reading))
			return
		}
		w.stats.Resigned++
		a.at = h.now
		h.call.lane.expect(a)
		return
	}
	if token := h.reading.Token; !h.silent && token != "" && token != a.token { // not at once
		a.follow(token)
	}
	a.clocks = 0
	a.begin(h.now)
	w.postpone(a, h.now, h.floor)
	if end := a.since.Add(w.conf.PollLimit); a.at.After(end) {
		if !h.now.Before(end) || h.now.Add(atLeast(0, h.floor)).After(end) {
			w.fail(w.overdue(h, a))
			return
		}
		a.at = end // once more before it is given up
	}
	h.call.lane.expect(a)
}

// overdue is the end of the run: the rows were taken, or may have been, and are neither delivered nor rejected.
func (w *Writer) overdue(h *hearing, a *ask) error {
	what := fmt.Sprintf("the CRM has not said within %s what became of %d rows that it was sent", w.conf.PollLimit, len(a.rows))
	if h.silent {
		what = fmt.Sprintf("the CRM could not be asked within %s what became of %d rows", w.conf.PollLimit, len(a.rows))
	}
	e := &connector.Error{Kind: connector.KindTransient, What: what,
		Fix: "Run again later, it goes on behind what is settled and looks these rows up before it sends them"}
	if r := h.reading; r.cause != nil || r.Code != "" || r.Message != "" {
		e.Err = r.why()
	}
	return e
}

// await begins to ask for the verdicts of rows of an answered request. Under the lock.
func (w *Writer) await(s *sorting) {
	l := s.call.lane
	if len(s.pending) > 0 {
		a := &ask{rows: s.pending, token: s.reading.Token}
		a.begin(s.now)
		w.postpone(a, s.now, s.floor)
		l.expect(a)
	}
	if len(s.lost) > 0 {
		a := &ask{rows: s.lost, free: s.free, look: true}
		w.postpone(a, s.now, 0)
		l.expect(a)
	}
}
