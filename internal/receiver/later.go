package receiver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

const (
	laterWaiting = 1000
	laterWorkers = 4
	laterTries   = 3
	maxAnswer    = 32 << 20
)

// laterPause is the wait before the second try; before the third it is four times as long. The vendor's
// signature is good for a minute, and each try is signed anew.
const laterPause = 2 * time.Second

// task is a stored request whose hook may have a call to make.
type task struct {
	endpoint *Endpoint
	at       inbox.Endpoint
	body     []byte
	repeat   bool // all of it had come before
}

// later makes the calls that stored requests ask for, outside of their handlers. What waits when the process ends is not
// called for: a Fetcher's rows hold the address, and a Confirmer's vendor has its answer. A repeat is not confirmed again.
// It is fetched again, since the process may have ended before; what has been fetched is known by its keys.
type later struct {
	r     *Receiver
	tasks chan task
	pause time.Duration
}

func newLater(r *Receiver) *later {
	return &later{r: r, tasks: make(chan task, laterWaiting), pause: laterPause}
}

// add queues a task if its hook makes calls at all.
func (l *later) add(t task) {
	_, fetches := t.endpoint.Hook.(connector.Fetcher)
	_, confirms := t.endpoint.Hook.(connector.Confirmer)
	if !(fetches && l.r.opts.Calls != nil) && (!confirms || t.repeat) {
		return
	}
	select {
	case l.tasks <- t:
	default:
		l.r.metrics.call("fetch_or_confirm", "dropped")
		l.r.opts.Log.Warn("too many calls wait: the one that a request asks for is not made", "endpoint", t.endpoint.Name)
	}
}

func (l *later) run(ctx context.Context) {
	var work sync.WaitGroup
	for range laterWorkers {
		work.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case t := <-l.tasks:
					l.do(ctx, t)
				}
			}
		})
	}
	work.Wait()
}

// do makes the calls of one request. A panic in a hook ends the task, not the process.
func (l *later) do(ctx context.Context, t task) {
	defer func() {
		if p := recover(); p != nil {
			l.r.metrics.call("fetch_or_confirm", "internal")
			l.r.opts.Log.Error("a call could not be made: this is a fault of Sluice", "endpoint", t.endpoint.Name, "panic", p)
		}
	}()
	if c, ok := t.endpoint.Hook.(connector.Confirmer); ok && !t.repeat {
		l.confirm(ctx, t, c)
	}
	if f, ok := t.endpoint.Hook.(connector.Fetcher); ok && l.r.opts.Calls != nil {
		l.fetch(ctx, t, f)
	}
}

func (l *later) confirm(ctx context.Context, t task, c connector.Confirmer) {
	l.attempts(ctx, t, "confirm", func() (connector.Outcome, bool, error) {
		var req connector.Request
		asked, err := c.AppendConfirm(&req, t.body, l.r.opts.Clock())
		if err != nil || !asked {
			return connector.Outcome{}, false, err
		}
		if l.r.opts.Confirms == nil {
			return connector.Outcome{}, false, errNoHosts
		}
		resp, err := l.call(ctx, l.r.opts.Confirms.Do, &req)
		if err != nil {
			return connector.Outcome{}, true, err
		}
		o, err := c.ParseConfirm(resp)
		return o, true, err
	})
}

var errNoHosts = errors.New("a request asks to be confirmed, and callback_hosts lists no host that may be called")

func (l *later) fetch(ctx context.Context, t task, f connector.Fetcher) {
	l.attempts(ctx, t, "fetch", func() (connector.Outcome, bool, error) {
		var req connector.Request
		asked, err := f.AppendFetch(&req, t.body)
		if err != nil || !asked {
			return connector.Outcome{}, false, err
		}
		if s, ok := f.(connector.Signer); ok {
			if err := s.Sign(&req, l.r.opts.Clock()); err != nil {
				return connector.Outcome{}, false, err
			}
		}
		resp, err := l.call(ctx, l.r.opts.Calls.Do, &req)
		if err != nil {
			return connector.Outcome{}, true, err
		}
		whole, o, err := f.ParseFetch(nil, resp, t.body)
		if err != nil || o.Verdict != connector.VerdictDelivered {
			return o, true, err
		}
		in := inbox.Request{Endpoint: t.at, Method: http.MethodPost, Body: whole, Note: "its content was fetched from the address that another request named"}
		in.Keys, _ = keys(t.endpoint.Hook, whole)
		_, err = l.r.box.Append(ctx, in)
		return o, true, err
	})
}

// attempts tries a call a bounded number of times, and records what became of it once.
func (l *later) attempts(ctx context.Context, t task, kind string, try func() (o connector.Outcome, again bool, err error)) {
	pause := l.pause
	for n := 1; ; n++ {
		o, again, err := try()
		switch {
		case err == nil && !again: // nothing was asked for
			return
		case err == nil && o.Verdict == connector.VerdictDelivered:
			l.r.metrics.call(kind, "done")
			return
		case ctx.Err() != nil:
			return
		}
		if !again || n == laterTries || err == nil && o.Verdict != connector.VerdictRetry {
			l.r.metrics.call(kind, "failed")
			l.r.opts.Log.Warn("a call that a request asks for was not made or not taken", "call", kind, "endpoint", t.endpoint.Name, "tries", n,
				"code", o.Code, "answer", clip(o.Message), "error", err)
			return
		}
		if !sleep(ctx, max(pause, o.RetryAfter)) {
			return
		}
		pause *= 4
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(min(d, time.Minute))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// call sends one request and reads the answer up to a bound.
func (l *later) call(ctx context.Context, do func(*http.Request) (*http.Response, error), out *connector.Request) (*connector.Response, error) {
	req, err := http.NewRequestWithContext(ctx, out.Method, out.URL, bodyOf(out.Body))
	if err != nil {
		return nil, errors.New("the address cannot be read")
	}
	for name, values := range out.Header {
		req.Header[name] = values
	}
	resp, err := do(req)
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
