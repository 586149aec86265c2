package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/rows"
)

// keepBytes is the largest buffer that a call keeps for the next one.
const keepBytes = 8 << 20

// call is one request on its way: its rows, its slot, its buffers.
type call struct {
	lane   *lane
	gov    *governor // whose slot it holds; nil: none
	rows   []*row
	rec    arrow.Record
	unit   bool // its rows are not merged with others
	part   bool // it is part of an earlier request
	clocks int
	probe  *suspect
	learns bool // it is to show whether the vendor locks what it has just taken
	ask    *ask // it asks for verdicts; nil: it sends

	req     connector.Request
	resp    bytes.Buffer
	loan    *loan
	parts   []rows.Part
	indexes []int32
	retried bool      // a row of it was sent before
	broken  bool      // the transport gave up on it, and may still hold what it was given
	began   time.Time // zero: nothing was sent

	refused []refusal // rows that the codec would not encode
	spill   []*row    // rows that made the body too large
	err     error     // ends the run
}

type refusal struct {
	row *row
	res connector.RowResult
}

func (w *Writer) newCall(l *lane) *call {
	if n := len(w.spareCall); n > 0 {
		c := w.spareCall[n-1]
		w.spareCall = w.spareCall[:n-1]
		c.lane = l
		return c
	}
	return &call{lane: l, loan: &loan{}, req: connector.Request{Header: make(http.Header)}}
}

// free returns a call's buffers. Those that a transport may still read are left to it. Under the lock.
func (w *Writer) free(c *call) {
	if c.broken || !c.loan.over() {
		return
	}
	body, resp := c.req.Body[:0], c.resp
	if cap(body) > keepBytes {
		body = nil
	}
	if resp.Cap() > keepBytes {
		resp = bytes.Buffer{}
	}
	clear(c.rows)
	clear(c.parts)
	clear(c.req.Header)
	*c = call{
		rows: c.rows[:0], parts: c.parts[:0], indexes: c.indexes[:0], loan: c.loan, resp: resp,
		req: connector.Request{Header: c.req.Header, Body: body},
	}
	w.spareCall = append(w.spareCall, c)
}

// carry takes requests through the chain until none is left to start.
func (w *Writer) carry(c *call) {
	for c != nil {
		r, sent := w.perform(c)
		if c.rec != nil {
			c.rec.Release()
		}
		w.mu.Lock()
		if c.gov != nil {
			c.gov.release()
		}
		switch {
		case !sent:
		case c.ask != nil:
			w.hear(c, r)
		default:
			w.settle(c, r)
		}
		w.free(c)
		w.inFlight--
		c = w.pump(true)
		w.unlock()
	}
}

// perform encodes, signs, sends and reads. sent false: the call ended before anything left, and its rows are back in
// the queue or refused.
func (w *Writer) perform(c *call) (reading, bool) {
	w.encode(c)
	if !w.admit(c) {
		return reading{}, false
	}
	if w.conf.DryRun != nil {
		w.dry.Lock()
		defer w.dry.Unlock()
		if err := w.conf.DryRun(&c.req); err != nil {
			return stopped(fmt.Errorf("dry run: %w", err)), true
		}
		return reading{Outcome: connector.Outcome{Verdict: connector.VerdictDelivered}}, true
	}
	l := c.lane
	c.began = time.Now()
	if l.signer != nil {
		if err := l.signer.Sign(&c.req, c.began.Add(time.Duration(w.skew.Load()))); err != nil {
			return stopped(fmt.Errorf("sign request: %w", err)), true
		}
	}
	resp, f := exchange(w.ctx, w.conf.Transport, &c.req, c.loan, w.timeout(l), &c.resp)
	c.broken = f != nil
	if f != nil && w.ctx.Err() != nil {
		return reading{}, false // broken off: nobody waits for a verdict
	}
	if c.ask != nil {
		parse := func(resp *connector.Response, rec arrow.Record) (connector.Outcome, error) {
			return l.poller.ParsePoll(resp, c.ask.token, rec)
		}
		return read(parse, true, c.req.URL, &resp, f, c.rec, time.Now()), true
	}
	return read(l.codec.ParseResponse, l.limits.Idempotent, c.req.URL, &resp, f, c.rec, time.Now()), true
}

