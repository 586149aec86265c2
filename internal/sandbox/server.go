package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options of a Server. The zero value is a sandbox without faults on the machine's clock.
type Options struct {
	Clock  func() time.Time // nil: time.Now
	Seed   uint64           // of everything random: faults, latencies, trace ids
	Faults Faults
	// JournalEntries bounds the journal in memory; 0: 4096. Older entries leave it, the totals keep counting them.
	JournalEntries int
	// Journal, if not nil, gets every entry as one JSON line in one Write call, before the reply to the request leaves.
	Journal io.Writer
	// MaxBody is the largest request body that is read; 0: 64 MiB. A larger one is answered 413.
	MaxBody int64
}

// Server routes requests to its services, applies faults and keeps the journal. It is an http.Handler.
type Server struct {
	opts     Options
	clock    func() time.Time
	services []Service
	patterns []string
	mux      *http.ServeMux
	journal  *journal
	inject   *injector
	seq      atomic.Int64
	bodies   sync.Pool
	err      error // what New found wrong in Options.Faults
}

// New returns a Server of these services; groups are taken apart. Faults that name a service which is not there make the
// server answer every call 500 with that sentence, and Start and Serve return it.
func New(opts Options, services ...Service) *Server {
	if opts.Clock == nil {
		opts.Clock = time.Now
	}
	if opts.JournalEntries == 0 {
		opts.JournalEntries = 4096
	}
	if opts.MaxBody == 0 {
		opts.MaxBody = 64 << 20
	}
	s := &Server{
		opts: opts, clock: opts.Clock, services: flatten(services), mux: http.NewServeMux(),
		journal: newJournal(opts.JournalEntries, opts.Journal), inject: newInjector(opts.Seed),
	}
	for _, svc := range s.services {
		svc.Register(&Mux{server: s, service: svc.Name()})
	}
	none := &route{handler: s.unrouted}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { s.serve(none, w, r) })
	s.registerAdmin()
	s.err = s.SetFaults(opts.Faults)
	return s
}

// SetFaults replaces the faults in force, with fresh counters. It refuses faults of services that are not there.
func (s *Server) SetFaults(f Faults) error {
	if err := f.check(serviceNames(s.services)); err != nil {
		return err
	}
	s.inject.set(f)
	return nil
}

// Reset empties state and journal, counts requests from 1 again and puts the faults of Options back.
func (s *Server) Reset() {
	for _, svc := range s.services {
		if r, ok := svc.(Resetter); ok {
			r.Reset()
		}
	}
	s.seq.Store(0)
	s.journal.reset()
	s.inject.set(s.opts.Faults)
}

// Journal returns the entries still in memory, oldest first, and the number of all requests so far.
func (s *Server) Journal() (entries []Entry, total int64) {
	return s.journal.entries(func(*Entry) bool { return true }, 0), s.journal.count()
}

// State returns what each service holds, by its name.
func (s *Server) State() map[string]any {
	all := make(map[string]any, len(s.services))
	for _, svc := range s.services {
		all[svc.Name()] = svc.Dump()
	}
	return all
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s.err != nil {
		http.Error(w, s.err.Error(), http.StatusInternalServerError)
		return
	}
	s.mux.ServeHTTP(w, r)
}

