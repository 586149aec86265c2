package deliver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"

	"github.com/sluicehq/sluice/connector"
)

// lateServer is a vendor that accepts with a token and imports later. It imports what it is given as often as it is
// given it, and counts. Rows with Bad are accepted and never get in. A look-up finds only what is in.
type lateServer struct {
	mu       sync.Mutex
	seed     uint64
	faults   float64
	gone     float64       // share of accepted requests that are dropped, which polling tells
	straight float64       // share of requests that are imported at once, without a token
	slow     time.Duration // at most, from acceptance to import
	rows     int           // per request
	pollRows int           // per look-up
	pages    int           // steps of a look-up; 0: 1
	maxCalls int           // in flight, per endpoint
	plan     func(path string, n int) *scripted

	calls    map[string]int
	inFlight map[string]int
	jobs     map[string]*job
	in       map[int64][]time.Time // when the row got in, each time
	heard    map[int64]string      // the last answer about the row that arrived in this run, but for look-ups
	lost     map[int64]bool        // an answer to a request with the row did not arrive
	waits    map[string]time.Time  // token: no poll before
	last     map[string]int64      // person: the row sent last
	separate bool                  // several rows may be of one person
	wrong    []string
}

type job struct {
	rows []contact
	done time.Time
	gone bool
}

type lateReply struct {
	Code  string        // ok, accepted, pending, step, done, gone, page, found, slow
	Token string        `json:",omitempty"`
	In    []int64       `json:",omitempty"`
	Dark  []int64       `json:",omitempty"` // rows that a look-up cannot tell of
	Wait  time.Duration `json:",omitempty"`
}

func newLateServer() *lateServer {
	return &lateServer{
		calls: map[string]int{}, inFlight: map[string]int{}, jobs: map[string]*job{}, in: map[int64][]time.Time{},
		heard: map[int64]string{}, lost: map[int64]bool{}, waits: map[string]time.Time{}, last: map[string]int64{}, rows: 100, pollRows: 100,
	}
}

func (s *lateServer) accuse(format string, args ...any) {
	if len(s.wrong) < 20 {
		s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
	}
}

func (s *lateServer) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := sent(req)
	if err != nil {
		return nil, err
	}
	path, token := req.URL.Path, req.URL.Query().Get("token")
	rows := rowsOf(body)
	s.mu.Lock()
	s.calls[path]++
	s.inFlight[path]++
	total := 0
	for _, n := range s.calls {
		total += n
	}
	rnd := rand.New(rand.NewPCG(s.seed, uint64(total)))
	if s.inFlight[path] > s.maxCalls && s.maxCalls > 0 {
		s.accuse("%d calls of %s in flight, %d are allowed", s.inFlight[path], path, s.maxCalls)
	}
	if req.Header.Get("X-Sign") != signature(req.Header.Get("X-Time"), body) {
		s.accuse("a wrong signature")
	}
	fault := s.fault(path, rnd)
	answer := lateReply{}
	if fault == nil || !fault.before {
		answer = s.handle(path, token, rows, rnd)
	}
	s.mu.Unlock()
	leave(req.Context(), time.Duration(1+rnd.IntN(300))*time.Millisecond, fault != nil && fault.err == errHang)

	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight[path]--
	out := &http.Response{StatusCode: 200, Header: http.Header{}, Request: req}
	b, _ := json.Marshal(answer)
	err = req.Context().Err()
	if fault != nil && err == nil {
		err, b = fault.err, []byte(fault.body)
		if out.StatusCode = fault.status; fault.header != nil {
			out.Header = fault.header
		}
	}
	for i := range rows {
		switch {
		case fault == nil && err == nil && path != "/lookup":
			s.heard[rows[i].ID] = answer.Code
		case path == "/import":
			s.lost[rows[i].ID] = true
		}
	}
	if err != nil {
		return nil, err
	}
	if fault == nil && answer.Wait > 0 {
		s.waits[token] = time.Now().Add(answer.Wait)
	}
	out.Body = io.NopCloser(bytes.NewReader(b))
	return out, nil
}

