package socialepoch

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/restapi"
	"github.com/sluicehq/sluice/internal/rows"
)

// Sends for causes that rarely mend themselves.
const (
	triesClock      = 2
	triesAttachment = 2
)

// batch is the rows that an answer speaks of.
type batch struct {
	codec *codec
	rec   arrow.Record
}

// whole reports whether the request must not be cut.
func (b *batch) whole() bool { return b.codec != nil && b.codec.mode.Whole }

func (b *batch) size() int {
	if b.rec == nil {
		return 0
	}
	return int(b.rec.NumRows())
}

// byNumber lists the rows of each number of the failures, in order.
func (b *batch) byNumber(failed []failure) map[string][]int {
	found := make(map[string][]int, len(failed))
	for _, f := range failed {
		if f.phone != "" {
			found[digits(f.phone)] = nil
		}
	}
	if len(found) == 0 {
		return found
	}
	base, from := rows.Base(b.rec)
	for row := range b.size() {
		number := digits(b.codec.number(base, from+row))
		if list, wanted := found[number]; wanted {
			found[number] = append(list, row)
		}
	}
	for number, list := range found {
		if list == nil {
			delete(found, number)
		}
	}
	return found
}

// outcome reads one answer. The vendor's code speaks first, whatever the status; a status other than 2xx speaks where
// there is no code, or where the code claims success.
func outcome(resp *connector.Response, b *batch) (connector.Outcome, error) {
	r, ok := readReply(resp.Body)
	success := restapi.Succeeded(resp.Status)
	switch {
	case ok && success && r.code == codeOK:
		return b.byReport(&r), nil
	case ok && r.code != codeOK:
		return b.byCode(&r, resp), nil
	case !success:
		return restapi.ByStatus(resp), nil
	}
	return connector.Outcome{}, fmt.Errorf("socialepoch: answer is not the vendor's JSON: %s", restapi.Glimpse(resp.Status, resp.Body))
}

// byCode reads an answer whose own code is no success. The page of the vendor lists the codes of contacts without saying
// where they stand, so they are taken here too: of one row as that row's, of several as nobody knows whose.
func (b *batch) byCode(r *reply, resp *connector.Response) connector.Outcome {
	o := connector.Outcome{Verdict: connector.VerdictSuspect, Code: strconv.FormatInt(r.code, 10), Message: restapi.Clip(r.message)}
	switch {
	case r.code == codeParameter && aboutTime(r.message):
		o.Verdict, o.Tries = connector.VerdictRetry, triesClock
		o.Clock, _ = http.ParseTime(resp.Header.Get("Date")) // zero where the answer has none: a fresh token may do
		return o
	case r.code == codeParameter || restapi.Barred(resp.Status):
		o.Verdict, o.Stop = connector.VerdictRetry, connector.KindConfig // nothing is wrong with the rows
		return o
	case r.code == codeFailed || resp.Status == http.StatusTooManyRequests || resp.Status >= 500:
		o.Verdict, o.RetryAfter = connector.VerdictRetry, restapi.RetryAfter(resp.Header)
		o.Throttled = resp.Status == http.StatusTooManyRequests || r.code == codeFailed && aboutPace(r.message)
		return o
	case len(r.data.failed) > 0: // it names rows all the same
		return b.byReport(r)
	case r.code == codeProcessing:
		// The rows wait, each by itself: the endpoint takes others meanwhile.
		s := newSorter(b)
		for row := range b.size() {
			s.blame(row, failure{code: o.Code, number: r.code, info: r.message})
		}
		return s.outcome(connector.Outcome{Code: o.Code, Message: o.Message, Verdict: connector.VerdictRetry})
	case b.size() == 1:
		s := newSorter(b)
		s.blame(0, failure{code: o.Code, number: r.code, info: r.message})
		return s.outcome(o)
	}
	return o
}

// aboutPace reports whether the vendor wants fewer calls. It limits them, and shows nowhere how it says so.
func aboutPace(message string) bool {
	return mentions(message, "limit", "too many", "too frequent", "too fast", "频繁", "限流", "超过限制")
}

// aboutTime reports whether the vendor blames the timestamp of the token.
func aboutTime(message string) bool {
	return mentions(message, "timestamp", "expire", "time out", "时间", "过期")
}

// mentions reports whether the message holds one of the words, without regard to case.
func mentions(message string, words ...string) bool {
	message = strings.ToLower(message)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(message, word) })
}