// stopped is the reading that ends the run with this error.
func stopped(err error) reading {
	kind := connector.KindOf(err)
	if errors.Is(err, context.Canceled) || kind == connector.KindNone {
		kind = connector.KindTransient
	}
	return reading{cause: err, Outcome: connector.Outcome{Stop: kind}}
}

func (w *Writer) timeout(l *lane) time.Duration {
	switch {
	case w.conf.Timeout > 0:
		return w.conf.Timeout
	case l.limits.Timeout > 0:
		return l.limits.Timeout
	}
	return defaultTimeout
}

// encode makes the body of as many of the call's rows as can be encoded and fit. Rows that cannot are in c.refused, rows
// that did not fit in c.spill, an error of any other kind in c.err. Not under the lock.
func (w *Writer) encode(c *call) {
	l := c.lane
	if l.whole && len(c.rows) > l.limits.Rows {
		c.refuseAll(fmt.Sprintf("%d rows must go in one request, the CRM takes %d", len(c.rows), l.limits.Rows))
	}
	for len(c.rows) > 0 {
		if c.rec == nil {
			c.rec = w.gather(c)
		}
		c.req.Body, c.req.Method, c.req.URL, c.req.Endpoint = c.req.Body[:0], "", "", ""
		clear(c.req.Header)
		err := c.append()
		var bad *connector.RowsError
		switch {
		case errors.As(err, &bad):
			before := len(c.refused)
			if c.err = c.leaveOut(bad.Rows); l.whole {
				c.standIn(c.refused[before:])
			}
		case err != nil:
			c.err = fmt.Errorf("encode request: %w", err)
		case c.ask != nil, l.limits.Bytes == 0, len(c.req.Body) <= l.limits.Bytes:
			return
		case len(c.rows) > 1 && l.limits.Splittable:
			half := (len(c.rows) + 1) / 2
			c.spill = append(append(make([]*row, 0, len(c.spill)+len(c.rows)-half), c.rows[half:]...), c.spill...)
			c.rows = c.rows[:half]
		default:
			c.refuseAll(fmt.Sprintf("the request of %d rows is %d bytes, the CRM takes %d", len(c.rows), len(c.req.Body), l.limits.Bytes))
		}
		if c.err != nil {
			return
		}
		c.rec.Release()
		c.rec = nil
	}
}

// refuseAll leaves nothing to send: what the call holds can be no request.
func (c *call) refuseAll(why string) {
	for _, r := range c.rows {
		c.refused = append(c.refused, refusal{r, connector.RowResult{Code: connector.CodeTooBig, Message: why}})
	}
	c.rows = c.rows[:0]
}

func (c *call) append() error {
	if c.ask != nil {
		return c.lane.poller.AppendPoll(&c.req, c.ask.token, c.rec)
	}
	return c.lane.codec.AppendRequest(&c.req, c.rec)
}

// leaveOut takes rows that the codec refuses out of the call.
func (c *call) leaveOut(bad []connector.RowResult) error {
	kept, next := c.rows[:0], 0
	for i, r := range c.rows {
		if next < len(bad) && bad[next].Row == i {
			c.refused = append(c.refused, refusal{r, bad[next]})
			next++
			continue
		}
		kept = append(kept, r)
	}
	c.rows = kept
	if next == 0 || next < len(bad) {
		return connector.Internalf("Report this", "the codec refused rows that are not in the request, or not in order")
	}
	return nil
}