func (s *lateServer) fault(path string, rnd *rand.Rand) *scripted {
	if s.plan != nil {
		return s.plan(path, s.calls[path])
	}
	if rnd.Float64() >= s.faults {
		return nil
	}
	before := rnd.IntN(2) == 0
	switch rnd.IntN(7) {
	case 0:
		return &scripted{err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, before: true}
	case 1:
		return &scripted{err: errHang, before: before}
	case 2:
		return &scripted{status: 502, body: "<html>bad gateway", before: before}
	case 3:
		return &scripted{status: 429, header: http.Header{"Retry-After": {"3"}}, before: true}
	case 4:
		return &scripted{status: 200, body: "<html>hello", before: before}
	case 5:
		return &scripted{status: 200, body: `{"Code":"slow","Wait":2000000000}`, before: true}
	}
	return &scripted{err: io.ErrUnexpectedEOF, before: before}
}

// handle is what the vendor does with a call that reaches it. Under the lock.
func (s *lateServer) handle(path, token string, rows []contact, rnd *rand.Rand) lateReply {
	now := time.Now()
	switch path {
	case "/import":
		return s.imports(rows, now, rnd)
	case "/lookup":
		return s.lookUp(token, rows, now)
	}
	j := s.jobs[strings.ReplaceAll(token, "list-", "")]
	if now.Before(s.waits[token]) {
		s.accuse("a poll came %s early", s.waits[token].Sub(now))
	}
	for i := range rows {
		if j == nil || !slices.ContainsFunc(j.rows, func(c contact) bool { return c.ID == rows[i].ID }) {
			s.accuse("row %d is asked for by the token of another request", rows[i].ID)
			return lateReply{Code: "pending"}
		}
	}
	switch {
	case now.Before(j.done):
		return lateReply{Code: "pending", Wait: time.Duration(rnd.IntN(3)) * 2 * time.Second}
	case j.gone:
		return lateReply{Code: "gone"}
	case path == "/poll":
		return lateReply{Code: "step", Token: "list-" + token}
	}
	return lateReply{Code: "done", In: s.present(j.rows, now)}
}

func (s *lateServer) imports(rows []contact, now time.Time, rnd *rand.Rand) lateReply {
	if len(rows) > s.rows {
		s.accuse("a request of %d rows, %d are allowed", len(rows), s.rows)
	}
	j := &job{rows: rows, done: now}
	straight := rnd.Float64() < s.straight
	if !straight {
		j.done, j.gone = now.Add(time.Duration(rnd.Int64N(int64(s.slow)+1))), rnd.Float64() < s.gone
	}
	for i := range rows {
		id := rows[i].ID
		if before := s.last[rows[i].WA]; before != id && s.undecided(before) {
			s.accuse("row %d is sent before row %d of the same person is settled", id, before)
		}
		s.last[rows[i].WA] = id
		if s.undecided(id) {
			s.accuse("row %d is sent again, although it was accepted and nobody said that it is gone", id)
		}
		if rows[i].Bad == "" && !j.gone {
			s.in[id] = append(s.in[id], j.done)
		}
	}
	if straight {
		return lateReply{Code: "ok", In: s.present(rows, now)}
	}
	token := fmt.Sprint("t", s.calls["/import"])
	s.jobs[token] = j
	return lateReply{Code: "accepted", Token: token}
}

// undecided tells whether the last answer about the row was that the verdict comes later.
func (s *lateServer) undecided(id int64) bool {
	return s.heard[id] == "accepted" || s.heard[id] == "pending" || s.heard[id] == "step"
}

// lookUp shows one page of the rows that are in, those of all pages by turns.
func (s *lateServer) lookUp(token string, rows []contact, now time.Time) lateReply {
	if len(rows) > s.pollRows {
		s.accuse("a look-up of %d rows, %d are allowed", len(rows), s.pollRows)
	}
	out, page, pages := lateReply{Code: "found"}, 0, int64(max(s.pages, 1))
	if token != "" {
		if _, err := fmt.Sscanf(token, "page-%d", &page); err != nil || int64(page) >= pages {
			s.accuse("a look-up of %q", token)
		}
	}
	for _, id := range s.present(rows, now) {
		if id%pages == int64(page) {
			out.In = append(out.In, id)
		}
	}
	if int64(page) < pages-1 {
		out.Code, out.Token = "page", fmt.Sprint("page-", page+1)
		return out
	}
	for i := range rows {
		if rows[i].Note == "dark" {
			out.Dark = append(out.Dark, rows[i].ID)
		}
	}
	return out
}