// byReport reads what the answer says of single contacts. Counts and lists need not agree; a row counts as delivered only
// where both leave no doubt about it.
func (b *batch) byReport(r *reply) connector.Outcome {
	n, data := b.size(), &r.data
	s := newSorter(b)
	left := b.byNumber(data.failed) // rows without a failure yet
	times := map[string]int{}       // failures of each number
	for _, f := range data.failed {
		times[digits(f.phone)]++
	}
	doubted := map[string]bool{}
	for number, at := range left {
		if times[number] < len(at) { // some of them failed: the same number at several agents
			for _, row := range at {
				s.doubt(row)
			}
			left[number], doubted[number] = nil, true
		}
	}
	attributed, repeats := 0, 0
	var loose []failure // of rows that are not named
	for _, f := range data.failed {
		at, known := left[digits(f.phone)]
		switch {
		case f.phone == "" || !known:
			loose = append(loose, f)
		case len(at) > 0:
			s.blame(at[0], f)
			left[digits(f.phone)] = at[1:]
			attributed++
		case doubted[digits(f.phone)]:
			attributed++
		default: // a second fault of a row
			attributed++
			repeats++
		}
	}
	bad := max(data.failures, int64(len(data.failed)))
	rest := connector.Outcome{Code: strconv.Itoa(codeOK), Message: restapi.Clip(r.message)}
	switch {
	case bad == int64(attributed) && data.accountsFor(int64(n), bad-int64(repeats)) && r.code == codeOK:
		return s.outcome(rest)
	case int(bad) == attributed+len(loose) && int(bad) == n || n == 1 && len(loose) > 0:
		// Every row is listed, if not by its number: they stand in the order of the request.
		for row := range n {
			if !s.judged(row) && len(loose) > 0 {
				s.blame(row, loose[0])
				loose = loose[1:]
			}
		}
	}
	rest.Verdict = connector.VerdictSuspect
	rest.Code, rest.Message = causeOf(r, loose)
	if b.whole() {
		rest.Message = strings.TrimSpace(fmt.Sprintf("%s (%d of %d contacts of this request failed and the answer does not say which; it cannot be sent in parts)", rest.Message, bad, n))
	}
	return s.outcome(rest)
}

// accountsFor reports whether the counts cover all rows. Whether contacts that could not be followed are part of the
// successes is not documented, so either will do.
func (r *report) accountsFor(n, bad int64) bool {
	return r.successes+bad >= n || r.successes+r.notFollowed+bad == n
}

// causeOf is the code of rows that nobody can tell from one another: the one that all failures without a row have.
func causeOf(r *reply, loose []failure) (code, message string) {
	code, message = codePartial, strings.TrimSpace(r.message+" "+r.data.text)
	if r.code != codeOK {
		code = strconv.FormatInt(r.code, 10)
	}
	for i, f := range loose {
		if i > 0 && f.code != loose[0].code {
			return codePartial, restapi.Clip(message)
		}
	}
	if len(loose) > 0 && loose[0].code != "" {
		code, message = loose[0].code, loose[0].info
	}
	return code, restapi.Clip(message)
}

// sorter collects verdicts on rows.
type sorter struct {
	whole   bool                  // the request must not be cut
	results []connector.RowResult // by row
	has     []bool
}

func newSorter(b *batch) *sorter {
	return &sorter{whole: b.whole(), results: make([]connector.RowResult, b.size()), has: make([]bool, b.size())}
}

func (s *sorter) judged(row int) bool { return s.has[row] }

// doubt says that the row may have failed.
func (s *sorter) doubt(row int) {
	s.has[row] = true
	s.results[row] = connector.RowResult{Row: row, Verdict: connector.VerdictSuspect, Code: codePartial, Message: "another contact of this number failed, or this one"}
}

// blame gives a failure to a row.
func (s *sorter) blame(row int, f failure) {
	r := connector.RowResult{Row: row, Verdict: connector.VerdictRejected, Code: f.code, Message: restapi.Clip(f.info)}
	switch f.number {
	case codeProcessing:
		r.Verdict, r.RetryAfter = connector.VerdictRetry, lockFor
	case codeFailed, codeAttachment:
		r.Verdict = connector.VerdictRetry
	case codeTooMany, codeOK, codeParameter:
		r.Verdict = connector.VerdictSuspect // not about a row: it passes in a smaller request, or is rejected alone
	}
	if f.code == "" {
		r.Code = codePartial
	}
	s.has[row], s.results[row] = true, r
}

// outcome lists the verdicts; rest is that of the other rows. An attachment that could not be fetched is tried once more.
// That bound would hold for all rows of the outcome, so where others wait for their lock, such rows are sent by
// themselves; in a request that must not be cut they are tried once more beside those others.
func (s *sorter) outcome(rest connector.Outcome) connector.Outcome {
	attachment, other := false, rest.Verdict == connector.VerdictRetry
	for row, r := range s.results {
		if s.has[row] && r.Verdict == connector.VerdictRetry {
			isAttachment := r.Code == strconv.Itoa(codeAttachment)
			attachment, other = attachment || isAttachment, other || !isAttachment
		}
	}
	if attachment && !other {
		rest.Tries = triesAttachment
	}
	for row, r := range s.results {
		if !s.has[row] {
			continue
		}
		if attachment && other && !s.whole && r.Code == strconv.Itoa(codeAttachment) {
			r.Verdict = connector.VerdictSuspect
		}
		rest.Rows = append(rest.Rows, r)
	}
	return rest
}
