package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

func want[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func wantSlice[T comparable](t *testing.T, what string, got []T, want ...T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestRequestsAreCutAcrossBatches(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.open()
		for range 30 {
			r.write(r.some(11))
		}
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 100, 100, 100, 30)
		want(t, "rows", r.writer.Stats().Rows, 330)
	})
}

func TestRequestIsCutWhenASlotIsFree(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits.Rows = 10
		r.server.latency = nil // 50 ms
		r.open()
		r.write(r.some(10)) // takes the only slot
		for range 8 {
			r.write(r.some(1)) // while it waits, a request fills up
		}
		r.pass(45 * time.Millisecond)
		want(t, "calls while the slot is taken", r.calls(), 1)
		r.write(r.some(2))
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 10, 10)
	})
}

func TestLinger(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.open()
		r.write(r.some(3))
		r.pass(150 * time.Millisecond)
		r.write(r.some(4))
		want(t, "calls before the oldest row has waited", r.calls(), 0)
		r.pass(50 * time.Millisecond)
		wantSlice(t, "at 200 ms the rows so far go", r.sizes(), 7)
		r.pass(time.Second)
		o := r.write(r.some(100))
		r.pass(50 * time.Millisecond)
		want(t, "a full request does not wait", o.done.Load(), true)
		r.write(r.some(5))
		began := time.Now()
		r.settle()
		want(t, "nothing more can come: it goes at once", time.Since(began), 50*time.Millisecond)
	})
}

func TestNoLinger(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.conf.Linger = -1
		r.open()
		o := r.write(r.some(1))
		r.pass(50 * time.Millisecond)
		want(t, "sent at once", o.done.Load(), true)
	})
}

// TestRowOfAKeyWaits: also inside one batch, and for keys that an earlier row tied together.
func TestRowOfAKeyWaits(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.conf.Concurrency = 8
		r.open()
		rows := slices.Concat(r.some(1, known("1", "")), r.some(1, known("1", "a")), r.some(1, known("", "a")),
			r.some(1, known("2", "")), r.some(1, known("3", "b")), r.some(1, known("2", "b")), r.some(1))
		r.write(rows)
		r.settle()
		var got [][]int64
		for _, e := range r.server.journal {
			ids := e.ids()
			slices.Sort(ids)
			got = append(got, ids)
		}
		if s := fmt.Sprint(got); s != "[[1 4 5 7] [2 6] [3]]" {
			t.Errorf("rows were sent as %s", s)
		}
	})
}

// TestAliasOfThePast: the row that tied number and address together is long settled, and still they are one person.
func TestAliasOfThePast(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.conf.Concurrency = 8
		r.limits.Rows = 1
		r.open()
		r.write(r.some(1, known("1", "a")))
		r.pass(time.Second)
		r.write(slices.Concat(r.some(1, known("1", "")), r.some(1, known("", "a"))))
		r.settle()
		j := r.server.journal
		if j[2].arrived.Before(j[1].left) {
			t.Error("two rows of one person were in flight at once")
		}
	})
}

func TestRowsOfOneStreamShareARequest(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.open()
		for i := range 6 {
			o := &outcome{}
			r.out = append(r.out, o)
			b := connector.Batch{Stream: fmt.Sprint(i % 2), Rows: record(r.mem, contactSchema, r.some(5))}
			if err := r.writer.Write(t.Context(), b, o.answer(t)); err != nil {
				t.Fatal(err)
			}
		}
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 15, 15)
	})
}

func TestEmptyAndRefused(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.open()
		o := &outcome{}
		if err := r.writer.Write(t.Context(), connector.Batch{Stream: "s"}, o.answer(t)); err != nil || !o.done.Load() || o.err != nil {
			t.Errorf("a batch without rows: write %v, answered %t, %v", err, o.done.Load(), o.err)
		}
		o = &outcome{}
		b := connector.Batch{Stream: "s", Rows: record(r.mem, contactSchema, r.some(3)),
			Refused: []connector.RowResult{{Row: 0, Code: "bad_utf8"}, {Row: 2, Code: "bad_json"}}}
		if err := r.writer.Write(t.Context(), b, o.answer(t)); err != nil {
			t.Fatal(err)
		}
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 1)
		if len(o.rejected) != 2 || o.rejected[0].Code != "bad_utf8" || o.rejected[1].Row != 2 || o.rejected[0].Attempts != 0 {
			t.Errorf("rejected: %+v", o.rejected)
		}
	})
}

func TestRowsErrorRefusesOnlyThose(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.open()
		rows := r.some(6)
		rows[1].Refuse, rows[4].Refuse = true, true
		o := r.write(rows)
		all := r.write(r.some(2, func(c *contact) { c.Refuse = true }))
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 4)
		want(t, "rejected", len(o.rejected), 2)
		want(t, "row", o.rejected[1].Row, 4)
		want(t, "code", o.rejected[1].Code, connector.CodeTooLong)
		want(t, "rejected of the batch of which nothing is left", len(all.rejected), 2)
	})
}

func TestBodyTooLarge(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits.Bytes = 1000
		r.open()
		rows := r.some(120)
		rows[50].Note = strings.Repeat("y", 2000)
		o := r.write(rows)
		r.settle()
		want(t, "rejected", len(o.rejected), 1)
		want(t, "code", o.rejected[0].Code, connector.CodeTooBig)
		want(t, "row", o.rejected[0].Row, 50)
		want(t, "delivered", r.writer.Stats().Rows, 119)
		if n := r.calls(); n > 9 { // a row is about 28 bytes: 36 fit
			t.Errorf("%d calls, sizes %v", n, r.sizes())
		}
	})
}

