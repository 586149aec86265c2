package deliver

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// lateBubble runs a test in fake time with a rig before a lateServer that imports after ten seconds and never fails.
func lateBubble(t *testing.T, f func(t *testing.T, r *rig, s *lateServer)) {
	t.Helper()
	bubble(t, func(t *testing.T, r *rig) {
		s := newLateServer()
		s.plan = func(string, int) *scripted { return nil }
		r.conf.Transport = s
		f(t, r, s)
		for _, x := range s.wrong {
			t.Error(x)
		}
	})
}

// late opens the rig's writer over the late vendor's codec, or what bend makes of it.
func (r *rig) late(s *lateServer, bend ...func(*lateCrooked)) *rig {
	r.conf.Alloc = r.mem
	r.conf.Codec = func(string, *arrow.Schema) (connector.Codec, error) {
		c := newLateCodec(s)
		x := &lateCrooked{lateCodec: c, limits: c.Limits()}
		for _, f := range bend {
			f(x)
		}
		return x, nil
	}
	r.writer = New(r.conf)
	if err := r.writer.Open(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	return r
}

// on answers the n-th call of a path like this, and lets the others pass; n 0: every one.
func on(path string, n int, a scripted) func(string, int) *scripted {
	return func(p string, i int) *scripted {
		if p == path && (n == 0 || i == n) {
			return &a
		}
		return nil
	}
}

func (s *lateServer) clean(t *testing.T, rows []contact) {
	t.Helper()
	for i := range rows {
		if n := len(s.in[rows[i].ID]); n != 1 {
			t.Errorf("row %d was imported %d times", rows[i].ID, n)
		}
	}
}

func wantOpen(t *testing.T, o *outcome, says string) {
	t.Helper()
	if connector.KindOf(o.err) != connector.KindTransient || !strings.Contains(fmt.Sprint(o.err), says) {
		t.Errorf("the run ended with %v, want a transient error that says %q", o.err, says)
	}
	want(t, "rejected", len(o.rejected), 0)
}

// TestPendingIsPolled: token, next step, verdict per row; the key is held all the time, other rows go on.
func TestPendingIsPolled(t *testing.T) {
	lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
		s.slow = 0
		s.plan = func(path string, n int) *scripted {
			if path == "/poll" && n <= 8 {
				return &scripted{status: 200, body: `{"Code":"pending"}`, before: true}
			}
			return nil
		}
		began := time.Now()
		rows := r.some(3)
		rows[1].Bad = "28"
		o := r.late(s).write(rows)
		r.pass(60 * time.Second)
		want(t, "answered", o.done.Load(), false)
		later := r.write(r.some(1, known(rows[0].WA, "")))
		r.settle()
		want(t, "code of the same person's", later.rejected[0].Code, connector.CodeDuplicate)
		want(t, "which names the first", later.rejected[0].Message, `shares an identifier with row "key 1" (row 1 of the rows sent), which came first`)
		want(t, "rejected", o.codes()["not_imported"], 1)
		want(t, "row", o.rejected[0].Row, 1)
		want(t, "attempts", o.rejected[0].Attempts, 1)
		want(t, "delivered", r.writer.Stats().Rows, 2)
		want(t, "polls", r.writer.Stats().Polls, 10)
		want(t, "requests", r.writer.Stats().Requests, 1)
		if d := time.Since(began); d < 151*time.Second || d > 160*time.Second { // 1+2+4+8+16+30+30+30+30
			t.Errorf("nine waits took %s", d)
		}
	})
}

