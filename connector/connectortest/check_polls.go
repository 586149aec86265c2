package connectortest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// mostPolls is how many polls may be needed until rows have their verdicts.
const mostPolls = 100

// follow polls until no row of an outcome is pending, as the delivery chain does, and returns what became of each row.
func (w *world) follow(c connector.Codec, rec arrow.Record, o connector.Outcome) connector.Outcome {
	w.b.report.Helper()
	p, polls := c.(connector.Poller)
	pending := func(r connector.RowResult) bool { return r.Verdict == connector.VerdictPending }
	if !polls || o.Verdict != connector.VerdictPending && !slices.ContainsFunc(o.Rows, pending) {
		return o
	}
	return w.walk(p, rec, o, o.Token, true)
}

// lookUp asks for the rows of a lost reply, to the last step of the look-up.
func (w *world) lookUp(p connector.Poller, rec arrow.Record) connector.Outcome {
	w.b.report.Helper()
	return w.walk(p, rec, w.poll(p, "", rec), "", false)
}

// walk takes step after step for the rows that are pending, from the outcome of the step with this token on. Where there
// is no next step, the same is taken again a second later, unless again is false: then there must be one. The outcome
// lists the rows that were not delivered.
func (w *world) walk(p connector.Poller, rec arrow.Record, o connector.Outcome, token string, again bool) connector.Outcome {
	w.b.report.Helper()
	all := connector.Outcome{RequestID: o.RequestID}
	open := span(0, int32(rec.NumRows()))
	for range mostPolls {
		var left []int32
		for i, row := range open {
			r := connector.RowResult{Verdict: o.Verdict, Code: o.Code, Message: o.Message}
			if at := slices.IndexFunc(o.Rows, func(r connector.RowResult) bool { return r.Row == i }); at >= 0 {
				r = o.Rows[at]
			}
			r.Row = int(row)
			switch {
			case r.Verdict == connector.VerdictPending && o.Stop == connector.KindNone:
				left = append(left, row)
			case r.Verdict != connector.VerdictDelivered:
				all.Rows = append(all.Rows, r)
			}
		}
		if open = left; len(open) == 0 {
			slices.SortFunc(all.Rows, func(x, y connector.RowResult) int { return cmp.Compare(x.Row, y.Row) })
			all.Stop = o.Stop
			return all
		}
		switch {
		case o.Token != "" && o.Token != token:
			token = o.Token
		case !again:
			w.b.fatalf("a look-up leaves %d rows pending and names no next step", len(open))
		default:
			w.now = w.now.Add(time.Second)
		}
		if len(open) == int(rec.NumRows()) {
			o = w.poll(p, token, rec)
			continue
		}
		part := w.b.gather(rec, open...)
		o = w.poll(p, token, part)
		part.Release()
	}
	w.b.fatalf("%d rows have no verdict after %d polls", len(open), mostPolls)
	return all
}

// poll makes one poll and reads the answer.
func (w *world) poll(p connector.Poller, token string, rec arrow.Record) connector.Outcome {
	w.b.report.Helper()
	req := &connector.Request{}
	w.b.must(p.AppendPoll(req, token, rec), "poll with the token %q", token)
	w.sign(p, req)
	resp, err := w.post(req)
	w.b.must(err, "call of a poll")
	o, err := p.ParsePoll(resp, token, rec)
	w.b.inspectOutcome(o, err)
	w.b.must(err, "the answer to a poll with the token %q", token)
	w.b.public("a token", o.Token)
	w.polled = append(w.polled, polled{token, resp})
	return o
}

// polled is an answered poll.
type polled struct {
	token string
	resp  *connector.Response
}

// checkPolls: the verdicts of a codec that polls come at last; what became of the rows of a lost reply can be looked up;
// and no answer to a poll is taken for more than it is.
func checkPolls(b *bench) {
	for _, m := range b.vendor.Modes {
		rec := b.record(b.people(5)...)
		c := b.codecIn(m.Name, rec.Schema())
		if p, ok := c.(connector.Poller); ok {
			if n := c.Limits().PollRows; n < 0 {
				b.errorf("mode %s: PollRows is %d", m.Name, n)
			}
			w := b.world()
			w.deliver(c, rec)
			before := w.service.Contents()
			w.lookUp(p, rec)
			if !slices.Equal(before, w.service.Contents()) {
				b.errorf("mode %s: a look-up changes what is stored", m.Name)
			}
			b.checkPollGarbage(p, rec, w.polled)
			b.checkLookUps(m.Name, c, p, rec)
		}
		rec.Release()
	}
}

