package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

func TestRouting(t *testing.T) {
	p := newPair()
	s := New(Options{Seed: 3, Clock: func() time.Time { return time.Unix(1_700_000_000, 0) }}, p)
	rt := Transport(s)
	got := do(t.Context(), rt, http.MethodPost, "http://api.example.com/b/9?x=1", "body", "x-kept", "k", "X-SECRET", "s", "Authorization", "Bearer t")
	if got.status != 200 || !strings.Contains(got.body, `"id":"9"`) || !strings.Contains(got.body, `"body":"body"`) || p.b.count() != 1 || p.a.count() != 0 {
		t.Errorf("got %+v", got)
	}
	if want := "Tue, 14 Nov 2023 22:13:20 GMT"; got.header.Get("Date") != want {
		t.Errorf("got Date %q, want the sandbox's clock %q", got.header.Get("Date"), want)
	}
	entries, total := s.Journal()
	e := entries[0]
	want := map[string]string{"X-Kept": "k", "X-Secret": masked, "Authorization": masked}
	if total != 1 || e.Service != "b" || e.Endpoint != "add" || e.Path != "/b/9" || e.Bytes != 4 || e.Keys[0] != "9" || len(e.Header) != len(want) {
		t.Errorf("got %+v", e)
	}
	for k, v := range want {
		if e.Header[k] != v {
			t.Errorf("%s: got %q, want %q", k, e.Header[k], v)
		}
	}
	got = do(t.Context(), rt, http.MethodDelete, "http://x/b/9", "")
	if got.status != 404 || !strings.Contains(got.body, "POST /a/{id}") {
		t.Errorf("got %+v, want the endpoints listed", got)
	}
}

func TestTraceIDs(t *testing.T) {
	trace := func(seed uint64) (ids []string) {
		s := New(Options{Seed: seed}, newPair())
		for range 3 {
			var v struct{ Trace string }
			if err := json.Unmarshal([]byte(post(t, s, 1).body), &v); err != nil {
				t.Fatal(err)
			}
			ids = append(ids, v.Trace)
		}
		return ids
	}
	a, b, c := trace(1), trace(1), trace(2)
	if strings.Join(a, "") != strings.Join(b, "") || a[0] == c[0] || a[0] == a[1] || len(a[0]) != 32 {
		t.Errorf("got %v, %v, %v", a, b, c)
	}
}

func TestJournalIsBounded(t *testing.T) {
	var out bytes.Buffer
	s := New(Options{JournalEntries: 4, Journal: &out}, newPair())
	for i := range 10 {
		post(t, s, i)
	}
	entries, total := s.Journal()
	if total != 10 || len(entries) != 4 || entries[0].Seq != 7 || entries[3].Seq != 10 {
		t.Errorf("got total %d and %+v", total, entries)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 10 {
		t.Fatalf("got %d lines, want 10", len(lines))
	}
	for i, line := range lines {
		var e Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Seq != int64(i+1) || !e.Committed {
			t.Errorf("line %d: got %+v, %v", i, e, err)
		}
	}
}

// brokenWriter fails every write.
type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestJournalFailureShows(t *testing.T) {
	s := New(Options{Journal: brokenWriter{}}, newPair())
	post(t, s, 1)
	got := do(t.Context(), Transport(s), http.MethodGet, "http://x/_sandbox/health", "")
	if got.status != 500 || !strings.Contains(got.body, "disk full") {
		t.Errorf("got %+v", got)
	}
}

func TestAdmin(t *testing.T) {
	p := newPair()
	s := New(Options{Faults: mustFaults(t, "drop=0%")}, p)
	rt := Transport(s)
	admin := func(method, path, body string, status int) string {
		t.Helper()
		got := do(t.Context(), rt, method, "http://x/_sandbox/"+path, body)
		if got.status != status || got.err != nil {
			t.Errorf("%s %s: got %+v, want %d", method, path, got, status)
		}
		return strings.Join(strings.Fields(got.body), "")
	}
	post(t, s, 1)
	post(t, s, 2)
	do(t.Context(), rt, http.MethodGet, "http://x/b", "")

	for _, tt := range []struct{ path, want string }{
		{"state", `{"a":{"commits":2},"b":{"commits":0}}`}, {"state?service=a", `{"commits":2}`}, {"state?summary", `{"a":2,"b":0}`}, {"state?service=a&summary", `2`},
		{"faults", `{"faults":"drop=0%"}`},
	} {
		if got := admin("GET", tt.path, "", 200); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.path, got, tt.want)
		}
	}
	admin("GET", "state?service=c", "", 400)
	if got := admin("GET", "health", "", 200); !strings.Contains(got, `"services":["a","b"],"requests":3`) {
		t.Errorf("got %s", got)
	}
	for path, seqs := range map[string]string{"journal": "123", "journal?service=a": "12", "journal?after=1": "23", "journal?limit=1": "3"} {
		var page journalPage
		if err := json.Unmarshal([]byte(admin("GET", path, "", 200)), &page); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, e := range page.Entries {
			got += string('0' + rune(e.Seq))
		}
		if got != seqs || page.Total != 3 {
			t.Errorf("%s: got %s of %d, want %s of 3", path, got, page.Total, seqs)
		}
	}
	admin("GET", "journal?limit=x", "", 400)

	admin("POST", "faults", "429=x1", 200)
	if got := post(t, s, 1); got.status != 429 {
		t.Errorf("got %+v", got)
	}
	if got := admin("POST", "faults", `{"faults":"html"}`, 200); got != `{"faults":"html=100%"}` {
		t.Errorf("got %s", got)
	}
	for _, bad := range []string{"dorp", `{"fault":"x"}`, "c.drop", "{"} {
		if got := admin("POST", "faults", bad, 400); !strings.Contains(got, "error") {
			t.Errorf("%s: got %s", bad, got)
		}
	}
	if got := admin("POST", "faults", "", 200); got != `{"faults":""}` {
		t.Errorf("got %s", got)
	}
	admin("POST", "reset", "", 200)
	if _, total := s.Journal(); total != 0 || p.a.count() != 0 || s.inject.current().String() != "drop=0%" {
		t.Errorf("after a reset: %d requests, %d commits, faults %s", total, p.a.count(), s.inject.current())
	}
	if state := s.State(); len(state) != 2 {
		t.Errorf("got %v", state)
	}
}

