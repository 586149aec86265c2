package receiver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/inbox"
)

// storeWithin is how long a request may wait for the inbox, at most: senders wait three seconds for the answer.
const storeWithin = time.Second

// Outcomes of a request, for metrics.
const (
	stored, duplicate, quarantined        = "stored", "duplicate", "quarantined"
	forged, stale, tooLarge               = "forged", "stale", "too_large"
	encoded, wrongMethod, cutShort        = "encoded", "wrong_method", "cut_short"
	overRate, overload, full, failed      = "over_rate", "overloaded", "disk_full", "failed"
	unknownPath, notAllowed, brokenVerify = "unknown_path", "source_not_allowed", "internal"
)

// errBusy is what senders are told beyond a limit.
var errBusy = connector.Transientf("Send it again later", "the receiver has more in hand than it may")

// ServeHTTP is the public side.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	start := r.opts.Clock()
	source := r.sources.of(req.RemoteAddr, req.Header["X-Forwarded-For"])
	inRate := r.rates.take(source, start)
	e := r.endpoints.find(req.URL.Path)
	switch {
	case e == nil:
		r.refuse(w, "", unknownPath)
	case len(e.AllowFrom) > 0 && !contains(e.AllowFrom, source):
		r.refuse(w, e.Name, notAllowed)
		r.opts.Log.Warn("a request came from an address that is not allowed", "endpoint", e.Name, "source", source)
	case req.Method != http.MethodPost:
		r.plain(w, e.Name, wrongMethod, http.StatusMethodNotAllowed)
	case !identity(req.Header):
		r.plain(w, e.Name, encoded, http.StatusUnsupportedMediaType)
	case !inRate:
		r.reply(w, e, overRate, errBusy)
	case req.ContentLength > r.opts.Limits.Body:
		r.plain(w, e.Name, tooLarge, http.StatusRequestEntityTooLarge)
	default:
		r.receive(w, req, e, start)
	}
}

// identity reports whether the body comes as it is. No vendor documents another encoding, and a small one may unfold to
// a large body.
func identity(h http.Header) bool {
	for _, v := range h["Content-Encoding"] {
		if v != "" && !strings.EqualFold(v, "identity") {
			return false
		}
	}
	return true
}

// refuse answers as for any address that does not exist, before anything of the body is read.
func (r *Receiver) refuse(w http.ResponseWriter, endpoint, outcome string) {
	r.plain(w, endpoint, outcome, http.StatusNotFound)
}

// plain answers what is no matter of the vendor. The connection is closed: of the body nothing may have been read.
func (r *Receiver) plain(w http.ResponseWriter, endpoint, outcome string, status int) {
	r.metrics.count(endpoint, outcome)
	w.Header().Set("Connection", "close")
	http.Error(w, http.StatusText(status), status)
}

// reply answers in the vendor's shape. The server tells the length by itself.
func (r *Receiver) reply(w http.ResponseWriter, e *Endpoint, outcome string, err error) {
	a := &e.good
	if r.metrics.countAt(e, outcome); err != nil {
		bad := e.Hook.Reply(err)
		a = &bad
	}
	header := w.Header()
	for name, values := range a.Header {
		header[name] = values
	}
	if a.Status >= http.StatusInternalServerError || a.Status == http.StatusTooManyRequests {
		header.Set("Retry-After", "1")
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.Body)
}

// receive reads, verifies and stores one request. A slot is taken only when the body is here, so that senders who
// dribble keep none; what they do hold is counted in bytes.
func (r *Receiver) receive(w http.ResponseWriter, req *http.Request, e *Endpoint, start time.Time) {
	s := scratches.Get().(*scratch)
	defer s.free()
	body, held, err := r.body(s, w, req)
	defer func() { r.bodies.free(held) }()
	_, large := errors.AsType[*http.MaxBytesError](err)
	switch {
	case large:
		r.plain(w, e.Name, tooLarge, http.StatusRequestEntityTooLarge)
		return
	case errors.Is(err, errBusy):
		w.Header().Set("Connection", "close")
		r.reply(w, e, overload, err)
		return
	case err != nil:
		r.plain(w, e.Name, cutShort, http.StatusBadRequest)
		return
	}
	if !r.slots.take(1) {
		r.reply(w, e, overload, errBusy)
		return
	}
	defer r.slots.free(1)
	outcome, err := r.take(s, req, e, body)
	if outcome == tooLarge {
		r.plain(w, e.Name, tooLarge, http.StatusRequestEntityTooLarge)
		return
	}
	r.reply(w, e, outcome, err)
	if err == nil {
		r.metrics.acks.Observe(r.opts.Clock().Sub(start).Seconds())
	}
}

