package deliver

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/sluicehq/sluice/connector"
)

const (
	doubtRequests = 3  // whole requests in a row that are bad with one code
	doubtRows     = 32 // rows of them that must be known to be bad
	doubtSpread   = 8  // of these, as many from each of the requests in question, or all it has
)

// doubt is a lane's suspicion that the configuration is wrong and not the rows. It begins with a whole request that is
// bad and ends with the first row delivered. A suspect request is set aside while others can be tried, since one that
// passes clears the configuration for the price of one call. Once three are bad with one code, the lane cuts no more,
// and rows from all over the first three are sent alone, one of each request at a time. The first good one ends the
// doubt, and the requests set aside are bisected; if every one is bad, the run stops.
//
// Nothing is ever rejected here but a row that was sent alone. Bisecting every request that a wrong configuration
// spoils would take two calls a row; this takes 35.
type doubt struct {
	code, message string
	requests      int // whole requests answered bad since the last delivered row
	proven        int // rows of them known to be bad: named by the vendor, or sent alone
	aside         []*suspect
}

// suspect is a request of which at least one row is bad, set aside.
type suspect struct {
	rows   []*row    // those not sent alone yet
	at     time.Time // when its halves may be sent
	proven int       // of its rows, those sent alone and found bad
	alone  int       // of its rows, those being sent alone
}

// badRequest notes a whole request that was answered bad with one code. proven of its rows are known to be.
func (l *lane) badRequest(code, message string, proven int) {
	d := &l.doubt
	if d.requests > 0 && d.code != code {
		l.trust()
	}
	d.code, d.message = code, message
	d.requests++
	d.proven += proven
}

// badRow notes a row that was sent alone and found bad.
func (l *lane) badRow(code string, from *suspect) {
	if from != nil {
		from.proven++
	}
	if d := &l.doubt; d.requests > 0 && d.code == code {
		d.proven++
	} else {
		l.trust()
	}
}

// trust ends the doubt: a row was delivered, or the codes differ. What was set aside is bisected.
func (l *lane) trust() {
	l.release()
	l.doubt = doubt{}
}

// release makes units of the requests set aside, without ending the doubt.
func (l *lane) release() {
	for _, s := range l.doubt.aside {
		switch {
		case len(s.rows) == 0:
		case s.proven+s.alone > 0:
			// The rows sent alone may have been the bad ones: the rest may well be good as a whole.
			l.units = append(l.units, &unit{rows: s.rows, at: s.at, part: true, split: true})
		default:
			l.halve(s.rows, s.at)
		}
	}
	l.doubt.aside = nil
}

// halve makes two units of the rows of a suspect.
func (l *lane) halve(rows []*row, at time.Time) {
	half := (len(rows) + 1) / 2
	l.units = append(l.units, &unit{rows: rows[:half:half], at: at, part: true, split: true})
	if half < len(rows) {
		l.units = append(l.units, &unit{rows: rows[half:], at: at, part: true, split: true})
	}
}

// inDoubt tells whether the lane must not cut: enough requests are bad, and rows of them are being sent alone. A
// request that has no row left to send is no longer in question.
func (l *lane) inDoubt() bool {
	d := &l.doubt
	d.aside = slices.DeleteFunc(d.aside, func(s *suspect) bool { return len(s.rows) == 0 && s.alone == 0 })
	return d.requests >= doubtRequests && len(d.aside) > 0
}

// sample takes a row to send alone, from where none was taken yet. At most one row of a request is out at a time: the
// first good one ends the doubt, and every further one would be a call too many.
func (l *lane) sample() *unit {
	if !l.inDoubt() {
		return nil
	}
	var from *suspect
	for _, s := range l.doubt.questioned() {
		if s.alone == 0 && len(s.rows) > 0 && (from == nil || s.proven < from.proven) {
			from = s
		}
	}
	if from == nil {
		return nil
	}
	// Steps of the golden ratio spread over the request evenly, however many are taken.
	const golden = 0.6180339887498949
	_, x := math.Modf(float64(from.proven) * golden)
	at := int(x * float64(len(from.rows)))
	r := from.rows[at]
	from.rows = append(append(make([]*row, 0, len(from.rows)-1), from.rows[:at]...), from.rows[at+1:]...)
	from.alone++
	return &unit{rows: []*row{r}, part: true, probe: from}
}

// questioned are the requests that rows are sent alone of.
func (d *doubt) questioned() []*suspect { return d.aside[:min(len(d.aside), doubtRequests)] }

// convicted tells whether the evidence is enough to stop the run.
func (l *lane) convicted() bool {
	d := &l.doubt
	if d.requests < doubtRequests || d.proven < doubtRows {
		return false
	}
	for _, s := range d.questioned() {
		if s.proven < min(doubtSpread, s.proven+s.alone+len(s.rows)) {
			return false
		}
	}
	return true
}

// verdict is the error that ends the run.
func (d *doubt) verdict() error {
	return &connector.Error{
		Kind: connector.KindConfig,
		What: fmt.Sprintf("the CRM refuses everything: %d requests in a row and all %d rows of them that were looked at have the same fault, so it is the configuration and not the rows",
			d.requests, d.proven),
		Fix: "Look up what the code means, then mend the mapping or the CRM's settings; `sluice explain` shows what a row becomes",
		Err: &CodeError{Code: d.code, Message: d.message},
	}
}
