package deliver

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
)

// TestDefectsAreCaught proves the checker: each defect that a delivery chain could have is planted around the real one,
// and some case of the model test must tell.
func TestDefectsAreCaught(t *testing.T) {
	for _, d := range []struct {
		name  string
		says  string // part of what the checker must say
		plant func(w *world)
	}{
		{"drops a row of a request", "called delivered", func(w *world) { w.wrapWire = wire(dropRow) }},
		{"knows no keys", "was sent before", func(w *world) { w.wrapCodec = codec(func(c *crooked) { c.keys = 0 }) }},
		{"knows only the first key", "serial sender", func(w *world) { w.wrapCodec = codec(func(c *crooked) { c.keys = 1 }) }},
		{"repeats a call that must not be repeated", "a repeat does harm", func(w *world) {
			w.wrapCodec = codec(func(c *crooked) { c.limits.Idempotent = true })
		}},
		{"answers twice", "done was called 2 times", func(w *world) { w.wrapWriter = doneTwice }},
		{"answers early", "does not have it", func(w *world) { w.wrapWriter = doneEarly }},
		{"never answers", "never answered", func(w *world) { w.wrapWriter = doneNever }},
		{"loses rejects", "serial sender's is", func(w *world) { w.wrapWriter = forget }},
		{"rejects the neighbour", "serial sender's is", func(w *world) { w.wrapWriter = neighbour }},
		{"ignores Retry-After", "the stop of its endpoint", func(w *world) { w.wrapWire = wire(noRetryAfter) }},
		{"ignores a row's own wait", "early", func(w *world) { w.wrapCodec = codec(func(c *crooked) { c.hasty = true }) }},
		{"signs once", "its own", func(w *world) { w.wrapCodec = codec(func(c *crooked) { c.signOnce = true }) }},
		{"merges the halves of a suspect", "went next in one of", func(w *world) { w.wrapWire = mergeHalves }},
		{"rejects suspects untested", "never said so", func(w *world) {
			w.wrapCodec = codec(func(c *crooked) {
				c.change = map[connector.Verdict]connector.Verdict{connector.VerdictSuspect: connector.VerdictRejected}
			})
		}},
		{"takes a lost reply for a success", "does not have it", func(w *world) { w.wrapCodec = codec(func(c *crooked) { c.trusting = true }) }},
		{"rejects rows in an outage", "never said so", func(w *world) { w.wrapCodec = codec(func(c *crooked) { c.rejectAgain = true }) }},
		{"sends delivered rows again", "although it was answered", func(w *world) { w.wrapCodec = codec(func(c *crooked) { c.whole = true }) }},
		{"makes too large requests", "are allowed", func(w *world) { w.wrapCodec = codec(func(c *crooked) { c.limits.Rows++ }) }},
		{"makes too many calls at once", "calls in flight", func(w *world) { w.wrapWire = wireTwice }},
	} {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(400) {
				var wrong []string
				synctest.Test(t, func(t *testing.T) {
					w := aWorld(seed)
					w.faults = max(w.faults, 0.1)
					d.plant(w)
					wrong = w.run(t, memory.DefaultAllocator)
				})
				if slices.ContainsFunc(wrong, func(s string) bool { return strings.Contains(s, d.says) }) {
					return
				}
			}
			t.Errorf("nothing said %q", d.says)
		})
	}
}

// crooked is a codec with a defect, which to the checker is a defect of the chain.
type crooked struct {
	*testCodec
	limits      connector.Limits
	keys        int
	hasty       bool
	signOnce    bool
	trusting    bool
	rejectAgain bool
	whole       bool
	change      map[connector.Verdict]connector.Verdict

	once   sync.Once
	signed time.Time
}

func codec(bend func(*crooked)) func(connector.Codec) connector.Codec {
	return func(c connector.Codec) connector.Codec {
		x := &crooked{testCodec: c.(*testCodec), limits: c.Limits(), keys: 9}
		bend(x)
		return x
	}
}

func (c *crooked) Limits() connector.Limits { return c.limits }

func (c *crooked) AppendKeys(dst []uint64, rec arrow.Record, row int) []uint64 {
	keys := c.testCodec.AppendKeys(nil, rec, row)
	return append(dst, keys[:min(c.keys, len(keys))]...)
}

func (c *crooked) Sign(req *connector.Request, now time.Time) error {
	c.once.Do(func() { c.signed = now })
	if c.signOnce {
		now = c.signed
	}
	return c.testCodec.Sign(req, now)
}