// present are the rows that are in.
func (s *lateServer) present(rows []contact, now time.Time) []int64 {
	var out []int64
	for i := range rows {
		if at := s.in[rows[i].ID]; len(at) > 0 && !at[0].After(now) {
			out = append(out, rows[i].ID)
		}
	}
	return out
}

// lateCodec speaks to lateServer.
type lateCodec struct {
	testCodec
}

func newLateCodec(s *lateServer) *lateCodec {
	l := connector.Limits{Rows: s.rows, PollRows: s.pollRows, Splittable: true, Duplicates: connector.DuplicatesReject}
	if s.separate {
		l.Duplicates = connector.DuplicatesSeparate
	}
	return &lateCodec{testCodec{endpoint: "import", limits: l}}
}

func (c *lateCodec) AppendRequest(req *connector.Request, rec arrow.Record) error {
	err := c.testCodec.AppendRequest(req, rec)
	req.URL = "http://crm.test/import"
	return err
}

func (c *lateCodec) AppendPoll(req *connector.Request, token string, rec arrow.Record) error {
	path := "poll"
	switch {
	case token == "" || strings.HasPrefix(token, "page-"):
		path = "lookup"
	case strings.HasPrefix(token, "list-"):
		path = "list"
	}
	lines := rec.Column(0).(*array.String)
	for i := range int(rec.NumRows()) {
		req.Body = append(append(req.Body, lines.Value(i)...), '\n')
	}
	req.Method, req.URL, req.Endpoint = "POST", "http://crm.test/"+path+"?token="+token, path
	return nil
}

func (c *lateCodec) ParseResponse(resp *connector.Response, rec arrow.Record) (connector.Outcome, error) {
	return c.ParsePoll(resp, "", rec)
}

func (c *lateCodec) ParsePoll(resp *connector.Response, _ string, rec arrow.Record) (connector.Outcome, error) {
	var r lateReply
	if err := json.Unmarshal(resp.Body, &r); err != nil {
		return connector.Outcome{}, err
	}
	o := connector.Outcome{Verdict: connector.VerdictPending, Token: r.Token, RetryAfter: r.Wait}
	switch r.Code {
	case "accepted", "pending", "step":
	case "gone":
		o.Verdict = connector.VerdictRetry
	case "slow":
		o.Verdict, o.Throttled = connector.VerdictRetry, true
	case "ok", "done":
		o.Verdict = connector.VerdictDelivered
		o.Rows = missing(rec, r.In, connector.VerdictRejected)
	case "page":
		o.Verdict = connector.VerdictDelivered
		o.Rows = missing(rec, r.In, connector.VerdictPending)
	case "found":
		o.Verdict = connector.VerdictDelivered
		o.Rows = missing(rec, r.In, connector.VerdictRetry)
		for i := range o.Rows {
			if slices.Contains(r.Dark, idOf(rec, o.Rows[i].Row)) {
				o.Rows[i].Verdict = connector.VerdictAmbiguous
			}
		}
	default:
		return o, errors.New("no code")
	}
	return o, nil
}

// Name implements connector.Namer.
func (c *lateCodec) Name(rec arrow.Record, row int) string { return fmt.Sprint("key ", idOf(rec, row)) }

func idOf(rec arrow.Record, row int) int64 {
	c := parseLine(rec.Column(0).(*array.String).Value(row))
	return c.ID
}

// missing gives a verdict to the rows that are not listed.
func missing(rec arrow.Record, in []int64, v connector.Verdict) []connector.RowResult {
	var out []connector.RowResult
	for i := range int(rec.NumRows()) {
		if !slices.Contains(in, idOf(rec, i)) {
			out = append(out, connector.RowResult{Row: i, Verdict: v, Code: "not_imported"})
		}
	}
	return out
}
