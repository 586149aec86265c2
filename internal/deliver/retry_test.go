package deliver

import (
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicehq/sluice/connector"
)

var (
	refused = scripted{err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, before: true}
	cut     = scripted{err: io.ErrUnexpectedEOF}
	gateway = scripted{status: 502, body: "<html>bad gateway</html>", before: true}
)

func (r *rig) at(call int) time.Time { return r.server.journal[call].arrived }

func TestOnlyRowsThatMayStillPassAreSentAgain(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.open()
		rows := r.some(10)
		rows[3].Busy, rows[5].Bad, rows[7].Busy = true, "28", true
		same := r.some(1, known(rows[3].WA, ""))
		o := r.write(append(rows, same...))
		r.write(r.some(100)) // others do not wait for them
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 100, 10, 2, 1)
		if wait := r.at(2).Sub(r.at(0)); wait < 60*time.Second || wait > 61*time.Second {
			t.Errorf("the busy rows were sent again after %s, the vendor asked for 60 s", wait)
		}
		if r.at(3).Before(r.server.journal[2].left) {
			t.Error("a later row of a person overtook the one that waits")
		}
		want(t, "rejected", len(o.rejected), 1)
		want(t, "attempts", o.rejected[0].Attempts, 1)
		want(t, "message", o.rejected[0].Message, "row says 28")
		want(t, "request id", o.rejected[0].RequestID, "1")
	})
}

// TestSends: eight sends a row, with growing waits; then the run ends, and nothing is rejected.
func TestSends(t *testing.T) {
	for name, answer := range map[string]scripted{
		"vendor says again": says("again"),
		"unreadable answer": {status: 200, body: "<html>", before: true},
		"empty answer":      {status: 200, before: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.script = always(answer)
				o := r.open().write(r.some(3))
				r.settle()
				want(t, "calls", r.calls(), 8)
				want(t, "kind", connector.KindOf(o.err), connector.KindTransient)
				want(t, "rejected", len(o.rejected), 0)
				if d := r.at(7).Sub(r.at(0)); d < 2*time.Second || d > 140*time.Second {
					t.Errorf("eight sends took %s", d)
				}
			})
		})
	}
}

func TestMaxAttempts(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.conf.MaxAttempts = 3
		r.server.script = always(says("again"))
		o := r.open().write(r.some(3))
		r.settle()
		want(t, "calls", r.calls(), 3)
		if o.err == nil || !strings.Contains(o.err.Error(), `"please"`) {
			t.Errorf("the vendor's own words are missing: %v", o.err)
		}
	})
}

// TestWhatSpendsNoSend: an endpoint that is away costs rows nothing for a long time.
func TestWhatSpendsNoSend(t *testing.T) {
	for name, answer := range map[string]scripted{
		"refused":            refused,
		"429":                {status: 429, before: true},
		"429 Retry-After":    {status: 429, header: http.Header{"Retry-After": {"7"}}, before: true},
		"503 Retry-After":    {status: 503, header: http.Header{"Retry-After": {"7"}}, before: true},
		"throttled by codec": says("slow"),
		"5xx read by codec":  {status: 500, body: `{"Code":"down"}`, before: true},
		"lost replies":       cut,
		"gateway":            gateway,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.script = first(20, answer)
				r.conf.MaxAttempts = 3
				o := r.open().write(r.some(3))
				r.settle()
				want(t, "calls", r.calls(), 21)
				if o.err != nil || len(o.rejected) > 0 {
					t.Errorf("answered with %v, %v", o.rejected, o.err)
				}
			})
		})
	}
}

// TestOutage: fifteen minutes without one success end the run.
func TestOutage(t *testing.T) {
	for name, answer := range map[string]scripted{
		"refused": refused, "gateway": gateway, "hanging": {err: errHang},
		"throttled": {status: 429, header: http.Header{"Retry-After": {"100000"}}, before: true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.conf.Concurrency = 4
				r.server.script = always(answer)
				began := time.Now()
				o := r.open().write(r.some(500))
				late := r.write(r.some(3))
				r.settle()
				want(t, "kind", connector.KindOf(o.err), connector.KindTransient)
				want(t, "rejected", len(o.rejected), 0)
				if late.err == nil {
					t.Error("a batch in the queue was not answered with the error")
				}
				if d := time.Since(began); d < 15*time.Minute || d > 17*time.Minute {
					t.Errorf("the run ended after %s", d)
				}
				if n := r.calls(); n > 120 {
					t.Errorf("%d calls in an outage", n)
				}
			})
		})
	}
}

