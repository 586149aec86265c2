package events_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"github.com/sluicehq/sluice/connector"
	sesandbox "github.com/sluicehq/sluice/connector/socialepoch/sandbox"
	"github.com/sluicehq/sluice/internal/events"
	"github.com/sluicehq/sluice/internal/inbox"
	"github.com/sluicehq/sluice/wire/wiretest"
)

var names = []string{"profile_changes", "follow_ups", connector.StreamRawEvents}

// Two reads are equal, however the batches are cut, and a read from each position gives exactly what came behind it.
func TestEveryPositionGivesTheRest(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{Vary: true, Shuffle: true, Repeat: 3, MaxItems: 9, Seed: 7})
	w.change(18)
	w.bulk(11)
	w.change(18)
	w.bulk(3)
	w.crm.Redeliver(5)
	w.change(1)
	ids := map[string]bool{}
	for _, name := range names {
		c := w.config(name)
		whole := mustRead(t, c, nil)
		if len(whole.rows) < 5 {
			t.Fatalf("%s: %d rows make a poor test", name, len(whole.rows))
		}
		for i, row := range whole.rows {
			var r struct {
				ID  string `json:"event_id"`
				Seq int64  `json:"seq"`
			}
			if err := json.Unmarshal([]byte(row), &r); err != nil || r.ID == "" || ids[name+r.ID] {
				t.Fatalf("%s: row %d: %v, or its id came before: %s", name, i, err, row)
			}
			ids[name+r.ID] = true
		}
		positions := 0
		for _, size := range []int{1, 3, 1000} {
			c.BatchRows = size
			g := mustRead(t, c, nil)
			if !slices.Equal(g.rows, whole.rows) {
				t.Fatalf("%s: with batches of %d rows the rows are others", name, size)
			}
			for _, m := range g.marks {
				positions++
				if rest := mustRead(t, c, m.pos); !slices.Equal(rest.rows, whole.rows[m.rows:]) {
					t.Fatalf("%s: from %s came %d rows, want the last %d", name, m.pos, len(rest.rows), len(whole.rows)-m.rows)
				}
			}
		}
		if end := mustRead(t, c, whole.last()); len(end.rows) > 0 || len(end.marks) > 0 {
			t.Errorf("%s: behind the end are %d rows, %d positions", name, len(end.rows), len(end.marks))
		}
		if positions < len(whole.rows) {
			t.Errorf("%s: only %d positions", name, positions)
		}
	}
}

// What arrives during a read comes with the next, once.
func TestArrivalsDuringARead(t *testing.T) {
	for seed := range uint64(6) {
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, sesandbox.Webhooks{MaxItems: 1 + random.IntN(12), Repeat: random.IntN(4)})
		c := w.config(names[seed%3])
		c.BatchRows = 1 + random.IntN(20)
		var rows []string
		var pos connector.Position
		for range 3 {
			w.change(random.IntN(8))
			r := events.New(c)
			if err := r.Open(t.Context(), pos); err != nil {
				t.Fatal(err)
			}
			w.change(random.IntN(8))
			g := drain(t, r)
			rows = append(rows, g.rows...)
			if last := g.last(); last != nil {
				pos = last
			}
		}
		rows = append(rows, mustRead(t, c, pos).rows...)
		if whole := mustRead(t, c, nil); !slices.Equal(rows, whole.rows) || len(rows) == 0 {
			t.Errorf("seed %d: read bit by bit %d rows, at once %d", seed, len(rows), len(whole.rows))
		}
	}
}

// drain reads what is left, and closes.
func drain(t *testing.T, r *events.Reader) (g got) {
	t.Helper()
	for {
		b, err := r.Read(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		g.add(t, b)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	return g
}

// The suite that every wire passes.
func TestContract(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{MaxItems: 5})
	w.change(40)
	var want []wiretest.Row
	for _, row := range mustRead(t, w.config("profile_changes"), nil).rows {
		want = append(want, wiretest.Row{Stream: "profile_changes", JSON: row})
	}
	wiretest.RunReader(t, wiretest.Harness{
		New: func(mem memory.Allocator, _ io.Reader) connector.Reader {
			c := w.config("profile_changes")
			c.Alloc, c.BatchRows = mem, 3
			return events.New(c)
		},
		Fixed: true, Rows: want, Positions: true, MaxRows: 3, MaxBytes: 1 << 20, Age: time.Minute,
	})
}

// A Reader that follows waits at the end, and gives what comes, at once and once.
func TestFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sesandbox.Webhooks{})
		c := w.config("profile_changes")
		c.Follow = true
		r := events.New(c)
		if err := r.Open(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		var g got
		for n := 1; n <= 3; n++ {
			go func() {
				time.Sleep(time.Minute) // of fake time, with the reader waiting
				w.change(20)
			}()
			for len(g.rows) < 10*n {
				b, err := r.Read(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				g.add(t, b)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			time.Sleep(time.Minute)
			cancel()
		}()
		for {
			b, err := r.Read(ctx)
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				break
			}
			g.add(t, b)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if want := mustRead(t, w.config("profile_changes"), nil); !slices.Equal(g.rows, want.rows) {
			t.Errorf("followed %d rows, the inbox has %d", len(g.rows), len(want.rows))
		}
	})
}

