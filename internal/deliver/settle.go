package deliver

import (
	"log/slog"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// clockTries is how often a request is sent for the vendor's clock's sake, where the codec does not say.
const clockTries = 3

// settle turns a reading into what becomes of each row. Under the lock; the call's slot is already free.
func (w *Writer) settle(c *call, r reading) {
	now, l := time.Now(), c.lane
	for _, x := range c.rows {
		x.sends++
	}
	if r.Stop != connector.KindNone {
		w.fail(stopError(&r))
		return
	}
	if !listedInOrder(r.Rows, len(c.rows)) {
		w.fail(connector.Internalf("Report this", "the codec gave verdicts on rows that are not in the request, or not in order"))
		return
	}
	asked := r.RetryAfter
	if r.Verdict == connector.VerdictPending && !r.Throttled {
		r.RetryAfter = 0 // it says when the verdict may be asked for
	}
	free := w.endpoint(c, &r, now)
	if !r.Clock.IsZero() {
		w.learnClock(r.Clock.Sub(now))
	}
	s := sorting{call: c, reading: &r, now: now, free: free, floor: asked}
	for i, x := range c.rows {
		res := connector.RowResult{Row: i, Verdict: r.Verdict, Code: r.Code, Message: r.Message}
		if s.named = s.listed < len(r.Rows) && r.Rows[s.listed].Row == i; s.named {
			res = r.Rows[s.listed]
			s.listed++
		}
		if res.RequestID == "" {
			res.RequestID = r.RequestID
		}
		w.sort(&s, x, res)
	}
	w.conclude(&s)
	if l.convicted() {
		w.fail(l.doubt.verdict())
	}
}

// listedInOrder checks a codec's list before any row is settled by it: a verdict on the wrong row is a row lost.
func listedInOrder(listed []connector.RowResult, rows int) bool {
	last := -1
	for i := range listed {
		if listed[i].Row <= last || listed[i].Row >= rows {
			return false
		}
		last = listed[i].Row
	}
	return true
}

// stopError is the error of an answer that says that the cause is not in the rows.
func stopError(r *reading) error {
	if r.cause != nil {
		return r.cause
	}
	fix := "Try again later"
	if r.Stop == connector.KindConfig {
		fix = "Look up what the code means, then mend the configuration"
	}
	return &connector.Error{
		Kind: r.Stop, What: "the CRM refuses the call, whatever its rows", Fix: fix,
		Err: &CodeError{Code: r.Code, Message: r.Message, RequestID: r.RequestID},
	}
}

// endpoint tells the governor what the call says of it. It returns whether the call costs its rows no send.
func (w *Writer) endpoint(c *call, r *reading, now time.Time) (free bool) {
	switch r.signal {
	case signalThrottle:
		w.stats.Throttled++
	case signalLost, signalGarbled:
		w.stats.Lost++
	}
	free, err := c.gov.hear(r, c.began, now, &w.conf)
	if err != nil {
		w.fail(err)
	}
	return free
}

// why is what kept a call from being taken.
func (r *reading) why() error {
	if r.cause != nil {
		return r.cause
	}
	return &CodeError{Code: r.Code, Message: r.Message, RequestID: r.RequestID}
}

// learnClock keeps the difference between the vendor's clock and ours for every later signature.
func (w *Writer) learnClock(skew time.Duration) {
	old := time.Duration(w.skew.Swap(int64(skew)))
	if d := skew - old; d > time.Second || d < -time.Second {
		w.conf.Log.Warn("this machine's clock differs from the CRM's; signatures use the CRM's", slog.Duration("difference", skew))
	}
}