// TestPoisonedReply: an endpoint that answers everything but one request is not down, so that one has only its sends.
func TestPoisonedReply(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits.Rows, r.conf.Concurrency = 10, 2
		r.server.script = func(_ int, rows []contact) *scripted {
			for _, c := range rows {
				if c.ID == 5 {
					return &gateway
				}
			}
			return nil
		}
		r.open()
		o := r.write(r.some(100))
		for r.pass(time.Second); !o.done.Load(); r.pass(time.Second) {
			r.write(r.some(100))
		}
		want(t, "kind", connector.KindOf(o.err), connector.KindTransient)
	})
}

func TestTries(t *testing.T) {
	t.Run("a named row is rejected", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			body := `{"Code":"ok","Tries":2,"Rows":[{"Row":1,"Code":"busy","Wait":1000000000}]}`
			n := 0
			r.server.script = func(int, []contact) *scripted {
				n++
				if n == 2 {
					body = strings.ReplaceAll(body, `"Row":1`, `"Row":0`)
				}
				return &scripted{status: 200, body: body}
			}
			o := r.open().write(r.some(2))
			r.settle()
			want(t, "calls", r.calls(), 2)
			want(t, "rejected", len(o.rejected), 1)
			want(t, "row", o.rejected[0].Row, 1)
			want(t, "code", o.rejected[0].Code, "busy")
			want(t, "attempts", o.rejected[0].Attempts, 2)
		})
	})
	t.Run("a whole request ends the run", func(t *testing.T) {
		bubble(t, func(t *testing.T, r *rig) {
			r.server.script = always(scripted{status: 200, body: `{"Code":"again","Tries":2}`, before: true})
			o := r.open().write(r.some(2))
			r.settle()
			want(t, "calls", r.calls(), 2)
			want(t, "kind", connector.KindOf(o.err), connector.KindTransient)
		})
	})
}

// TestThrottleStopsTheEndpoint: every worker stops, one call goes first, and then all again.
func TestThrottleStopsTheEndpoint(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.conf.Concurrency, r.limits.Rows = 4, 10
		r.server.script = func(n int, _ []contact) *scripted {
			if n == 2 {
				return &scripted{status: 429, header: http.Header{"Retry-After": {"30"}}, before: true, latency: 10 * time.Millisecond}
			}
			return nil
		}
		r.open().write(r.some(200))
		r.settle()
		want(t, "told to wait", len(r.server.stopped), 1)
		until := r.server.stopped[0].until
		var after []time.Time
		for _, e := range r.server.journal[4:] {
			after = append(after, e.arrived)
		}
		want(t, "first call after the stop", after[0], until)
		want(t, "the second waits for its success", after[1], until.Add(50*time.Millisecond))
		want(t, "then all go", after[4], after[1])
		want(t, "throttled", r.writer.Stats().Throttled, 1)
		if len(r.server.wrong) > 0 {
			t.Error(r.server.wrong)
		}
	})
}

func TestDeliveredButSlowDown(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		g := testGovernor(0, 1)
		w := &Writer{conf: Config{}.withDefaults()}
		w.endpoint(&call{gov: g, began: time.Now()}, &reading{Outcome: connector.Outcome{RetryAfter: time.Minute}}, time.Now())
		if ok, wake := g.ready(time.Now()); ok || time.Until(wake) != time.Minute {
			t.Errorf("ready %t, wake in %s", ok, time.Until(wake))
		}
	})
}

// TestClock: our clock is an hour off; the request is signed again at once, and later ones rightly from the start.
func TestClock(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.skew = -time.Hour
		o := r.open().write(r.some(250))
		r.settle()
		want(t, "calls", r.calls(), 4)
		want(t, "the second call follows the answer to the first", r.at(1), r.server.journal[0].left)
		want(t, "rejected", len(o.rejected), 0)
		want(t, "signed again", r.writer.Stats().Resigned, 1)
		if o.err != nil {
			t.Error(o.err)
		}
	})
}

func TestClockThatNeverFits(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.server.script = always(scripted{status: 200, body: `{"Code":"clock","Clock":"2020-01-01T00:00:00Z"}`, before: true})
		o := r.open().write(r.some(1))
		r.settle()
		want(t, "calls", r.calls(), clockTries)
		want(t, "kind", connector.KindOf(o.err), connector.KindConfig)
	})
}