// TestPollLimit: what is never decided ends the run with the rows open, and is not rejected.
func TestPollLimit(t *testing.T) {
	for name, c := range map[string]struct {
		answer scripted
		says   string
	}{
		"pending":    {scripted{status: 200, body: `{"Code":"pending"}`, before: true}, "has not said within 5m0s"},
		"unreadable": {scripted{status: 200, body: "<html>", before: true}, "could not be asked within 5m0s"},
		"422":        {scripted{status: 422, before: true}, "HTTP 422"},
		"502":        {gateway, "HTTP 502"},
		"cut":        {cut, "could not be asked"},
		"next, far":  {scripted{status: 200, body: `{"Code":"pending","Wait":400000000000}`, before: true}, "has not said"},
	} {
		t.Run(name, func(t *testing.T) {
			lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
				r.conf.PollLimit = 5 * time.Minute
				s.plan = on("/poll", 0, c.answer)
				began := time.Now()
				o := r.late(s).write(r.some(3))
				r.settle()
				wantOpen(t, o, c.says)
				if d := time.Since(began); d > 6*time.Minute || (name != "next, far" && d < 5*time.Minute) {
					t.Errorf("the run ended after %s", d)
				}
			})
		})
	}
}

// TestLostReplyIsLookedUp: what was taken is found, and not sent again.
func TestLostReplyIsLookedUp(t *testing.T) {
	for name, answer := range map[string]scripted{"cut": cut, "hang": {err: errHang}, "502": {status: 502}, "unreadable": {status: 200, body: "<html>"}} {
		t.Run(name, func(t *testing.T) {
			lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
				s.pollRows, s.slow = 7, 20*time.Second
				s.pages = pick(name == "cut", 3, 1)
				s.plan = on("/import", 1, answer)
				rows := r.some(20)
				o := r.late(s).write(rows)
				r.settle()
				want(t, "imports", s.calls["/import"], 1)
				want(t, "delivered", r.writer.Stats().Rows, 20)
				s.clean(t, rows)
				if o.err != nil || len(o.rejected) > 0 {
					t.Errorf("answered with %v, %v", o.rejected, o.err)
				}
			})
		})
	}
}

// TestNotThereCounts: only after six look-ups, each over all its pages, a minute after the reply was lost, is a row sent
// again.
func TestNotThereCounts(t *testing.T) {
	for _, pages := range []int{1, 2, 30} {
		lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
			s.pages = pages
			s.plan = on("/import", 1, gateway)
			began := time.Now()
			rows := r.some(20)
			r.late(s).write(rows)
			r.pass(61 * time.Second)
			want(t, "imports before the time", s.calls["/import"], 1)
			r.settle()
			want(t, "imports", s.calls["/import"], 2)
			want(t, "look-ups", s.calls["/lookup"], 6*pages)
			s.clean(t, rows)
			if d := time.Since(began); d > time.Duration(90+3*pages)*time.Second {
				t.Errorf("it took %s", d)
			}
		})
	}
}

// TestDoubtStays: what look-ups cannot tell of is rejected as ambiguous, and not sent.
func TestDoubtStays(t *testing.T) {
	for _, pages := range []int{1, 3} {
		lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
			s.pages = pages
			s.plan = on("/import", 1, gateway)
			o := r.late(s).write(r.some(3, func(c *contact) { c.Note = pick(c.ID == 2, "dark", "") }))
			r.settle()
			want(t, "ambiguous", o.codes()[connector.CodeAmbiguous], 1)
			want(t, "row", o.rejected[0].Row, 1)
			want(t, "look-ups", s.calls["/lookup"], 6*pages)
			want(t, "delivered", r.writer.Stats().Rows, 2)
		})
	}
}

// TestALongWalkMayFail: a step that fails is made again where it was, however long the walk has lasted.
func TestALongWalkMayFail(t *testing.T) {
	lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
		r.conf.RequestsPerSecond, r.conf.PollLimit = 1, time.Minute
		s.pages = 200
		s.plan = func(path string, n int) *scripted {
			if path == "/import" && n == 1 || path == "/lookup" && n == 150 {
				return &gateway
			}
			return nil
		}
		rows := r.some(20)
		r.late(s).write(rows)
		r.settle()
		want(t, "imports", s.calls["/import"], 2)
		want(t, "look-ups", s.calls["/lookup"], 6*200+1)
		s.clean(t, rows)
	})
}