func TestFaultsOfUnknownService(t *testing.T) {
	s := New(Options{Faults: mustFaults(t, "nxlnik.drop")}, newPair())
	if got := post(t, s, 1); got.status != 500 || !strings.Contains(got.body, "it has a, b") {
		t.Errorf("got %+v", got)
	}
	if _, err := s.Start("127.0.0.1:0"); connector.KindOf(err) != connector.KindConfig {
		t.Errorf("got %v", err)
	}
}

func TestBodyTooLarge(t *testing.T) {
	p := newPair()
	s := New(Options{MaxBody: 4}, p)
	if got := post(t, s, 1); got.status != http.StatusRequestEntityTooLarge || p.a.count() != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestTransportKeepsTheRoundTripperContract(t *testing.T) {
	p := newPair()
	s := New(Options{}, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := &closing{Reader: strings.NewReader("x")}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://x/a/1", body)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := Transport(s).RoundTrip(req); !errors.Is(err, context.Canceled) || p.a.count() != 0 {
		t.Errorf("got %v, %v", resp, err)
	}
	if !body.closed {
		t.Error("the body was not closed")
	}
	bug := Transport(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("bug") }))
	defer func() {
		if recover() != "bug" {
			t.Error("a handler's own panic was swallowed")
		}
	}()
	do(t.Context(), bug, http.MethodGet, "http://x/", "")
}

type closing struct {
	io.Reader
	closed bool
}

func (c *closing) Close() error {
	c.closed = true
	return nil
}

// TestOverSockets runs the faults that depend on a connection over a real one.
func TestOverSockets(t *testing.T) {
	p := newPair()
	s := New(Options{}, p)
	run, err := s.Start(":0")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(run.URL, "http://127.0.0.1:") {
		t.Errorf("got %s, want the loopback address", run.URL)
	}
	rt := &http.Transport{}
	send := func(fault string) result {
		return do(t.Context(), rt, http.MethodPost, run.URL+"/a/1", "x", FaultHeader, fault)
	}
	if got := send("none"); got.status != 200 || got.err != nil {
		t.Errorf("got %+v", got)
	}
	if got := send("drop"); !errors.Is(got.err, io.EOF) || p.a.count() != 2 {
		t.Errorf("drop: got %+v, %d commits", got, p.a.count())
	}
	if got := send("drop-before"); !errors.Is(got.err, io.EOF) || p.a.count() != 2 {
		t.Errorf("drop-before: got %+v, %d commits", got, p.a.count())
	}
	if got := send("truncate"); got.status != 200 || !errors.Is(got.err, io.ErrUnexpectedEOF) || p.a.count() != 3 {
		t.Errorf("truncate: got %+v, %d commits", got, p.a.count())
	}
	rt.CloseIdleConnections()

	// A request that only waits does not hold up the end.
	waiting := make(chan result, 1)
	go func() { waiting <- send("stall@1h") }()
	for p.a.count() < 4 {
		if got := do(t.Context(), rt, http.MethodGet, run.URL+"/_sandbox/health", ""); got.status != 200 {
			t.Fatalf("got %+v", got)
		}
	}
	if err := run.Stop(); err != nil {
		t.Error(err)
	}
	if got := <-waiting; got.err == nil {
		t.Errorf("got %+v, want a closed connection", got)
	}
	rt.CloseIdleConnections()
}

func TestServe(t *testing.T) {
	s := New(Options{}, newPair())
	ctx, cancel := context.WithCancel(t.Context())
	var url string
	err := s.Serve(ctx, "127.0.0.1:0", func(u string) {
		url = u
		cancel()
	})
	if err != nil || url == "" {
		t.Errorf("got %v, %q", err, url)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	for _, addr := range []string{ln.Addr().String(), "nonsense"} {
		err := s.Serve(t.Context(), addr, func(string) { t.Error("ready was called") })
		if connector.KindOf(err) != connector.KindConfig {
			t.Errorf("%s: got %v, want a config error", addr, err)
		}
	}
}