// gather makes one record of the call's rows: a slice where they are neighbours in one record, else a copy.
func (w *Writer) gather(c *call) arrow.Record {
	first, last, n := c.rows[0], c.rows[len(c.rows)-1], int32(len(c.rows))
	if first.batch == last.batch && last.at-first.at == n-1 { // rows are in ascending order, so none is missing
		if int64(n) == first.batch.rec.NumRows() {
			first.batch.rec.Retain()
			return first.batch.rec
		}
		return rows.Slice(first.batch.rec, int(first.at), int(last.at)+1)
	}
	c.parts, c.indexes = c.parts[:0], c.indexes[:0]
	if cap(c.indexes) < len(c.rows) {
		c.indexes = make([]int32, 0, len(c.rows)) // the parts point into it: it must not grow
	}
	for i, start := 0, 0; i < len(c.rows); i++ {
		c.indexes = append(c.indexes, c.rows[i].at)
		if i+1 == len(c.rows) || c.rows[i+1].batch != c.rows[i].batch {
			c.parts = append(c.parts, rows.Part{Rec: c.rows[i].batch.rec, Rows: c.indexes[start : i+1]})
			start = i + 1
		}
	}
	return rows.Take(w.conf.Alloc, c.parts)
}

// admit settles what encoding found and moves the call to the endpoint that the codec named. False: it must not be
// sent now.
func (w *Writer) admit(c *call) bool {
	w.mu.Lock()
	defer w.unlock()
	if c.ask != nil {
		return w.admitAsk(c)
	}
	l := c.lane
	unknown := c.gov == nil
	if unknown {
		l.learning = false
	}
	for _, f := range c.refused {
		w.refuse(f.row, f.res)
	}
	if c.probe != nil && len(c.refused) > 0 {
		c.probe.alone--
	}
	w.putBack(c, c.spill)
	switch {
	case c.err != nil:
		w.fail(c.err)
		return false
	case w.err != nil:
		return false
	case len(c.rows) == 0:
		return false
	}
	for _, r := range c.rows {
		c.retried = c.retried || r.sends > 0
	}
	l.sized(len(c.req.Body), len(c.rows))
	if w.conf.DryRun != nil {
		w.stats.Requests++
		return true
	}
	if g := w.governor(c.req.Endpoint); g != c.gov {
		// The slot that the call was cut for is another endpoint's, or none.
		if c.gov != nil {
			c.gov.release()
		}
		c.gov, l.gov = nil, g
		now := time.Now()
		if ok, _ := g.ready(now); !ok {
			w.putBack(c, c.rows)
			return false
		}
		g.take(now)
		c.gov = g
	}
	w.count(c)
	if unknown {
		w.pump(false) // the lane waited for its first request to name the endpoint
	}
	return true
}

func (w *Writer) count(c *call) {
	w.stats.Requests++
	if c.retried {
		w.stats.Retries++
	}
}

// putBack returns rows that were not sent: to the front, or as a unit if they were one.
func (w *Writer) putBack(c *call, rs []*row) {
	switch {
	case len(rs) == 0:
	case c.unit:
		c.lane.units = append(c.lane.units, &unit{rows: append([]*row(nil), rs...), part: c.part, clocks: c.clocks, probe: c.probe, learns: c.learns})
	default:
		for _, r := range rs {
			c.lane.back(r)
		}
	}
}

// sized notes how long bodies are, so that the next request is cut to fit.
func (l *lane) sized(bytes, rows int) {
	per := float64(bytes) / float64(rows)
	if l.rowBytes == 0 {
		l.rowBytes = per
	}
	l.rowBytes += (per - l.rowBytes) / 8
}

func (w *Writer) governor(endpoint string) *governor {
	g := w.governors[endpoint]
	if g == nil {
		g = newGovernor(endpoint, w.conf.RequestsPerSecond, w.conf.Concurrency)
		if w.conf.DryRun != nil {
			g = newGovernor(endpoint, 0, 1)
		}
		w.governors[endpoint] = g
	}
	return g
}