func TestStop(t *testing.T) {
	for name, c := range map[string]struct {
		answer scripted
		kind   connector.Kind
		says   string
	}{
		"codec":       {says("auth"), connector.KindConfig, "1003"},
		"401":         {scripted{status: 401, before: true}, connector.KindConfig, "credentials"},
		"403":         {scripted{status: 403, body: "<html>", before: true}, connector.KindConfig, "credentials"},
		"404":         {scripted{status: 404, body: "<html>", before: true}, connector.KindConfig, "base_url"},
		"redirect":    {scripted{status: 302, header: http.Header{"Location": {"http://elsewhere"}}, before: true}, connector.KindConfig, "redirects"},
		"certificate": {scripted{err: x509.UnknownAuthorityError{}, before: true}, connector.KindConfig, "ca_file"},
		"proxy":       {scripted{status: 407, before: true}, connector.KindConfig, "HTTPS_PROXY"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.server.script = always(c.answer)
				o := r.open().write(r.some(150))
				r.settle()
				want(t, "calls", r.calls(), 1)
				want(t, "kind", connector.KindOf(o.err), c.kind)
				if o.err == nil || !strings.Contains(o.err.Error(), c.says) {
					t.Errorf("the message does not say %q: %v", c.says, o.err)
				}
				if o.err != nil && strings.Contains(o.err.Error(), "geheim") {
					t.Errorf("the message shows what is in the address: %v", o.err)
				}
			})
		})
	}
}

func TestStopLetsCallsInFlightSettle(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.conf.Concurrency = 2
		r.server.script = func(_ int, rows []contact) *scripted {
			if rows[0].ID > 100 {
				return &scripted{status: 401, before: true, latency: time.Millisecond}
			}
			return nil
		}
		r.open()
		a, b := r.write(r.some(100)), r.write(r.some(100))
		r.settle()
		if a.err != nil || b.err == nil {
			t.Errorf("the call under way ended with %v, the stopped one with %v", a.err, b.err)
		}
		var code *CodeError
		if errors.As(b.err, &code) {
			t.Error("no code was given")
		}
	})
}

// TestLostReplyOfWhatMustNotBeRepeated: whatever may have arrived is never sent again.
func TestLostReplyOfWhatMustNotBeRepeated(t *testing.T) {
	for name, c := range map[string]struct {
		answer    scripted
		ambiguous int
	}{
		"cut":             {cut, 100},
		"hang":            {scripted{err: errHang}, 100},
		"502":             {gateway, 100},
		"503 Retry-After": {scripted{status: 503, header: http.Header{"Retry-After": {"3"}}, before: true}, 100},
		"unreadable":      {scripted{status: 200, body: "<html>"}, 100},
		"refused":         {refused, 0},
		"429":             {scripted{status: 429, before: true}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.limits.Idempotent = false
				r.server.script = first(1, c.answer)
				o := r.open().write(r.some(150))
				r.settle()
				want(t, "ambiguous", o.codes()[connector.CodeAmbiguous], c.ambiguous)
				if o.err != nil {
					t.Error(o.err)
				}
				want(t, "delivered", r.writer.Stats().Rows, int64(150-c.ambiguous))
			})
		})
	}
}

func TestTimeout(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits.Timeout = 7 * time.Second
		r.server.script = first(1, scripted{err: errHang})
		r.open().write(r.some(1))
		r.settle()
		want(t, "the call was given up after", r.server.journal[0].left.Sub(r.at(0)), 7*time.Second)
	})
}

func TestPace(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.conf.RequestsPerSecond, r.conf.Concurrency, r.limits.Rows = 5, 8, 10
		began := time.Now()
		r.open().write(r.some(500))
		r.settle()
		if d := time.Since(began); d < 9700*time.Millisecond || d > 10*time.Second {
			t.Errorf("50 calls at 5 a second took %s", d)
		}
	})
}

// TestManyLostRepliesOfWhatMustNotBeRepeated: an outage does not turn the whole input into ambiguous rows.
func TestManyLostRepliesOfWhatMustNotBeRepeated(t *testing.T) {
	for name, answer := range map[string]scripted{"gateway": gateway, "hang": {err: errHang}, "web page": {status: 200, body: "<html>", before: true}} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				r.limits.Idempotent = false
				r.server.script = always(answer)
				o := r.open().write(r.some(10_000))
				r.settle()
				want(t, "calls", r.calls(), 8)
				want(t, "kind", connector.KindOf(o.err), connector.KindTransient)
			})
		})
	}
}
