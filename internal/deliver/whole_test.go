package deliver

import (
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// wholes is a rig whose requests must not be cut.
func wholes(t *testing.T, f func(t *testing.T, r *rig)) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits.Splittable = false
		f(t, r)
	})
}

// TestWholeIsNeverJoined: small batches are not collected, nor does one wait for more rows.
func TestWholeIsNeverJoined(t *testing.T) {
	wholes(t, func(t *testing.T, r *rig) {
		r.open()
		start := time.Now()
		r.write(r.some(2))
		r.write(r.some(3))
		r.write(r.some(100))
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 2, 3, 100)
		want(t, "the first call's wait", r.at(0).Sub(start), 0)
	})
}

// TestWholeIsSentAgainAsOne: rows that the vendor sends back take the others along, after the longest of their waits; what
// was rejected stays away.
func TestWholeIsSentAgainAsOne(t *testing.T) {
	wholes(t, func(t *testing.T, r *rig) {
		rows := r.some(6)
		rows[1].Busy, rows[3].Bad = true, "28"
		o := r.open().write(rows)
		later := r.write(r.some(1))
		r.pass(30 * time.Second)
		want(t, "answered", o.done.Load(), false)
		want(t, "a later batch without groups waits", later.done.Load(), false)
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 6, 5, 1)
		if wait := r.at(1).Sub(r.at(0)); wait < time.Minute || wait > 62*time.Second {
			t.Errorf("it was sent again after %s, the vendor asked for a minute", wait)
		}
		want(t, "rejected", len(o.rejected), 1)
		want(t, "delivered", r.writer.Stats().Rows, 6)
	})
}

// TestWholeSuspects: the rows that may be bad are rejected, whether all of them or one, and nothing is sent alone.
func TestWholeSuspects(t *testing.T) {
	for body, rejected := range map[string]int{
		`{"Code":"28"}`: 5,
		`{"Code":"ok","Rows":[{"Row":2,"Code":"suspect"}]}`:                            1,
		`{"Code":"ok","Rows":[{"Row":1,"Code":"suspect"},{"Row":2,"Code":"suspect"}]}`: 2,
		`{"Code":"ok","Rows":[{"Row":0,"Code":"28"},{"Row":4,"Code":"suspect"}]}`:      2,
		`{"Code":"ok","Rows":[{"Row":0,"Code":"22"},{"Row":4,"Code":"suspect"}]}`:      2,
	} {
		wholes(t, func(t *testing.T, r *rig) {
			r.limits.SplitAfter = time.Minute
			r.server.script = always(scripted{status: 200, body: body, before: true})
			o := r.open().write(r.some(5))
			r.settle()
			want(t, "calls", r.calls(), 1)
			want(t, "rejected by "+body, len(o.rejected), rejected)
		})
	}
}

// TestWholeOutage: a batch whose vendor is down stays open, and no row of it is rejected.
func TestWholeOutage(t *testing.T) {
	wholes(t, func(t *testing.T, r *rig) {
		r.server.script = always(gateway)
		o := r.open().write(r.some(5))
		r.settle()
		want(t, "kind", connector.KindOf(o.err), connector.KindTransient)
		want(t, "rejected", len(o.rejected), 0)
	})
}

// TestWholeTooLarge: more rows or bytes than a request may hold are rejected without a call.
func TestWholeTooLarge(t *testing.T) {
	for _, limits := range []connector.Limits{{Rows: 4}, {Rows: 100, Bytes: 20}} {
		wholes(t, func(t *testing.T, r *rig) {
			r.limits = limits
			rows := r.some(5)
			rows = append(rows, rows[4])
			o := r.open().write(rows)
			r.settle()
			want(t, "calls", r.calls(), 0)
			want(t, "too large", o.codes()[connector.CodeTooBig], 5)
			want(t, "duplicates", o.codes()[connector.CodeDuplicate], 1)
		})
	}
}

// TestWholeDuplicates: where the last does not win, the later row of a contact is rejected.
func TestWholeDuplicates(t *testing.T) {
	wholes(t, func(t *testing.T, r *rig) {
		rows := r.some(3)
		rows = append(rows, r.some(1, known(rows[0].WA, ""))...)
		o := r.open().write(rows)
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 3)
		want(t, "rejected", len(o.rejected), 1)
		want(t, "row", o.rejected[0].Row, 3)
		if !strings.Contains(o.rejected[0].Message, "row 1 of the same request") {
			t.Errorf("message: %s", o.rejected[0].Message)
		}
	})
}

// TestWholeClockAndTries: a wrong clock and limited tries are the request's, not a row's.
func TestWholeClockAndTries(t *testing.T) {
	wholes(t, func(t *testing.T, r *rig) {
		r.server.skew = time.Hour
		r.server.script = func(n int, _ []contact) *scripted {
			if n == 2 || n == 3 {
				return &scripted{status: 200, before: true, body: `{"Code":"ok","Tries":2,"Rows":[{"Row":1,"Code":"busy"}]}`}
			}
			return nil
		}
		o := r.open().write(r.some(4))
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 4, 4, 4)
		want(t, "rejected", len(o.rejected), 1)
		want(t, "attempts", o.rejected[0].Attempts, 3)
		want(t, "delivered", r.writer.Stats().Rows, 3)
	})
}

// TestWholeRefusedAtTheDoor: rows refused when read leave the rest whole.
func TestWholeRefusedAtTheDoor(t *testing.T) {
	wholes(t, func(t *testing.T, r *rig) {
		r.open()
		o := &outcome{}
		b := connector.Batch{Stream: "s", Rows: record(r.mem, contactSchema, r.some(3)),
			Refused: []connector.RowResult{{Row: 1, Code: connector.CodeBadUTF8}}}
		if err := r.writer.Write(t.Context(), b, o.answer(t)); err != nil {
			t.Fatal(err)
		}
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 2)
		want(t, "rejected", len(o.rejected), 1)
	})
}

type pollingCodec struct {
	*testCodec
	connector.Poller
}

func TestWholeWithPollerIsRefused(t *testing.T) {
	wholes(t, func(t *testing.T, r *rig) {
		r.conf.Transport = r.server
		r.conf.Codec = func(string, *arrow.Schema) (connector.Codec, error) { return pollingCodec{&testCodec{}, nil}, nil }
		w := New(r.conf)
		if err := w.Open(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := w.Write(t.Context(), connector.Batch{Stream: "s", Rows: record(r.mem, contactSchema, r.some(1))}, nil)
		want(t, "kind", connector.KindOf(err), connector.KindInternal)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
}