func (s *Server) unrouted(c *Call) Reply {
	text := fmt.Sprintf("the sandbox has no endpoint %s %s. It serves: %s\n", c.Method, c.URL.Path, quoteList(s.patterns))
	return Reply{Status: http.StatusNotFound, Header: http.Header{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(text)}
}

// serve takes one request through faults, service and journal.
func (s *Server) serve(rt *route, w http.ResponseWriter, r *http.Request) {
	seq := s.seq.Add(1)
	e := Entry{Seq: seq, Service: rt.service, Endpoint: rt.endpoint, Method: r.Method, Path: r.URL.Path, Header: s.journal.pick(r.Header)}
	buf, err := s.readBody(w, r)
	if err != nil {
		s.unreadable(w, &e, err)
		return
	}
	defer s.bodies.Put(buf)
	e.Bytes = buf.Len()

	plan, err := s.inject.plan(seq, rt, r.Header.Get(FaultHeader))
	if err != nil {
		e.Fault = "bad " + FaultHeader
		s.answer(w, &e, textReply(http.StatusBadRequest, FaultHeader+": "+err.Error()))
		return
	}
	e.Fault = plan.names
	if !sleep(r.Context(), plan.latency) {
		s.abort(&e)
	}
	now := s.clock()
	if wait, over := s.inject.overRate(rt, now); over {
		e.Fault = joinNames(e.Fault, KindRate)
		s.answer(w, &e, tooMany(wait))
		return
	}
	if plan.kind.before() {
		if plan.kind == KindDropBefore {
			s.abort(&e)
		}
		s.answer(w, &e, plan.reply())
		return
	}
	call := &Call{Request: r, Body: buf.Bytes(), Now: now, Seq: seq, TraceID: s.inject.traceID(seq), knobs: plan.knobs, rand: s.inject.stream(seq)}
	s.after(w, r, &e, plan, rt.handler(call))
}

// after sends the reply of a request that has taken effect, or spoils it.
func (s *Server) after(w http.ResponseWriter, r *http.Request, e *Entry, plan plan, reply Reply) {
	e.fill(reply)
	e.Time = s.clock()
	sent := len(reply.Body)
	switch plan.kind {
	case KindDrop:
		e.Status, e.Lost = 0, true
		s.journal.add(e)
		panic(http.ErrAbortHandler)
	case KindStall:
		s.journal.add(e)
		if !sleep(r.Context(), plan.stall) {
			panic(http.ErrAbortHandler)
		}
		s.send(w, reply, sent)
		return
	case KindServerErrorAfter:
		reply = plan.reply()
		sent = len(reply.Body)
	case KindMalformed:
		reply.Body = malform(reply.Body)
		sent = len(reply.Body)
	case KindTruncate:
		sent /= 2
	}
	if reply.Status == 0 {
		reply.Status = http.StatusOK
	}
	e.Status, e.Lost = reply.Status, plan.kind != KindNone
	s.journal.add(e)
	s.send(w, reply, sent)
}

// answer journals and sends a reply that no service made.
func (s *Server) answer(w http.ResponseWriter, e *Entry, reply Reply) {
	e.fill(reply)
	e.Time = s.clock()
	s.journal.add(e)
	s.send(w, reply, len(reply.Body))
}

// abort journals a request that had no effect and closes its connection.
func (s *Server) abort(e *Entry) {
	e.Time, e.Lost = s.clock(), true
	s.journal.add(e)
	panic(http.ErrAbortHandler)
}

// send writes the reply, and if n is less than its body only so much of it before the connection is closed.
func (s *Server) send(w http.ResponseWriter, reply Reply, n int) {
	h := w.Header()
	h["Content-Type"] = []string{"application/json;charset=UTF-8"}
	for k, v := range reply.Header {
		h[k] = v
	}
	h["Date"] = []string{s.clock().UTC().Format(http.TimeFormat)}
	h["Content-Length"] = []string{strconv.Itoa(len(reply.Body))}
	if reply.Status == 0 {
		reply.Status = http.StatusOK
	}
	w.WriteHeader(reply.Status)
	// A failed write means that the client is gone; the journal already holds the request.
	_, _ = w.Write(reply.Body[:n])
	if n < len(reply.Body) {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

func (s *Server) readBody(w http.ResponseWriter, r *http.Request) (*bytes.Buffer, error) {
	buf, ok := s.bodies.Get().(*bytes.Buffer)
	if !ok {
		buf = new(bytes.Buffer)
	}
	buf.Reset()
	if r.ContentLength > 0 && r.ContentLength <= s.opts.MaxBody {
		buf.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := buf.ReadFrom(http.MaxBytesReader(w, r.Body, s.opts.MaxBody)); err != nil {
		return nil, err
	}
	return buf, nil
}

// unreadable ends a request whose body did not arrive: too large, or its sender is gone.
func (s *Server) unreadable(w http.ResponseWriter, e *Entry, err error) {
	e.Message = err.Error()
	var tooLarge *http.MaxBytesError
	if !asError(err, &tooLarge) {
		s.abort(e)
	}
	s.answer(w, e, textReply(http.StatusRequestEntityTooLarge, "the body is larger than the sandbox reads"))
}

// sleep waits d and reports whether ctx let it finish. Without a wait the context is not looked at: a server does not
// know that its client has gone.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