// Until something came in for a Reader, nothing is read and the position stays; then all of it comes, what lay there before
// as well. A Reader that follows asks again, also behind an outage.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sesandbox.Webhooks{})
		w.change(5)
		begun := mustRead(t, w.config("profile_changes"), nil)
		w.change(20)
		c := w.config("profile_changes")
		var some atomic.Bool
		var asked atomic.Int64
		c.Await = func(context.Context) (bool, error) { return some.Load(), nil }
		for _, from := range []connector.Position{nil, begun.last()} {
			if g := mustRead(t, c, from); len(g.rows) > 0 || g.last() != nil {
				t.Errorf("behind %s: %d rows, position %s", from, len(g.rows), g.last())
			}
		}
		c.Follow = true
		c.Await = func(context.Context) (bool, error) {
			if asked.Add(1)%3 == 0 {
				return false, connector.Transientf("", "an outage")
			}
			return some.Load(), nil
		}
		r := events.New(c)
		if err := r.Open(t.Context(), begun.last()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // of fake time
		synctest.Wait()
		if n := asked.Load(); n < 30 {
			t.Errorf("asked %d times in a minute", n)
		}
		some.Store(true)
		g := got{rows: begun.rows}
		want := mustRead(t, w.config("profile_changes"), nil)
		for len(g.rows) < len(want.rows) {
			b, err := r.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			g.add(t, b)
		}
		if err := r.Close(); err != nil || !slices.Equal(g.rows, want.rows) {
			t.Errorf("%v, %d rows, want %d", err, len(g.rows), len(want.rows))
		}
	})
}

// A head that is given bounds the read, whatever has come since.
func TestHead(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{MaxItems: 2})
	w.change(20)
	head, err := w.box.Reader().Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := mustRead(t, w.config("follow_ups"), nil)
	w.change(20)
	c := w.config("follow_ups")
	c.Head = head
	if g := mustRead(t, c, nil); !slices.Equal(g.rows, want.rows) || string(g.last()) != string(want.last()) {
		t.Errorf("got %d rows up to %s, want %d up to %s", len(g.rows), g.last(), len(want.rows), want.last())
	}
}

// An inbox that is empty has a position all the same.
func TestEmptyInbox(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{})
	g := mustRead(t, w.config("follow_ups"), nil)
	if len(g.rows) != 0 || len(g.marks) != 1 {
		t.Fatalf("%d rows, %d positions", len(g.rows), len(g.marks))
	}
	w.change(4)
	if rest := mustRead(t, w.config("follow_ups"), g.last()); len(rest.rows) == 0 || !slices.Equal(rest.rows, mustRead(t, w.config("follow_ups"), nil).rows) {
		t.Errorf("behind %s: %d rows", g.last(), len(rest.rows))
	}
}

