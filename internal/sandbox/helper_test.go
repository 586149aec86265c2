package sandbox

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// counter is a service that counts the calls that took effect.
type counter struct {
	name string

	mu      sync.Mutex
	commits int64
	knobs   int
}

func (c *counter) Name() string { return c.name }

func (c *counter) Register(mux *Mux) {
	mux.Keep("X-Kept")
	mux.Mask("X-Secret")
	mux.Handle("POST /"+c.name+"/{id}", "add", func(call *Call) Reply {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.commits++
		if call.Knob("partial") {
			c.knobs++
		}
		return Reply{
			Body: []byte(`{"id":"` + call.PathValue("id") + `","trace":"` + call.TraceID + `","body":"` + string(call.Body) + `"}`),
			Code: "0", Rows: 1, Keys: []string{call.PathValue("id")}, Commit: c.commits,
		}
	})
	mux.Handle("GET /"+c.name, "get", func(*Call) Reply { return Reply{Body: []byte(`{}`), Code: "0"} })
}

func (c *counter) Dump() any { return map[string]int64{"commits": c.count()} }

func (c *counter) Summary() any { return c.count() }

func (c *counter) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.commits = 0
}

func (c *counter) count() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.commits
}

// pair is a group of two counters.
type pair struct{ a, b *counter }

func (p pair) Name() string       { return "pair" }
func (p pair) Register(*Mux)      {}
func (p pair) Dump() any          { return nil }
func (p pair) Members() []Service { return []Service{p.a, p.b} }

func newPair() pair { return pair{&counter{name: "a"}, &counter{name: "b"}} }

func mustFaults(t *testing.T, text string) Faults {
	t.Helper()
	fs, err := ParseFaults(text)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// result is what a client saw.
type result struct {
	status int
	header http.Header
	body   string
	err    error // of the call or of reading its body
}

func do(ctx context.Context, rt http.RoundTripper, method, url, body string, header ...string) result {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return result{err: err}
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return result{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return result{resp.StatusCode, resp.Header, string(b), err}
}

func post(t *testing.T, s *Server, n int, header ...string) result {
	t.Helper()
	return do(t.Context(), Transport(s), http.MethodPost, "http://x/a/"+strconv.Itoa(n), "hello", header...)
}