// body reads the whole body. The memory for it grows with what arrives, not with what was announced; that of a small one
// is lent by s.
func (r *Receiver) body(s *scratch, w http.ResponseWriter, req *http.Request) (body []byte, held int64, err error) {
	in := req.Body
	if req.ContentLength < 0 || req.ContentLength > r.opts.Limits.Body { // else the server ends it where it was announced to end
		in = http.MaxBytesReader(w, in, r.opts.Limits.Body)
	}
	grow := func(n int) bool {
		if !r.bodies.take(int64(n)) {
			return false
		}
		held += int64(n)
		if body == nil && n <= smallBody {
			body = s.body[:0:n]
			return true
		}
		bigger := make([]byte, len(body), cap(body)+n)
		copy(bigger, body)
		body = bigger
		return true
	}
	first := int64(smallBody)
	if n := req.ContentLength; n >= 0 && n < 64<<10 {
		first = n + 1
	}
	if !grow(int(first)) {
		return nil, held, errBusy
	}
	for {
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case errors.Is(err, io.EOF):
			return body, held, nil
		case err != nil:
			return nil, held, err
		case len(body) == cap(body) && !grow(cap(body)):
			return nil, held, errBusy
		}
	}
}

// take verifies and stores. err is what the vendor is told: nil only if the request is on the disk.
func (r *Receiver) take(s *scratch, req *http.Request, e *Endpoint, body []byte) (outcome string, err error) {
	defer func() { // what a hook does to a body nobody foresaw must not look like an acknowledgement, nor end the process
		if p := recover(); p != nil {
			r.opts.Log.Error("a webhook could not be read: this is a fault of Sluice", "endpoint", e.Name, "panic", fmt.Sprint(p))
			outcome, err = brokenVerify, connector.Internalf("Send it again later", "the request could not be read")
		}
	}()
	now := r.opts.Clock()
	s.signed = connector.Request{Method: req.Method, URL: req.RequestURI, Header: req.Header, Body: body}
	ticket, err := e.Hook.Verify(&s.signed, now)
	switch {
	case errors.Is(err, connector.ErrStale):
		r.refused(e, stale, err)
		return stale, connector.ErrStale
	case err != nil:
		r.refused(e, forged, err)
		return forged, connector.ErrForged
	}
	in := r.request(s, e, ticket, req, body, now)
	receipt, err := r.box.Append(r.patience.context(), in)
	if err != nil {
		return r.notStored(e, err)
	}
	switch {
	case in.Quarantine != "":
		if r.quiet.now(e.Name+quarantined, now) {
			r.opts.Log.Error("a signed request came with a ticket that was used for another body: it is quarantined",
				"endpoint", e.Name, "seq", receipt.Seq, "reason", in.Quarantine)
		}
		r.metrics.reuse.Inc()
		return quarantined, nil
	case receipt.Duplicate:
		outcome = duplicate
	default:
		outcome = stored
	}
	if in.FollowUp {
		r.later.wake(e.Name)
	}
	return outcome, nil
}

// request makes what is stored, in part of the memory of s.
func (r *Receiver) request(s *scratch, e *Endpoint, t connector.Ticket, req *http.Request, body []byte, now time.Time) inbox.Request {
	in := inbox.Request{
		Endpoint: inbox.Endpoint{Name: e.Name, Vendor: e.Vendor, Account: t.Tenant, Type: e.Type},
		Method:   req.Method, Header: s.kept(req.Header), Body: body, ReceivedAt: now,
	}
	in.Keys, in.Note = s.keys(e.Hook, body)
	in.FollowUp = r.later.asks(&s.call, e, body)
	if t.Token != "" && !t.HasBody {
		id := ticketID(e.Name, t)
		expires := t.Expires
		if expires.IsZero() {
			expires = now.Add(rememberFor)
		}
		s.mark(id, expires)
		if r.tickets.reused(id, shorten(body), expires, now) {
			in.Quarantine = TokenReuse
		}
	}
	return in
}

func clip(text string) string { return text[:min(len(text), 500)] }

// refused logs what was not believed: the first of a kind in a second, so that an attack does not fill the disk.
func (r *Receiver) refused(e *Endpoint, outcome string, err error) {
	if r.quiet.now(e.Name+outcome, r.opts.Clock()) {
		r.opts.Log.Warn("a request was refused", "endpoint", e.Name, "reason", clip(err.Error()))
	}
}

// notStored says what the inbox's refusal means for the sender.
func (r *Receiver) notStored(e *Endpoint, err error) (outcome string, told error) {
	level := slog.LevelError
	switch {
	case errors.Is(err, inbox.ErrTooLarge):
		return tooLarge, err
	case errors.Is(err, inbox.ErrFull):
		outcome = full
	case errors.Is(err, inbox.ErrOverload), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled), errors.Is(err, inbox.ErrClosed):
		outcome, level = overload, slog.LevelWarn
	default:
		outcome = failed
	}
	if r.quiet.now(e.Name+outcome, r.opts.Clock()) {
		r.opts.Log.Log(context.Background(), level, "a request could not be stored; its sender was asked to send it again", "endpoint", e.Name, "error", err)
	}
	return outcome, err
}
