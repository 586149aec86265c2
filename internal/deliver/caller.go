package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// Caller asks a CRM for what it holds, by the rules of pace and of repetition by which a Writer sends: one governor per
// endpoint, waits that the vendor asks for, growing waits with jitter, a fresh signature for each attempt by the vendor's
// clock. It is safe for concurrent use; all who read one account share one.
type Caller struct {
	conf Config

	mu        sync.Mutex // covers all below
	governors map[string]*governor
	freed     chan struct{} // closed when a call ends
	skew      time.Duration // the vendor's clock less ours
	stats     CallStats
}

// CallStats counts what a Caller has done so far.
type CallStats struct {
	Requests  int64 `json:"requests"`
	Retries   int64 `json:"retries"`   // of these, repeats
	Throttled int64 `json:"throttled"` // answers that asked for fewer calls
	Lost      int64 `json:"lost"`      // calls that ended in a server error, or whose answer never came or could not be read
}

// Query is one question. It changes nothing, so it may be asked again.
type Query struct {
	Append func(req *connector.Request) error // before each attempt
	// Parse reads an answer. It is called for each that comes, so it must forget what it read from the one before.
	Parse  func(resp *connector.Response) (connector.Outcome, error)
	Signer connector.Signer // nil: not signed
	// Throttled is told when the query begins to wait because the CRM asked for fewer calls, and until when; again
	// only where that moves. nil: nobody is told.
	Throttled func(until time.Time)
}

// NewCaller makes a Caller. Of the Config it takes Transport, Concurrency, RequestsPerSecond, Timeout, MaxAttempts,
// OutageLimit and Log.
func NewCaller(c Config) *Caller {
	return &Caller{conf: c.withDefaults(), governors: map[string]*governor{}, freed: make(chan struct{})}
}

// Stats returns the counts so far.
func (c *Caller) Stats() CallStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Ask makes the call until it is answered. The Outcome is Delivered or Rejected. An error is one for people: a Config
// error where only a person can mend it, a Transient one where the CRM did not answer for too long, or ctx's.
func (c *Caller) Ask(ctx context.Context, q Query) (connector.Outcome, error) {
	t := asking{caller: c, query: &q}
	for {
		r, free, err := t.once(ctx)
		if err != nil {
			return connector.Outcome{}, err
		}
		switch {
		case !r.Clock.IsZero():
			if t.clocks++; t.clocks >= triesOr(r.Tries, clockTries) {
				return connector.Outcome{}, clockError(&r)
			}
			continue
		case r.Verdict == connector.VerdictDelivered, r.Verdict == connector.VerdictRejected:
			return r.Outcome, nil
		case r.Verdict == connector.VerdictSuspect && r.cause != nil: // by its status; there is nothing to halve
			return connector.Outcome{}, &connector.Error{Kind: connector.KindConfig, Err: r.cause, What: "the CRM refuses the query",
				Fix: "See whether `base_url` and the settings of the account are right"}
		case r.Verdict != connector.VerdictRetry:
			return connector.Outcome{}, connector.Internalf("Report this", "the reading of a query gave the verdict %q", r.Verdict)
		}
		if err := t.again(ctx, &r, free); err != nil {
			return connector.Outcome{}, err
		}
	}
}

func triesOr(tries, otherwise int) int {
	if tries > 0 {
		return tries
	}
	return otherwise
}

// asking is one Query on its way.
type asking struct {
	caller *Caller
	query  *Query
	buf    bytes.Buffer
	sent   int
	spent  int // sends that count
	clocks int
	x      row // counts the sends of one cause
}

