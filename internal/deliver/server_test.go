package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// testServer is the test vendor in process, a RoundTripper: state, signatures, limits, faults, a journal. It keeps the
// journal with nothing but its own eyes, so that the checker need not believe the chain.
type testServer struct {
	mu       sync.Mutex
	store    *store
	opaque   bool // a bad row spoils its request, and the answer does not say which it is
	maxRows  int
	maxCalls int           // in flight
	skew     time.Duration // its clock less ours
	latency  func(rnd *rand.Rand) time.Duration
	faults   float64 // share of calls that go wrong
	seed     uint64
	script   func(n int, rows []contact) *scripted // overrides faults; nil: none

	journal  []*entry
	inFlight int
	wrong    []string // what no client may do
	applied  map[int64]int
	busy     map[int64]time.Time
	stopped  []stop
	pools    map[string]map[string]string // in the mode pool: agent → number → name
}

type scripted struct {
	status  int
	header  http.Header
	body    string
	err     error
	before  bool // the answer goes out instead of the import, not after it
	latency time.Duration
}

// stop is a time in which no call may arrive: the client has been told.
type stop struct{ told, until time.Time }

// entry is one call as the server saw it.
type entry struct {
	arrived, left time.Time
	rows          []contact
	applied       []int64
	code          string // what it answered, "" if the answer did not arrive
	refused       map[int64]string
	status        int
}

func newTestServer(mode string) *testServer {
	return &testServer{store: newStore(mode), applied: map[int64]int{}, busy: map[int64]time.Time{}, pools: map[string]map[string]string{}}
}

func (e *entry) ids() []int64 {
	var out []int64
	for i := range e.rows {
		out = append(out, e.rows[i].ID)
	}
	return out
}

func (s *testServer) accuse(format string, args ...any) {
	if len(s.wrong) < 20 {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}

func (s *testServer) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := sent(req)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	now := time.Now()
	e := &entry{arrived: now, rows: rowsOf(body), refused: map[int64]string{}}
	s.journal = append(s.journal, e)
	n := len(s.journal)
	rnd := rand.New(rand.NewPCG(s.seed, uint64(n)))
	s.inFlight++
	s.observe(e)
	plan := s.plan(n, e, rnd)
	status, header, answer, fail := s.handle(e, plan, req, body)
	wait := s.wait(plan, rnd)
	s.mu.Unlock()

	hung := fail == errHang
	leave(req.Context(), wait, hung)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	e.left, e.status = time.Now(), status
	if err := req.Context().Err(); err != nil {
		e.code = ""
		return nil, err
	}
	if fail != nil {
		return nil, fail
	}
	if sec, err := strconv.Atoi(header.Get("Retry-After") + header.Get("X-Wait")); err == nil {
		s.stopped = append(s.stopped, stop{e.left, e.left.Add(time.Duration(sec) * time.Second)})
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(answer)), Request: req}, nil
}

// sent reads a request's body and says so, as http.Transport does.
func sent(req *http.Request) ([]byte, error) {
	body, err := io.ReadAll(req.Body)
	_ = req.Body.Close()
	if t := httptrace.ContextClientTrace(req.Context()); t != nil {
		t.GotConn(httptrace.GotConnInfo{})
		t.WroteRequest(httptrace.WroteRequestInfo{})
	}
	return body, err
}

func leave(ctx context.Context, wait time.Duration, hung bool) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	if hung {
		<-ctx.Done()
		return
	}
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

func (s *testServer) wait(plan *scripted, rnd *rand.Rand) time.Duration {
	if plan != nil && plan.latency > 0 {
		return plan.latency
	}
	if s.latency == nil {
		return 50 * time.Millisecond
	}
	return s.latency(rnd)
}

// observe notes what no client may do. Under the lock.
func (s *testServer) observe(e *entry) {
	if s.inFlight > s.maxCalls && s.maxCalls > 0 {
		s.accuse("%d calls in flight, %d are allowed", s.inFlight, s.maxCalls)
	}
	if len(e.rows) > s.maxRows && s.maxRows > 0 {
		s.accuse("a request of %d rows, %d are allowed", len(e.rows), s.maxRows)
	}
	if len(e.rows) == 0 {
		s.accuse("a request without rows")
	}
	for _, x := range s.stopped {
		if e.arrived.After(x.told) && e.arrived.Before(x.until) {
			s.accuse("a call arrived %s before the stop of its endpoint was over", x.until.Sub(e.arrived))
		}
	}
	for i := range e.rows {
		if until, ok := s.busy[e.rows[i].ID]; ok && e.arrived.Before(until) {
			s.accuse("row %d was sent again %s early", e.rows[i].ID, until.Sub(e.arrived))
		}
	}
}