func TestPositions(t *testing.T) {
	for _, bad := range []string{`{}`, `{"seq":1}`, `{"v":1}`, `{"seq":1,"v":2}`, `{"seq":-1,"v":1}`, `{"seq":1.5,"v":1}`, `{"seq":"1","v":1}`, `{"seq":9223372036854775807,"v":1}`,
		`{"seq":99999999999999999999,"v":1}`, `{"seq":1,"v":1,"x":1}`, `{"seq":1,"v":1}{}`, `{"seq":1,"v":1}]`, `null`, `1`, `[]`, `x`, ``, `{"seq":null,"v":1}`,
		`{"seq":1,"v":1,"inbox":""}`, `{"seq":1,"v":1,"inbox":"00000000"}`, `{"seq":1,"v":1,"inbox":7}`, `{"seq":1,"v":1,"inbox":"0000002a0"}`} {
		if _, err := events.ParsePosition(connector.Position(bad)); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), connector.ReadAnew) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, tc := range []struct {
		pos     string
		request int64
	}{
		{`{"seq":0,"v":1}`, 0}, {`{"seq":65535,"v":1}`, 0}, {`{"seq":65536,"v":1}`, 0}, {`{"seq":131071,"v":1}`, 1}, {`{"seq":131072,"v":1}`, 1},
		{`{"v":1,"seq":9007199254740993}`, 137438953471}, {`{"seq":131071,"v":1,"inbox":"0000002a"}`, 1}, {`{"seq":131071,"v":1,"inbox":"0000002b"}`, 0},
	} {
		if n, err := events.Consumed(connector.Position(tc.pos), 42); err != nil || n != tc.request {
			t.Errorf("%s: consumed %d, %v; want %d", tc.pos, n, err, tc.request)
		}
	}
	if n, err := events.Consumed(nil, 42); n != 0 || err != nil {
		t.Errorf("none: %d, %v", n, err)
	}
}

// An inbox that has taken the place of another is read from its beginning, or not at all: never from the number that was
// reached in the other one.
func TestReplacedInbox(t *testing.T) {
	was, is := newWorld(t, sesandbox.Webhooks{}), newWorld(t, sesandbox.Webhooks{})
	was.change(2)
	is.change(8)
	before := mustRead(t, was.config("follow_ups"), nil).last()
	c := is.config("follow_ups")
	log := newLog()
	c.Logger = log.logger()
	got, whole := mustRead(t, c, before), mustRead(t, is.config("follow_ups"), nil)
	if len(whole.rows) == 0 || !slices.Equal(got.rows, whole.rows) || string(got.last()) != string(whole.last()) || log.warnings("replaced") != 1 {
		t.Errorf("%d rows of %d, log %q", len(got.rows), len(whole.rows), log.text())
	}
	for _, follow := range []bool{true, false} {
		c.Strict, c.Follow = true, follow
		if _, err := read(t, c, before); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "has been replaced") {
			t.Errorf("follow %v: got %v", follow, err)
		}
	}
}

// swapped is a log whose inbox is replaced by another once it has been read.
type swapped struct {
	inbox.Log
	next inbox.Log
	read bool
}

func (s *swapped) Read(ctx context.Context, q inbox.Query) (inbox.Page, error) {
	if s.read {
		return s.next.Read(ctx, q)
	}
	s.read = true
	return s.Log.Read(ctx, q)
}

func (s *swapped) Head(ctx context.Context) (int64, error) {
	if s.read {
		return s.next.Head(ctx)
	}
	return s.Log.Head(ctx)
}

func (s *swapped) Identity(ctx context.Context) (inbox.Identity, error) {
	if s.read {
		return s.next.Identity(ctx)
	}
	return s.Log.Identity(ctx)
}

// Who follows notices that too, whether the other inbox is shorter or longer by then.
func TestReplacedWhileFollowed(t *testing.T) {
	for _, changes := range []int{1, 30} {
		was, is := newWorld(t, sesandbox.Webhooks{MaxItems: 1}), newWorld(t, sesandbox.Webhooks{MaxItems: 1})
		was.change(8)
		is.change(changes)
		c := was.config("follow_ups")
		c.Log, c.Follow = &swapped{Log: was.box.Reader(), next: is.box.Reader()}, true
		if _, err := read(t, c, nil); connector.KindOf(err) != connector.KindConfig || !strings.Contains(err.Error(), "has been replaced") {
			t.Errorf("%d changes: got %v", changes, err)
		}
	}
}

// A position behind the end reads nothing; where that would be a loss, or lasts for ever, it is an error.
func TestPositionOfTheFuture(t *testing.T) {
	w := newWorld(t, sesandbox.Webhooks{})
	w.change(4)
	future := connector.Position(fmt.Sprintf(`{"seq":%d,"v":1}`, inbox.RowSeq(1000, 0)))
	c := w.config("follow_ups")
	log := newLog()
	c.Logger = log.logger()
	if g := mustRead(t, c, future); len(g.rows) > 0 || len(g.marks) > 0 || !strings.Contains(log.text(), "behind the end") {
		t.Errorf("%d rows, %d positions, log %q", len(g.rows), len(g.marks), log.text())
	}
	for _, follow := range []bool{true, false} {
		c.Follow, c.Strict = follow, !follow
		if _, err := read(t, c, future); connector.KindOf(err) != connector.KindConfig {
			t.Errorf("follow %v: got %v", follow, err)
		}
	}
}
