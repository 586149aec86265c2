package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseFaults(t *testing.T) {
	tests := []struct{ in, want string }{
		{"", ""},
		{"429=5%,drop=5%,latency=50ms..200ms,rate=50/60s", "429@1s=5%,drop=5%,latency@50ms..200ms=100%,rate=50/1m0s"},
		{"429@2s=every10 drop=x3", "429@2s=every10,drop=x3"},
		{"5xx", "5xx@503=100%"}, {"5xx@502=0.5%", "5xx@502=0.5%"}, {"5xx-after", "5xx-after@504=100%"},
		{"latency@1s=20%", "latency@1s..1s=20%"}, {"latency=1s", "latency@1s..1s=100%"}, {"stall=x1", "stall@1m0s..1m0s=x1"}, {"stall=5s", "stall@5s..5s=100%"}, {"stall@2m=x1", "stall@2m0s..2m0s=x1"},
		{"500=2%", "5xx@500=2%"}, {"a.502", "a.5xx@502=100%"},
		{"stall", "stall@1m0s..1m0s=100%"}, {"nx.html=1%", "nx.html=1%"}, {"rate=10/s", "rate=10/1s"},
		{"malformed,truncate,drop-before,partial", "malformed=100%,truncate=100%,drop-before=100%,partial=100%"},
	}
	for _, tt := range tests {
		fs, err := ParseFaults(tt.in)
		if err != nil || fs.String() != tt.want {
			t.Errorf("%q: got %q, %v; want %q", tt.in, fs, err, tt.want)
			continue
		}
		again, err := ParseFaults(fs.String())
		if err != nil || again.String() != tt.want {
			t.Errorf("%q does not read back: %q, %v", tt.want, again, err)
		}
	}
	bad := []struct{ in, want string }{
		{"dorp=5%", `"dorp" is not a fault; there are latency, 429`}, {"drop=5", "does not say when"}, {"drop=101%", "not a share"}, {"drop=x0", "does not say when"},
		{"drop=NaN%", "not a share"}, {"drop@1s", "takes nothing behind @"}, {"latency", "say how long"}, {"latency=2s..1s", "ends before it starts"}, {"latency@x=5%", "not a duration"},
		{"5xx@404", "500 to 599"}, {"404", "is not a fault"}, {"500@502", "is not a fault"}, {"rate=5", "REQUESTS/WINDOW"}, {"rate=0/1s", "REQUESTS/WINDOW"}, {"rate=5/x", "not a window"}, {".drop", "before the dot"},
		{"429@-1s", "not a duration"}, {"a=1,b=2", `"b=2"`},
	}
	for _, tt := range bad {
		if _, err := ParseFaults(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %q", tt.in, err, tt.want)
		}
	}
}

// TestKinds pins what each fault does to the client, the state and the journal.
func TestKinds(t *testing.T) {
	tests := []struct {
		fault     string
		status    int
		body      string // contained
		err       bool
		committed bool
		lost      bool
	}{
		{"none", 200, `{"id":"7"`, false, true, false},
		{"429", 429, "too many", false, false, false},
		{"5xx@502", 502, "<html>", false, false, false},
		{"html", 200, "<!DOCTYPE html>", false, false, false},
		{"drop-before", 0, "", true, false, true},
		{"partial", 200, `{"id":"7"`, false, true, false},
		{"5xx-after", 504, "<html>", false, true, true},
		{"malformed", 200, ",}}", false, true, true},
		{"truncate", 200, `{"id":"7"`, true, true, true},
		{"drop", 0, "", true, true, true},
		{"stall@1ms", 200, `{"id":"7"`, false, true, false},
		{"latency@1ms,drop", 0, "", true, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.fault, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair()
				s := New(Options{Faults: mustFaults(t, "drop")}, p) // the header stands in place of these
				got := post(t, s, 7, FaultHeader, tt.fault)
				entries, _ := s.Journal()
				e := entries[0]
				if got.status != tt.status && got.err == nil || !strings.Contains(got.body, tt.body) || (got.err != nil) != tt.err {
					t.Errorf("got %+v", got)
				}
				if tt.err && !errors.Is(got.err, io.ErrUnexpectedEOF) {
					t.Errorf("got error %v, want an unexpected EOF", got.err)
				}
				if got.status == 200 && strings.HasPrefix(got.body, "{") && json.Valid([]byte(got.body)) != !tt.lost {
					t.Errorf("got body %s", got.body)
				}
				if (p.a.count() == 1) != tt.committed || e.Committed != tt.committed || e.Lost != tt.lost {
					t.Errorf("%d commits; journal %+v", p.a.count(), e)
				}
				if tt.fault != "none" && !strings.Contains(e.Fault, strings.Split(strings.Split(tt.fault, "@")[0], ",")[0]) {
					t.Errorf("journal does not name the fault: %+v", e)
				}
				if (p.a.knobs == 1) != (tt.fault == "partial") {
					t.Errorf("the service saw %d knobs", p.a.knobs)
				}
			})
		})
	}
}

func TestFaultHeaderRefused(t *testing.T) {
	s := New(Options{}, newPair())
	for _, h := range []string{"dorp", "drop=5%", "rate=5/1s", "drop,html", "b.drop"} {
		if got := post(t, s, 1, FaultHeader, h); got.status != http.StatusBadRequest {
			t.Errorf("%q: got %+v", h, got)
		}
	}
	if got := post(t, s, 1, FaultHeader, "a.429@90s"); got.status != 429 || got.header.Get("Retry-After") != "90" {
		t.Errorf("got %+v", got)
	}
	if got := post(t, s, 1, FaultHeader, "429@0s"); got.status != 429 || got.header.Get("Retry-After") != "" {
		t.Errorf("got %+v", got)
	}
}

