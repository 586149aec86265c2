package deliver

import (
	"fmt"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// sorting is the walk over the rows of one answered call.
type sorting struct {
	call    *call
	reading *reading
	now     time.Time
	free    bool // this send costs the rows none of theirs
	listed  int  // rows of reading.Rows used
	named   bool // the row at hand is one of them

	delivered, rejected int
	code, message       string // of the rejected
	mixed               bool   // the rejected have several codes
	suspects            []*row
	taken               []*row // delivered rows of a request that must not be cut
	again               []*row // go as a unit at againAt
	againAt             time.Time
	wait                time.Duration // the wait of rows that have none of their own; 0: not drawn yet
	spent               error         // rows are out of sends
	pending             []*row        // their verdict comes later
	lost                []*row        // nobody knows, and they can be looked up
	floor               time.Duration // the vendor's own wait
}

// sort does to one row what its verdict says. Under the lock.
func (w *Writer) sort(s *sorting, x *row, res connector.RowResult) {
	if s.call.lane.whole {
		w.sortWhole(s, x, res)
		return
	}
	switch res.Verdict {
	case connector.VerdictDelivered:
		s.delivered++
		w.stats.Rows++
		w.claim(x)
		w.terminal(x)
	case connector.VerdictRejected:
		w.reject(s, x, res)
	case connector.VerdictSuspect:
		s.suspects = append(s.suspects, x)
		s.see(res)
	case connector.VerdictRetry:
		w.retry(s, x, res)
	case connector.VerdictAmbiguous:
		if s.call.lane.poller != nil {
			s.lost = append(s.lost, x)
			return
		}
		res.Code = connector.CodeAmbiguous
		w.refuse(x, res)
	case connector.VerdictPending:
		if s.call.lane.poller != nil {
			s.pending = append(s.pending, x)
			s.floor = max(s.floor, res.RetryAfter)
			return
		}
		fallthrough
	default:
		w.fail(connector.Internalf("Report this",
			"the codec gave the verdict %q on a row, and nothing would ever settle it", res.Verdict))
	}
}

func (w *Writer) reject(s *sorting, x *row, res connector.RowResult) {
	s.see(res)
	s.rejected++
	w.refuse(x, res)
}

func (s *sorting) see(res connector.RowResult) {
	if s.code != "" && s.code != res.Code {
		s.mixed = true
	}
	s.code, s.message = res.Code, res.Message
}

// retry sends a row back: with the others of its unit, to the front of the queue, or to sleep until its own time.
func (w *Writer) retry(s *sorting, x *row, res connector.RowResult) {
	r, l := s.reading, s.call.lane
	if s.named && res.RetryAfter > 0 {
		l.locked(s.now)
	}
	if !r.Clock.IsZero() {
		s.again = append(s.again, x)
		return
	}
	if !s.free {
		x.spent++
		switch over := x.tried(res.Code, r.Tries); {
		case over && s.named:
			w.reject(s, x, res)
			return
		case over, int(x.spent) >= w.conf.MaxAttempts:
			s.outOf(x, r, res)
		}
	}
	wait := w.rowWait(s, x, res)
	switch at := s.now.Add(wait); {
	case s.call.unit && (res.RetryAfter == 0 || s.call.probe != nil), l.whole:
		s.again = append(s.again, x)
		if at.After(s.againAt) {
			s.againAt = at
		}
	case wait == 0:
		l.back(x)
	default:
		x.wake, x.state = at, rowAsleep
		w.asleep.push(x)
	}
}

// rowWait is how long the row waits by itself. Rows of one call wait alike, so that they can go together again.
func (w *Writer) rowWait(s *sorting, x *row, res connector.RowResult) time.Duration {
	switch {
	case res.RetryAfter > 0:
		return atLeast(newFullJitter().after(int(x.spent)), res.RetryAfter)
	case s.reading.RetryAfter > 0, s.reading.signal == signalThrottle, s.reading.signal == signalUnheard:
		return 0 // the endpoint waits
	case s.wait == 0:
		s.wait = max(newFullJitter().after(int(x.spent)), 1)
	}
	return s.wait
}

// tried counts sends in a row that ended with a cause of limited tries, and tells whether these are used up.
func (x *row) tried(code string, tries int) (over bool) {
	if tries <= 0 {
		x.cause, x.tries = "", 0
		return false
	}
	if x.cause != code {
		x.cause, x.tries = code, 0
	}
	x.tries++
	return int(x.tries) >= tries
}

// outOf is the end of the run: the vendor has had every chance to take the row. To reject it would make a person mend a
// row that has no fault.
func (s *sorting) outOf(x *row, r *reading, res connector.RowResult) {
	if s.spent != nil {
		return
	}
	cause := r.cause
	if cause == nil {
		cause = &CodeError{Code: res.Code, Message: res.Message, RequestID: res.RequestID}
	}
	s.spent = outOfSends(x, cause)
}

func outOfSends(x *row, cause error) error {
	return &connector.Error{
		Kind: connector.KindTransient, Err: cause,
		What: fmt.Sprintf("the CRM did not take a row in %d sends", x.sends),
		Fix:  "Run again later, it goes on behind what is settled",
	}
}

// conclude does what concerns the rows of a call together. Under the lock.
func (w *Writer) conclude(s *sorting) {
	c, l := s.call, s.call.lane
	if l.whole {
		w.concludeWhole(s)
		return
	}
	n := len(c.rows)
	if c.probe != nil && len(s.again) == 0 {
		c.probe.alone--
	}
	w.await(s)
	switch {
	case s.spent != nil:
		w.fail(s.spent)
	case len(s.again) > 0 && !s.reading.Clock.IsZero():
		w.resign(s)
	case len(s.again) > 0:
		l.units = append(l.units, &unit{rows: s.again, at: s.againAt, part: c.part, clocks: c.clocks, probe: c.probe, learns: c.learns})
		if len(s.suspects) == 0 && s.delivered == 0 && s.rejected == 0 && len(s.pending) == 0 && len(s.lost) == 0 {
			return // the unit as it was: nothing is known
		}
	}
	if c.learns {
		l.learned(s)
	}
	if s.delivered > 0 || len(s.pending) > 0 {
		l.trust()
	}
	at := l.splitAt(s.now)
	bad := s.rejected + len(s.suspects)
	switch whole := bad == n && !s.mixed && !c.part; {
	case bad == 0:
	case n == 1:
		w.alone(s)
	case len(s.suspects) == 1 && bad < n: // one left of a list: the vendor has told it from the others
		if l.wantsToLearn() {
			l.teach(s.suspects)
		} else {
			l.units = append(l.units, &unit{rows: s.suspects, at: at, part: true, split: true})
		}
	case whole && len(s.suspects) > 0:
		w.stats.Bisections++
		l.badRequest(s.code, s.message, s.rejected)
		l.doubt.aside = append(l.doubt.aside, &suspect{rows: l.learn(s.suspects), at: at})
	case whole:
		l.badRequest(s.code, s.message, n)
	case len(s.suspects) > 0:
		w.stats.Bisections++
		l.halve(l.learn(s.suspects), at)
	}
}

// alone is the end of a row that was sent by itself and found bad.
func (w *Writer) alone(s *sorting) {
	c, l := s.call, s.call.lane
	for _, x := range s.suspects {
		w.refuse(x, connector.RowResult{Code: s.code, Message: s.message, RequestID: s.reading.RequestID})
	}
	if c.part {
		l.badRow(s.code, c.probe)
	} else {
		l.badRequest(s.code, s.message, 1)
	}
}

// resign sends the rows again at once, signed by the vendor's clock.
func (w *Writer) resign(s *sorting) {
	c, tries := s.call, s.reading.Tries
	if tries <= 0 {
		tries = clockTries
	}
	if c.clocks+1 >= tries {
		w.fail(clockError(s.reading))
		return
	}
	w.stats.Resigned++
	c.lane.units = append(c.lane.units, &unit{rows: s.again, part: c.part, clocks: c.clocks + 1, probe: c.probe, learns: c.learns})
}

func clockError(r *reading) error {
	return &connector.Error{
		Kind: connector.KindConfig, Err: &CodeError{Code: r.Code, Message: r.Message, RequestID: r.RequestID},
		What: "the CRM calls this machine's clock wrong, also after it was corrected by what the CRM said the time is",
		Fix:  "Set this machine's clock (NTP)",
	}
}