// TestFailedLookUpsDoNotCount: an answer that cannot be read says nothing of the rows.
func TestFailedLookUpsDoNotCount(t *testing.T) {
	lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
		s.plan = func(path string, n int) *scripted {
			switch {
			case path == "/import" && n == 1:
				return &cut
			case path == "/lookup" && n <= 8:
				return &scripted{status: 200, body: "<html>", before: true}
			}
			return nil
		}
		rows := r.some(3)
		r.late(s).write(rows)
		r.settle()
		want(t, "imports", s.calls["/import"], 1)
		s.clean(t, rows)
	})
}

// TestLookupFirst: what an earlier run brought in is delivered without a send, the rest of the first rows is sent once
// it is known not to be there, and later rows do not wait.
func TestLookupFirst(t *testing.T) {
	lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
		s.pollRows, s.straight = 4, 1
		r.conf.LookupFirst = 10
		rows := r.some(30)
		for i := range 6 {
			s.in[rows[i].ID] = []time.Time{time.Now()}
		}
		s.in[rows[6].ID] = []time.Time{time.Now().Add(40 * time.Second)} // accepted by the run before
		r.late(s)
		o := r.write(rows[:15])
		rest := r.write(rows[15:])
		r.pass(10 * time.Second)
		want(t, "the rest is done", rest.done.Load(), true)
		want(t, "the first are done", o.done.Load(), false)
		r.settle()
		want(t, "imports", s.calls["/import"], 2)
		want(t, "delivered", r.writer.Stats().Rows, 30)
		s.clean(t, rows)
	})
}

// TestLookupFirstIsForWhatMustNotBeRepeated: a repeat without harm needs no look-up.
func TestLookupFirstIsForWhatMustNotBeRepeated(t *testing.T) {
	lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
		r.conf.LookupFirst = 10
		r.late(s, func(c *lateCrooked) { c.limits.Idempotent = true }).write(r.some(10))
		r.settle()
		want(t, "look-ups", s.calls["/lookup"], 0)
	})
}

// TestPollsHaveTheirOwnEndpoint: a stop of the polls does not stop requests.
func TestPollsHaveTheirOwnEndpoint(t *testing.T) {
	lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
		s.rows = 10
		s.plan = on("/poll", 1, scripted{status: 429, header: http.Header{"Retry-After": {"120"}}, before: true})
		r.late(s).write(r.some(10))
		r.pass(5 * time.Second)
		r.write(r.some(10))
		r.pass(5 * time.Second)
		want(t, "imports", s.calls["/import"], 2)
		want(t, "polls", s.calls["/poll"], 1)
		r.settle()
		want(t, "delivered", r.writer.Stats().Rows, 20)
	})
}

// TestPollStops: an answer to a poll that says that the cause is not in the rows ends the run.
func TestPollStops(t *testing.T) {
	for name, c := range map[string]struct {
		answer scripted
		bend   func(*lateCrooked)
		kind   connector.Kind
		says   string
	}{
		"401":       {answer: scripted{status: 401, before: true}, kind: connector.KindConfig, says: "credentials"},
		"stop":      {bend: pollSays(connector.Outcome{Stop: connector.KindConfig, Code: "1003"}), kind: connector.KindConfig, says: "1003"},
		"bad rows":  {bend: pollSays(connector.Outcome{Rows: []connector.RowResult{{Row: 7}}}), kind: connector.KindInternal, says: "not in the poll"},
		"bad clock": {bend: pollSays(connector.Outcome{Verdict: connector.VerdictRetry, Clock: time.Unix(1, 0)}), kind: connector.KindConfig, says: "clock"},
		"gone ever": {bend: pollSays(connector.Outcome{Verdict: connector.VerdictRetry, Code: "gone"}), kind: connector.KindTransient, says: "8 sends"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, r *rig) {
				s := newLateServer()
				s.plan = func(string, int) *scripted { return nil }
				if c.bend == nil {
					c.bend = func(*lateCrooked) {}
					s.plan = on("/poll", 0, c.answer)
				}
				r.conf.Transport = s
				o := r.late(s, c.bend).write(r.some(3))
				r.settle()
				want(t, "kind", connector.KindOf(o.err), c.kind)
				if !strings.Contains(fmt.Sprint(o.err), c.says) {
					t.Errorf("the error does not say %q: %v", c.says, o.err)
				}
			})
		})
	}
}

