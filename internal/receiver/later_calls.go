package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/internal/ssrf"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 32 << 20

// anyCall is the kind of a call of which nobody knows which it is, for metrics.
const anyCall = "fetch_or_confirm"

// follow makes the calls of one record and reports whether it needs none any more. A panic in a hook ends the task, not the
// process.
func (n *lane) follow(ctx context.Context, seq int64) (done bool, wait time.Duration) {
	defer func() {
		if p := recover(); p != nil {
			n.l.r.metrics.call(anyCall, "internal")
			n.l.r.opts.Log.Error("a call could not be made: this is a fault of Sluice", "endpoint", n.e.Name, "seq", seq, "panic", p)
			n.l.closed(seq)
			done = true
		}
	}()
	rec, err := n.l.r.reader.Get(ctx, seq)
	switch {
	case errors.Is(err, inbox.ErrNotFound), errors.Is(err, inbox.ErrDamaged):
		done = n.failed(anyCall, seq, connector.Outcome{}, err)
	case err != nil:
		return false, 0 // the inbox can be read again later
	default:
		done, wait = n.calls(ctx, &rec)
	}
	if done {
		n.l.closed(seq)
	}
	return done, wait
}

func (n *lane) calls(ctx context.Context, rec *inbox.Record) (done bool, wait time.Duration) {
	done = true
	if c := confirmer(n.e); c != nil {
		done, wait = n.attempt(ctx, "confirm", rec.Seq, func() (connector.Outcome, bool, error) { return n.confirm(ctx, rec, c) })
	}
	if f := n.l.fetcher(n.e); f != nil {
		fetched, until := n.attempt(ctx, "fetch", rec.Seq, func() (connector.Outcome, bool, error) { return n.fetch(ctx, rec, f) })
		done, wait = done && fetched, max(wait, until)
	}
	return done, wait
}

var errNoHosts = errors.New("a request asks to be confirmed, and callback_hosts lists no host that may be called")

func (n *lane) confirm(ctx context.Context, rec *inbox.Record, c connector.Confirmer) (o connector.Outcome, called bool, err error) {
	var req connector.Request
	asked, err := c.AppendConfirm(&req, rec.Body, n.l.r.opts.Clock())
	if err != nil || !asked {
		return o, false, err
	}
	if n.l.r.opts.Confirms == nil {
		return o, false, errNoHosts
	}
	resp, err := call(ctx, n.l.r.opts.Confirms, &req)
	if err != nil {
		return o, true, err
	}
	o, err = c.ParseConfirm(resp)
	return o, true, err
}

func (n *lane) fetch(ctx context.Context, rec *inbox.Record, f connector.Fetcher) (o connector.Outcome, called bool, err error) {
	var req connector.Request
	asked, err := f.AppendFetch(&req, rec.Body)
	if err != nil || !asked {
		return o, false, err
	}
	if s, ok := f.(connector.Signer); ok {
		if err := s.Sign(&req, n.l.r.opts.Clock()); err != nil {
			return o, false, err
		}
	}
	resp, err := call(ctx, n.l.r.opts.Calls, &req)
	if err != nil {
		return o, true, err
	}
	whole, o, err := f.ParseFetch(nil, resp, rec.Body)
	if err != nil || o.Verdict != connector.VerdictDelivered {
		return o, true, err
	}
	in := inbox.Request{Endpoint: rec.Endpoint, Method: http.MethodPost, Body: whole, Note: "its content was fetched from the address that another request named"}
	in.Keys, _ = keys(n.e.Hook, whole)
	_, err = n.l.r.box.Append(ctx, in)
	return o, true, err
}

// attempt makes a call once and reports whether it is over: made, not asked for, or of a kind that never comes through.
func (n *lane) attempt(ctx context.Context, kind string, seq int64, try func() (o connector.Outcome, called bool, err error)) (done bool, wait time.Duration) {
	o, called, err := try()
	switch {
	case err == nil && !called: // nothing was asked for
		return true, 0
	case err == nil && o.Verdict == connector.VerdictDelivered:
		n.l.r.metrics.call(kind, "done")
		return true, 0
	case ctx.Err() != nil:
		return false, 0
	case !called, errors.Is(err, ssrf.ErrBlocked), errors.Is(err, inbox.ErrTooLarge), err == nil && o.Verdict != connector.VerdictRetry:
		return n.failed(kind, seq, o, err), 0
	}
	n.l.r.metrics.call(kind, "retry")
	if n.l.quiet.now(n.e.Name+kind, n.l.r.opts.Clock()) {
		n.l.r.opts.Log.Warn("a call that a request asks for did not come through; it is made again for a day", "call", kind, "endpoint", n.e.Name,
			"seq", seq, "code", o.Code, "answer", clip(o.Message), "error", err)
	}
	return false, o.RetryAfter
}

// failed tells of a call that is not made again: the metric of each, the log of one a second.
func (n *lane) failed(kind string, seq int64, o connector.Outcome, err error) bool {
	n.l.r.metrics.call(kind, "failed")
	if n.l.r.quiet.now(n.e.Name+kind+"failed", n.l.r.opts.Clock()) {
		n.l.r.opts.Log.Warn("a call that a request asks for was not made or not taken", "call", kind, "endpoint", n.e.Name,
			"seq", seq, "code", o.Code, "answer", clip(o.Message), "error", err)
	}
	return true
}

// call sends one request and reads the answer up to a bound.
func call(ctx context.Context, guard *ssrf.Guard, out *connector.Request) (*connector.Response, error) {
	req, err := http.NewRequestWithContext(ctx, out.Method, out.URL, bodyOf(out.Body))
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be read", ssrf.ErrBlocked) // the error itself holds the address
	}
	for name, values := range out.Header {
		req.Header[name] = values
	}
	resp, err := guard.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, err
	}
	if len(body) > maxAnswer {
		return nil, errors.New("the answer is too long")
	}
	return &connector.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

func bodyOf(b []byte) io.Reader {
	if b == nil {
		return nil
	}
	return bytes.NewReader(b)
}