// statuses posts n times and returns the statuses, 0 for an error.
func statuses(t *testing.T, s *Server, n int) []int {
	t.Helper()
	list := make([]int, n)
	for i := range list {
		list[i] = post(t, s, i).status
	}
	return list
}

func TestWhen(t *testing.T) {
	s := New(Options{Faults: mustFaults(t, "429=every3,5xx=x2")}, newPair())
	want := []int{503, 503, 429, 200, 200, 429, 200}
	if got := statuses(t, s, len(want)); !equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// An exact count is not used up by requests that another fault struck.
	s = New(Options{Faults: mustFaults(t, "429=every1,5xx=x2")}, newPair())
	if got := statuses(t, s, 3); !equal(got, []int{429, 429, 429}) {
		t.Errorf("got %v", got)
	}
	if err := s.SetFaults(mustFaults(t, "b.429,5xx=x1")); err != nil {
		t.Fatal(err)
	}
	if got := statuses(t, s, 2); !equal(got, []int{503, 200}) {
		t.Errorf("got %v", got)
	}
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func TestChances(t *testing.T) {
	const n = 4000
	faults := mustFaults(t, "429=5%,drop=10%,5xx=5%")
	run := func(seed uint64) []int {
		return statuses(t, New(Options{Seed: seed, Faults: faults, JournalEntries: 10}, newPair()), n)
	}
	first := run(1)
	count := map[int]int{}
	both := 0
	for i, s := range first {
		count[s]++
		if i > 0 && s == 0 && first[i-1] == 0 {
			both++
		}
	}
	for status, share := range map[int]float64{429: 0.05, 0: 0.95 * 0.1, 503: 0.95 * 0.9 * 0.05} {
		sigma := math.Sqrt(n * share * (1 - share))
		if got := float64(count[status]); math.Abs(got-n*share) > 4*sigma {
			t.Errorf("status %d came %v times, want about %v", status, got, n*share)
		}
	}
	if want := n * 0.095 * 0.095; math.Abs(float64(both)-want) > 5*math.Sqrt(want) {
		t.Errorf("two drops in a row came %d times, want about %v: the draws are not independent", both, want)
	}
	if !equal(first, run(1)) || equal(first, run(2)) {
		t.Error("one seed must give one course, another seed another")
	}
}

func TestRateWindows(t *testing.T) {
	p := newPair()
	now := time.Date(2026, 1, 1, 0, 0, 45, 0, time.UTC)
	s := New(Options{Clock: func() time.Time { return now }, Faults: mustFaults(t, "rate=2/60s")}, p)
	if got := statuses(t, s, 3); !equal(got, []int{200, 200, 429}) {
		t.Errorf("got %v", got)
	}
	if got := post(t, s, 1); got.header.Get("Retry-After") != "15" {
		t.Errorf("got Retry-After %q, want the rest of the window, 15", got.header.Get("Retry-After"))
	}
	rt := Transport(s)
	for _, url := range []string{"http://x/b/1", "http://x/a"} {
		method := http.MethodPost
		if url == "http://x/a" {
			method = http.MethodGet
		}
		if got := do(t.Context(), rt, method, url, ""); got.status != 200 {
			t.Errorf("%s: got %+v; windows are per service and endpoint", url, got)
		}
	}
	now = now.Add(15 * time.Second)
	if got := statuses(t, s, 3); !equal(got, []int{200, 200, 429}) {
		t.Errorf("in the next window got %v", got)
	}
	entries, _ := s.Journal()
	if last := entries[len(entries)-1]; last.Fault != "rate" || last.Committed || last.Status != 429 {
		t.Errorf("got %+v", last)
	}
}

func TestLatencyInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair()
		s := New(Options{Faults: mustFaults(t, "latency=50ms..200ms")}, p)
		start, previous := time.Now(), time.Duration(-1)
		for range 20 {
			before := time.Now()
			if got := post(t, s, 1); got.status != 200 {
				t.Fatalf("got %+v", got)
			}
			took := time.Since(before)
			if took < 50*time.Millisecond || took > 200*time.Millisecond || took == previous {
				t.Errorf("took %s after %s", took, previous)
			}
			previous = took
		}
		if time.Since(start) < time.Second {
			t.Errorf("20 calls took %s", time.Since(start))
		}
		// A cancelled caller is let go at once; before the commit nothing happens, after it the row is in.
		for _, tt := range []struct {
			fault   string
			commits int64
		}{{"latency@1h", 20}, {"stall@1h", 21}} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			before := time.Now()
			got := do(ctx, Transport(s), http.MethodPost, "http://x/a/1", "", FaultHeader, tt.fault)
			cancel()
			if !errors.Is(got.err, context.DeadlineExceeded) || time.Since(before) != time.Second || p.a.count() != tt.commits {
				t.Errorf("%s: got %+v after %s and %d commits", tt.fault, got, time.Since(before), p.a.count())
			}
		}
	})
}

// FuzzParseFaults: what is taken reads back as itself.
func FuzzParseFaults(f *testing.F) {
	for _, s := range []string{"429@2s=every10,drop=x3", "latency=50ms..200ms,rate=50/60s", "a.5xx@502=0.5%", "stall", "=", "@", ".", "latency="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fs, err := ParseFaults(text)
		if err != nil {
			return
		}
		again, err := ParseFaults(fs.String())
		if err != nil || again.String() != fs.String() {
			t.Fatalf("%q: %q reads back as %q, %v", text, fs, again, err)
		}
	})
}