var errHang = fmt.Errorf("hang")

// plan decides what goes wrong with the n-th call; nil: nothing.
func (s *testServer) plan(n int, e *entry, rnd *rand.Rand) *scripted {
	if s.script != nil {
		return s.script(n, e.rows)
	}
	if rnd.Float64() >= s.faults {
		return nil
	}
	before := rnd.IntN(2) == 0
	retry := http.Header{"Retry-After": {strconv.Itoa(1 + rnd.IntN(20))}}
	switch rnd.IntN(11) {
	case 0:
		return &scripted{err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, before: true}
	case 1:
		return &scripted{err: io.ErrUnexpectedEOF, before: before}
	case 2:
		return &scripted{err: errHang, before: before}
	case 3:
		return &scripted{status: 502, body: "<html>bad gateway", before: before}
	case 4:
		return &scripted{status: 503, header: retry, before: true}
	case 5:
		return &scripted{status: 429, header: retry, before: true}
	case 6:
		return &scripted{status: 429, before: true}
	case 7:
		return &scripted{status: 200, body: "<html>hello", before: before}
	case 8:
		return &scripted{status: 200, body: `{"Code":"o`, before: before}
	case 9:
		return &scripted{status: 200, body: `{"Code":"slow","Wait":3000000000}`, header: http.Header{"X-Wait": {"3"}}, before: true}
	}
	return &scripted{status: 200, body: `{"Code":"again"}`, before: true}
}

// handle is the import. Under the lock.
func (s *testServer) handle(e *entry, plan *scripted, req *http.Request, body []byte) (int, http.Header, []byte, error) {
	header := http.Header{"X-Request-Id": {strconv.Itoa(len(s.journal))}}
	var answer []byte
	if plan == nil || !plan.before {
		r := s.imports(e, req, body, plan == nil)
		if plan == nil {
			e.code = r.Code
		}
		answer, _ = json.Marshal(r)
	}
	if plan == nil {
		return 200, header, answer, nil
	}
	if plan.err != nil {
		return 0, header, nil, plan.err
	}
	for k, v := range plan.header {
		header[k] = v
	}
	return plan.status, header, []byte(plan.body), nil
}

// imports does what the vendor does with a request that reaches it. heard: the answer will reach the client.
func (s *testServer) imports(e *entry, req *http.Request, body []byte, heard bool) reply {
	clock := time.Now().Add(s.skew)
	ts, _ := strconv.ParseInt(req.Header.Get("X-Time"), 10, 64)
	if req.Header.Get("X-Sign") != signature(req.Header.Get("X-Time"), body) {
		s.accuse("a wrong signature")
	}
	if d := clock.Sub(time.Unix(0, ts)); d.Abs() > 5*time.Second {
		return reply{Code: "clock", Clock: clock}
	} else if d != 0 && s.skew == 0 {
		s.accuse("a signature %s old: each attempt needs its own", d)
	}
	bad := map[int]string{}
	for i := range e.rows {
		if code := s.store.refuses(&e.rows[i]); code != "" {
			bad[i] = code
		}
	}
	if s.opaque && len(bad) > 0 {
		for i, code := range bad {
			if len(e.rows) == 1 {
				e.refused[e.rows[i].ID] = code
			}
		}
		return reply{Code: bad[slices.Min(keysOf(bad))]}
	}
	out := reply{Code: "ok"}
	for i := range e.rows {
		c := &e.rows[i]
		if s.store.mode == "pool" && (i == 0 || c.Note != e.rows[i-1].Note) {
			s.pools[c.Note] = map[string]string{}
		}
		if code := bad[i]; code != "" {
			e.refused[c.ID] = code
			out.Rows = append(out.Rows, replyRow{Row: i, Code: code})
			continue
		}
		if _, seen := s.busy[c.ID]; c.Busy && !seen && heard {
			const wait = 60 * time.Second
			s.busy[c.ID] = e.arrived.Add(wait)
			out.Rows = append(out.Rows, replyRow{Row: i, Code: "busy", Wait: wait})
			continue
		}
		if s.store.mode == "pool" {
			s.pools[c.Note][c.WA] = c.Name
		} else {
			s.store.apply(c)
		}
		s.applied[c.ID]++
		e.applied = append(e.applied, c.ID)
	}
	return out
}

func keysOf[V any](m map[int]V) []int {
	var out []int
	for k := range m {
		out = append(out, k)
	}
	return out
}