// checkLookUps: rows whose reply was lost are found where the vendor took them, and only there.
func (b *bench) checkLookUps(mode string, c connector.Codec, p connector.Poller, rec arrow.Record) {
	for _, fault := range []string{"drop", "5xx-after@504", "truncate", "drop-before", "5xx@502"} {
		taken := fault != "drop-before" && fault != "5xx@502"
		w := b.newWorld(fault+"=x1", nil)
		req := &connector.Request{}
		b.must(c.AppendRequest(req, rec), "encode")
		w.sign(c, req)
		if resp, err := w.post(req); err == nil {
			if o, err := c.ParseResponse(resp, rec); err == nil && o.Verdict == connector.VerdictDelivered {
				b.errorf("mode %s, fault %s: a lost reply is read as delivered", mode, fault)
			}
		}
		w.now = w.now.Add(time.Minute) // what was accepted may not be in yet
		o := w.lookUp(p, rec)
		for i := range int(rec.NumRows()) {
			switch v := verdictOf(o, i); {
			case taken && v != connector.VerdictDelivered:
				b.errorf("mode %s, fault %s: the vendor took a row, and a look-up reads %v: %s", mode, fault, v, codeOf(o, i))
			case !taken && v != connector.VerdictRetry:
				b.errorf("mode %s, fault %s: a row is not there, and a look-up reads %v: %s", mode, fault, v, codeOf(o, i))
			}
		}
		if stored := len(w.service.Contents()); taken != (stored == int(rec.NumRows())) || !taken && stored > 0 {
			b.errorf("mode %s, fault %s: %d rows are stored", mode, fault, stored)
		}
	}
}

// checkPollGarbage: every answer to every step is read without panic, an answer that is no success settles nothing, and
// a next step can be taken.
func (b *bench) checkPollGarbage(p connector.Poller, rec arrow.Record, steps []polled) {
	answers := corpus(b.world())
	for _, step := range steps {
		answers = append(answers, step.resp)
		for cut := 0; cut < len(step.resp.Body); cut += 3 {
			answers = append(answers, &connector.Response{Status: step.resp.Status, Header: step.resp.Header, Body: step.resp.Body[:cut]})
		}
		answers = append(answers, &connector.Response{Status: 502, Header: step.resp.Header, Body: step.resp.Body})
	}
	reported := 0
	for _, step := range steps {
		for _, resp := range answers {
			if fault := b.badPoll(p, step.token, resp, rec); fault != "" && reported < 5 {
				reported++
				b.errorf("to a poll with the token %q, answer %d %q %s", step.token, resp.Status, resp.Body[:min(len(resp.Body), 120)], fault)
			}
		}
	}
}

// badPoll says what is wrong with the reading of an answer; "": nothing.
func (b *bench) badPoll(p connector.Poller, token string, resp *connector.Response, rec arrow.Record) (fault string) {
	defer func() {
		if r := recover(); r != nil {
			fault = fmt.Sprintf("panics: %v", r)
		}
	}()
	body := bytes.Clone(resp.Body)
	o, err := p.ParsePoll(resp, token, rec)
	b.inspectOutcome(o, err)
	success := resp.Status >= 200 && resp.Status <= 299 && looksLikeSuccess(body)
	switch {
	case !bytes.Equal(resp.Body, body):
		return "is changed by reading it"
	case err != nil:
		return ""
	}
	for i := range int(rec.NumRows()) {
		if verdictOf(o, i) == connector.VerdictDelivered && !success {
			return "is read as delivered"
		}
	}
	for _, r := range o.Rows {
		if r.Row < 0 || r.Row >= int(rec.NumRows()) {
			return fmt.Sprintf("names rows that are not in the poll: %+v", o.Rows)
		}
	}
	if o.Token != "" {
		if err := p.AppendPoll(&connector.Request{}, o.Token, rec); err != nil {
			return fmt.Sprintf("gives the token %q, which is refused: %v", o.Token, err)
		}
	}
	return ""
}