// once makes the call when its endpoint may be called.
func (t *asking) once(ctx context.Context) (r reading, free bool, err error) {
	c := t.caller
	req := connector.Request{Header: make(http.Header)}
	if err := t.query.Append(&req); err != nil {
		return r, false, err
	}
	gov, skew, err := c.enter(ctx, req.Endpoint, t.sent > 0, t.query.Throttled)
	if err != nil {
		return r, false, err
	}
	t.sent++
	began := time.Now()
	if s := t.query.Signer; s != nil {
		if err := s.Sign(&req, began.Add(skew)); err != nil {
			c.leave(gov)
			return r, false, fmt.Errorf("sign request: %w", err)
		}
	}
	timeout := c.conf.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	resp, f := exchange(ctx, c.conf.Transport, &req, &loan{}, timeout, &t.buf)
	if f != nil && ctx.Err() != nil {
		c.leave(gov)
		return r, false, ctx.Err()
	}
	parse := func(resp *connector.Response, _ arrow.Record) (connector.Outcome, error) { return t.query.Parse(resp) }
	r = read(parse, true, req.URL, &resp, f, nil, time.Now())
	free, err = c.heard(gov, &r, began)
	return r, free, err
}

// again waits for what is the query's own to wait for, or ends it. Under a throttle the endpoint waits.
func (t *asking) again(ctx context.Context, r *reading, free bool) error {
	if !free {
		t.spent++
		if t.x.tried(r.Code, r.Tries) || t.spent >= t.caller.conf.MaxAttempts {
			return &connector.Error{Kind: connector.KindTransient, Err: r.why(),
				What: fmt.Sprintf("the CRM did not answer a query in %d tries", t.sent),
				Fix:  "Run again later, it goes on behind what is settled"}
		}
	}
	switch {
	case r.signal == signalThrottle, r.signal == signalUnheard, r.signal == signalBusy && r.RetryAfter > 0:
		return nil
	}
	return sleep(ctx, newFullJitter().after(t.spent), nil)
}

// enter waits for a slot of the endpoint and takes it. throttled is told where the wait is for the CRM's limit.
func (c *Caller) enter(ctx context.Context, endpoint string, again bool, throttled func(until time.Time)) (*governor, time.Duration, error) {
	var told time.Time
	for {
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		c.mu.Lock()
		g := c.governors[endpoint]
		if g == nil {
			g = newGovernor(endpoint, c.conf.RequestsPerSecond, c.conf.Concurrency)
			c.governors[endpoint] = g
		}
		now := time.Now()
		ok, wake := g.ready(now)
		if ok {
			g.take(now)
			c.stats.Requests++
			if again {
				c.stats.Retries++
			}
			skew := c.skew
			c.mu.Unlock()
			return g, skew, nil
		}
		freed, until := c.freed, g.asked
		c.mu.Unlock()
		if throttled != nil && now.Before(until) && !until.Equal(told) {
			throttled(until)
			told = until
		}
		wait := time.Hour
		if !wake.IsZero() {
			wait = wake.Sub(now)
		}
		if err := sleep(ctx, wait, freed); err != nil {
			return nil, 0, err
		}
	}
}

// sleep waits for d, or until early is closed.
func sleep(ctx context.Context, d time.Duration, early <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-early:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// leave gives the slot of a call back.
func (c *Caller) leave(g *governor) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(g)
}

func (c *Caller) release(g *governor) {
	g.release()
	close(c.freed)
	c.freed = make(chan struct{})
}

// heard takes in what the call says of its endpoint and of the clocks. An error ends the query.
func (c *Caller) heard(g *governor, r *reading, began time.Time) (free bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(g)
	if r.Stop != connector.KindNone {
		return false, c.stopError(r)
	}
	switch r.signal {
	case signalThrottle:
		c.stats.Throttled++
	case signalLost, signalGarbled:
		c.stats.Lost++
	}
	now := time.Now()
	if !r.Clock.IsZero() {
		skew := r.Clock.Sub(now)
		if d := skew - c.skew; d > time.Second || d < -time.Second {
			c.conf.Log.Warn("this machine's clock differs from the CRM's; signatures use the CRM's", slog.Duration("difference", skew))
		}
		c.skew = skew
	}
	free, err = g.hear(r, began, now, &c.conf)
	if r.signal == signalThrottle {
		g.asked = g.until
	}
	return free, err
}

// stopError says of a query what Writer says of rows.
func (c *Caller) stopError(r *reading) error {
	err := stopError(r)
	var e *connector.Error
	if r.cause == nil && errors.As(err, &e) {
		e.What = "the CRM refuses the query"
	}
	return err
}
