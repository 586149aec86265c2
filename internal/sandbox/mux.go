package sandbox

import (
	"net/http"
	"strings"
	"time"
)

// Service is one vendor's CRM. Register is called once, by New; handlers run concurrently. Dump returns what the
// service holds, as a value that encoding/json can write; it is safe beside running handlers.
type Service interface {
	Name() string
	Register(mux *Mux)
	Dump() any
}

// Group is a Service that consists of several, each with its own name, routes and state. New takes its members in its
// place.
type Group interface {
	Service
	Members() []Service
}

// Resetter is a Service that can be emptied.
type Resetter interface{ Reset() }

// Summarizer is a Service whose state is also worth seeing in figures alone.
type Summarizer interface{ Summary() any }

// Call is one request as a service sees it.
type Call struct {
	*http.Request               // routed; its Body is already read
	Body          []byte        // the exact bytes received; valid until the handler returns
	Now           time.Time     // by the sandbox's clock, after any latency
	Seq           int64         // number of the request since the start or the last reset, from 1
	TraceID       string        // 32 hex digits, the same for the same seed and Seq
	knobs         []string      // vendor quirks asked for by faults
	rand          func() uint64 // seeded per request
}

// Knob reports whether the faults ask for the named quirk on this request; see KindPartial.
func (c *Call) Knob(name string) bool {
	for _, k := range c.knobs {
		if k == name {
			return true
		}
	}
	return false
}

// Rand returns the next of the request's own random numbers; they depend on the seed and on Seq only.
func (c *Call) Rand() uint64 { return c.rand() }

// Reply is a service's answer with what the journal wants to know about it.
type Reply struct {
	Status int // 0: 200
	Header http.Header
	Body   []byte // JSON unless Header says otherwise

	Code    string   // the vendor's own code in the answer
	Message string   // the vendor's own text in the answer
	Rows    int      // rows the request held, 0 where it was not understood
	Keys    []string // one identifier per row, in order; empty where it was not understood
	// Commit is the service's own count of writes that took effect, from 1, taken under the lock that orders them; 0:
	// nothing was written. Entries sorted by Commit are the order of the writes.
	Commit int64
}

// Handler answers one request.
type Handler func(c *Call) Reply

// Mux is where a Service registers its routes.
type Mux struct {
	server  *Server
	service string
}

// Clock returns the sandbox's clock.
func (m *Mux) Clock() func() time.Time { return m.server.clock }

// Handle routes pattern ("POST /path/{id}", as for http.ServeMux) to h. endpoint names it in the journal, in faults and
// in rate windows; several patterns may share one.
func (m *Mux) Handle(pattern, endpoint string, h Handler) {
	rt := &route{service: m.service, endpoint: endpoint, handler: h}
	m.server.patterns = append(m.server.patterns, pattern)
	m.server.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { m.server.serve(rt, w, r) })
}

// Keep names request headers that the journal records as they come.
func (m *Mux) Keep(headers ...string) { m.server.journal.header(headers, false) }

// Mask names request headers whose presence the journal records, never their value.
func (m *Mux) Mask(headers ...string) { m.server.journal.header(headers, true) }

type route struct {
	service, endpoint string
	handler           Handler
}

// flatten puts groups' members in their place.
func flatten(services []Service) []Service {
	var all []Service
	for _, s := range services {
		if g, ok := s.(Group); ok {
			all = append(all, flatten(g.Members())...)
			continue
		}
		all = append(all, s)
	}
	return all
}

func serviceNames(services []Service) []string {
	names := make([]string, len(services))
	for i, s := range services {
		names[i] = s.Name()
	}
	return names
}

func quoteList(names []string) string { return strings.Join(names, ", ") }