func pollSays(o connector.Outcome) func(*lateCrooked) {
	return func(c *lateCrooked) { c.poll = func(_ string, out *connector.Outcome) { *out = o } }
}

// TestTokensInACircle: a codec that names the same steps over and over does not spin.
func TestTokensInACircle(t *testing.T) {
	for _, length := range []int{2, 3, 17} {
		tokensInACircle(t, length)
	}
}

func tokensInACircle(t *testing.T, length int) {
	lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
		n := 0
		o := r.late(s, func(c *lateCrooked) {
			c.poll = func(_ string, o *connector.Outcome) {
				n++
				*o = connector.Outcome{Verdict: connector.VerdictPending, Token: strings.Repeat("list-", n%length) + "t1"}
			}
		}).write(r.some(3))
		r.settle()
		wantOpen(t, o, "has not said within 15m0s")
		if n > 500 {
			t.Errorf("%d polls in 15 minutes", n)
		}
	})
}

// TestRowsThatCannotBeAskedFor are in doubt if they were sent, and refused for the codec's reason if not.
func TestRowsThatCannotBeAskedFor(t *testing.T) {
	for _, resumed := range []bool{false, true} {
		lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
			s.plan = on("/import", pick(resumed, 9, 1), cut)
			r.conf.LookupFirst = pick(resumed, 3, 0)
			o := r.late(s, func(c *lateCrooked) { c.unaskable = 2 }).write(r.some(3))
			r.settle()
			want(t, "rejected", len(o.rejected), 1)
			want(t, "row", o.rejected[0].Row, 1)
			want(t, "code", o.rejected[0].Code, pick(resumed, connector.CodeTooLong, connector.CodeAmbiguous))
		})
	}
}

// TestDryRunOfAPoller: nothing is sent, so nothing is looked up and nothing waits.
func TestDryRunOfAPoller(t *testing.T) {
	lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
		r.conf.LookupFirst = 2
		n := 0
		r.conf.DryRun = func(*connector.Request) error { n++; return nil }
		r.late(s).write(r.some(5))
		r.settle()
		want(t, "requests shown", n, 1)
		want(t, "calls", len(s.calls), 0)
	})
}

// TestPendingWithoutPoller is a defect of the codec, and ends the run instead of losing rows.
func TestPendingWithoutPoller(t *testing.T) {
	lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
		r.conf.Alloc = r.mem
		r.conf.Codec = func(string, *arrow.Schema) (connector.Codec, error) { return hidden(newLateCodec(s)), nil }
		r.writer = New(r.conf)
		if err := r.writer.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		o := r.write(r.some(2))
		r.settle()
		want(t, "kind", connector.KindOf(o.err), connector.KindInternal)
	})
}

// TestAWaitIsTheRowsOwn: a vendor that says when to ask for a verdict stops neither requests nor polls of other rows.
func TestAWaitIsTheRowsOwn(t *testing.T) {
	for path, body := range map[string]string{"/import": `{"Code":"accepted","Token":"t1","Wait":100000000000}`, "/poll": `{"Code":"pending","Wait":100000000000}`} {
		lateBubble(t, func(t *testing.T, r *rig, s *lateServer) {
			s.plan = on(path, 1, scripted{status: 200, body: body})
			began := time.Now()
			slow := r.late(s).write(r.some(3))
			r.pass(3 * time.Second)
			other := r.write(r.some(3))
			r.pass(10 * time.Second)
			want(t, "other rows are done", other.done.Load(), true)
			r.settle()
			if d := slow.at.Sub(began); d < 100*time.Second || d > 110*time.Second {
				t.Errorf("%s: the rows waited %s, the vendor asked for 100 s", path, d)
			}
		})
	}
}