func TestDuplicatesReject(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits.Duplicates = connector.DuplicatesReject
		r.open()
		r.write(r.some(3))
		o := r.write(slices.Concat(r.some(1, known("5", "e")), r.some(1, known("5", "f")), r.some(1, known("6", "f")), r.some(1, known("", "e"))))
		r.settle()
		var got []int
		for _, x := range o.rejected {
			got = append(got, x.Row)
			want(t, "code", x.Code, connector.CodeDuplicate)
			if !strings.Contains(x.Message, "row 4 ") {
				t.Errorf("the message names no row 4: %s", x.Message)
			}
		}
		wantSlice(t, "duplicates", got, 1, 3)
		want(t, "delivered", r.writer.Stats().Rows, 5)
	})
}

// A repeat is refused only where the vendor has what it repeats: it waits for that row's verdict, also over a row between
// the two that is itself refused as a repeat, and goes out where that row was refused.
func TestRepeatOfARefusedRow(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits.Duplicates = connector.DuplicatesReject
		r.open()
		badForCodec := func(c *contact) { c.Refuse = true }
		badForVendor := func(c *contact) { c.Bad = "28" }
		o := r.write(slices.Concat(
			r.some(1, known("1", ""), badForCodec), r.some(1, known("2", ""), badForVendor), r.some(1, known("3", "")), // 0 1 2
			r.some(1, known("1", "")), r.some(1, known("2", "")), r.some(1, known("3", "")), // 3 4 5
			r.some(1, known("1", "")), r.some(1, known("2", "")), r.some(1, known("3", "")), // 6 7 8
			r.some(1, known("9", "")), r.some(1, known("8", "x"), badForCodec), r.some(1, known("9", "x")), r.some(1, known("8", "")), // 9 10 11 12
		))
		r.settle()
		var got []string
		for _, x := range o.rejected {
			first := ""
			if x.Code == connector.CodeDuplicate {
				first = " of " + strings.TrimSuffix(strings.TrimPrefix(x.Message, "shares an identifier with "), " of the rows sent, which came first")
			}
			got = append(got, fmt.Sprintf("%d %s%s", x.Row, x.Code, first))
		}
		wantSlice(t, "refused", got, "0 too_long", "1 28", "5 duplicate of row 3", "6 duplicate of row 4", "7 duplicate of row 5",
			"8 duplicate of row 3", "10 too_long", "11 duplicate of row 10")
		want(t, "delivered", r.writer.Stats().Rows, 5)
	})
}

func TestLastWinsIsSeparate(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.limits.Duplicates = connector.DuplicatesLastWins
		r.open()
		r.write(r.some(3, known("1", "")))
		r.settle()
		wantSlice(t, "request sizes", r.sizes(), 1, 1, 1)
	})
}

func TestCancelAnswersEverything(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		ctx, cancel := context.WithCancel(t.Context())
		r.server.script = always(scripted{err: errHang})
		r.conf.Alloc, r.conf.Transport = r.mem, r.server
		r.conf.Codec = func(string, *arrow.Schema) (connector.Codec, error) { return &testCodec{limits: r.limits}, nil }
		r.writer = New(r.conf)
		if err := r.writer.Open(ctx); err != nil {
			t.Fatal(err)
		}
		a, b := r.write(r.some(150)), r.write(r.some(3))
		r.pass(time.Second)
		cancel()
		r.pass(0)
		for _, o := range []*outcome{a, b} {
			if !o.done.Load() || !errors.Is(o.err, context.Canceled) {
				t.Errorf("answered %t with %v", o.done.Load(), o.err)
			}
		}
		err := r.writer.Write(t.Context(), connector.Batch{Stream: "s", Rows: record(r.mem, contactSchema, r.some(1))}, nil)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("write after the end: %v", err)
		}
	})
}

func TestWriteAfterClose(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.open().settle()
		err := r.writer.Write(t.Context(), connector.Batch{Stream: "s", Rows: record(r.mem, contactSchema, r.some(1))}, nil)
		if !errors.Is(err, errClosed) {
			t.Errorf("got %v", err)
		}
	})
}

func TestDryRun(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		var bodies []string
		r.conf.DryRun = func(req *connector.Request) error {
			bodies = append(bodies, string(req.Body))
			if req.Header.Get("X-Sign") != "" {
				t.Error("a dry run signed a request")
			}
			return nil
		}
		o := r.open().write(r.some(130))
		r.settle()
		want(t, "requests", len(bodies), 2)
		want(t, "calls", r.calls(), 0)
		want(t, "rows", r.writer.Stats().Rows, 130)
		want(t, "rejected", len(o.rejected), 0)
	})
}

func TestDryRunError(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		full := errors.New("disk full")
		r.conf.DryRun = func(*connector.Request) error { return full }
		o := r.open().write(r.some(130))
		r.settle()
		if !errors.Is(o.err, full) {
			t.Errorf("got %v", o.err)
		}
	})
}

func TestCodecError(t *testing.T) {
	bubble(t, func(t *testing.T, r *rig) {
		r.open()
		r.writer.conf.Codec = func(string, *arrow.Schema) (connector.Codec, error) {
			return nil, connector.Configf("Map a field", "no identifier is mapped")
		}
		err := r.writer.Write(t.Context(), connector.Batch{Stream: "s", Rows: record(r.mem, contactSchema, r.some(1))}, nil)
		want(t, "kind", connector.KindOf(err), connector.KindConfig)
	})
}