func (c *crooked) ParseResponse(resp *connector.Response, rec arrow.Record) (connector.Outcome, error) {
	o, err := c.testCodec.ParseResponse(resp, rec)
	if err != nil && c.trusting {
		return connector.Outcome{}, nil
	}
	if v, ok := c.change[o.Verdict]; ok {
		o.Verdict = v
	}
	if c.rejectAgain && (err != nil || o.Code == "again") {
		return connector.Outcome{Verdict: connector.VerdictRejected, Code: "500"}, nil
	}
	for i := range o.Rows {
		if c.hasty {
			o.Rows[i].RetryAfter = 0
		}
		if c.whole && o.Rows[i].Verdict == connector.VerdictRetry {
			o.Rows, o.Verdict = nil, connector.VerdictRetry
			break
		}
	}
	return o, err
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func wire(f func(http.RoundTripper, *http.Request) (*http.Response, error)) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTrip(func(r *http.Request) (*http.Response, error) { return f(next, r) })
	}
}

// resend sends another body in place of a request's, properly signed.
func resend(next http.RoundTripper, r *http.Request, body []byte) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.Header.Set("X-Sign", signature(r.Header.Get("X-Time"), body))
	return next.RoundTrip(r)
}

func bodyOf(r *http.Request) []byte {
	b, _ := io.ReadAll(r.Body)
	r.Body.Close()
	return b
}

func dropRow(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	b := bodyOf(r)
	if i := bytes.IndexByte(b, '\n') + 1; i < len(b) {
		b = b[i:]
	}
	return resend(next, r, b)
}

func noRetryAfter(next http.RoundTripper, r *http.Request) (*http.Response, error) {
	resp, err := next.RoundTrip(r)
	if err == nil {
		resp.Header.Del("Retry-After")
	}
	return resp, err
}

// wireTwice makes each call a second time, beside it.
func wireTwice(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		b := bodyOf(r)
		second := make(chan struct{})
		go func() {
			defer close(second)
			if resp, err := resend(next, r, b); err == nil {
				resp.Body.Close()
			}
		}()
		resp, err := resend(next, r, b)
		<-second
		return resp, err
	})
}

// mergeHalves holds a call that is part of a suspect request until another part comes, and sends both as one.
func mergeHalves(next http.RoundTripper) http.RoundTripper {
	var (
		mu       sync.Mutex
		suspects = map[string]int{} // line → number of the suspect request
		n        int
		held     = map[int][]byte{}
	)
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		body := bodyOf(r)
		lines := strings.SplitAfter(strings.TrimSuffix(string(body), "\n"), "\n")
		mu.Lock()
		if id := suspects[strings.TrimSpace(lines[0])]; id > 0 && len(lines) > 1 {
			if other := held[id]; other != nil {
				body = append(slices.Clone(other), body...)
				delete(held, id)
			} else {
				held[id] = body
			}
		}
		mu.Unlock()
		resp, err := resend(next, r, body)
		if err != nil || resp.StatusCode != http.StatusOK {
			return resp, err
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body = io.NopCloser(bytes.NewReader(answer))
		if len(lines) > 1 && (bytes.Contains(answer, []byte(`"28"`)) || bytes.Contains(answer, []byte(`"22"`))) {
			mu.Lock()
			n++
			for _, l := range lines {
				suspects[strings.TrimSpace(l)] = n
			}
			mu.Unlock()
		}
		return resp, err
	})
}

// bent is a Writer whose answers pass through a defect.
type bent struct {
	connector.Writer
	bend func(rows int, done func([]connector.RowResult, error)) func([]connector.RowResult, error)
}

func (b bent) Write(ctx context.Context, in connector.Batch, done func([]connector.RowResult, error)) error {
	return b.Writer.Write(ctx, in, b.bend(in.NumRows(), done))
}

type answer = func([]connector.RowResult, error)

func doneTwice(w connector.Writer) connector.Writer {
	return bent{w, func(_ int, done answer) answer {
		return func(r []connector.RowResult, err error) { done(r, err); done(r, err) }
	}}
}

func doneEarly(w connector.Writer) connector.Writer {
	return bent{w, func(_ int, done answer) answer {
		done(nil, nil)
		return func([]connector.RowResult, error) {}
	}}
}

func doneNever(w connector.Writer) connector.Writer {
	return bent{w, func(_ int, _ answer) answer { return func([]connector.RowResult, error) {} }}
}

func forget(w connector.Writer) connector.Writer {
	return bent{w, func(_ int, done answer) answer {
		return func(_ []connector.RowResult, err error) { done(nil, err) }
	}}
}

func neighbour(w connector.Writer) connector.Writer {
	return bent{w, func(rows int, done answer) answer {
		return func(r []connector.RowResult, err error) {
			if len(r) == 1 && rows > 1 {
				r[0].Row = (r[0].Row + 1) % rows
			}
			done(r, err)
		}
	}}
}
