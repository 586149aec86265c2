package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

func mustEnter(t *testing.T, w *Window[int], bytes int64, value int) *Ticket[int] {
	t.Helper()
	ticket, err := w.Enter(t.Context(), bytes, value)
	if err != nil {
		t.Fatalf("enter: %v", err)
	}
	return ticket
}

// later runs fn in a goroutine and reports whether it has returned.
func later(fn func()) (returned func() bool) {
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	return func() bool {
		synctest.Wait()
		select {
		case <-done:
			return true
		default:
			return false
		}
	}
}

func values(tickets []*Ticket[int]) []int {
	var out []int
	for _, t := range tickets {
		out = append(out, t.Value)
	}
	return out
}

func TestWindowBlocksWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow[int](100)
		a, b := mustEnter(t, w, 60, 1), mustEnter(t, w, 40, 2)
		entered := later(func() { mustEnter(t, w, 30, 3) })
		if entered() {
			t.Fatal("entered a full window")
		}
		b.Settle(0) // not the head: its bytes come back all the same
		if !entered() {
			t.Fatal("did not enter after bytes came back")
		}
		if got := w.Bytes(); got != 90 {
			t.Errorf("bytes: got %d, want 90", got)
		}
		a.Settle(0)
	})
}

func TestWindowDearBatchPassesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow[int](100)
		a := mustEnter(t, w, 10, 1)
		entered := later(func() { mustEnter(t, w, 5000, 2).Settle(0) })
		if entered() {
			t.Fatal("a batch beyond the bound entered beside another")
		}
		a.Settle(0)
		if !entered() {
			t.Fatal("a batch beyond the bound never entered")
		}
	})
}

// TestWindowDeadlockDearBatchBehindHungAck: the positions of settled batches, which wait for a slow Ack, are no reason to
// keep a batch beyond the bound out.
func TestWindowDeadlockDearBatchBehindHungAck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow[int](100)
		mustEnter(t, w, 50, 1).Settle(20)
		if !later(func() { mustEnter(t, w, 5000, 2) })() {
			t.Fatal("Enter waits for Ack")
		}
	})
}

func TestWindowEnterEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow[int](10)
		mustEnter(t, w, 10, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := w.Enter(ctx, 1, 2); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want a deadline", err)
		}
		if got := w.Bytes(); got != 10 {
			t.Errorf("bytes: got %d, want 10", got)
		}
	})
}

func TestWindowGrow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow[int](100)
		head, next := mustEnter(t, w, 50, 1), mustEnter(t, w, 40, 2)
		grown := later(func() { _ = next.Grow(t.Context(), 500) })
		if grown() {
			t.Fatal("a ticket behind the head overdrew")
		}
		if !later(func() { _ = head.Grow(t.Context(), 500) })() {
			t.Fatal("the head could not overdraw")
		}
		head.Settle(0)
		if !grown() {
			t.Fatal("a ticket that became the head could not overdraw")
		}
		if got := w.Bytes(); got != 540 {
			t.Errorf("bytes: got %d, want 540", got)
		}
		next.Settle(0)
		if got := w.Bytes(); got != 0 {
			t.Errorf("bytes: got %d, want 0", got)
		}
	})
}

// TestWindowDeadlockGrowBehindFailedHead: a failed head never leaves the line, but who stands behind it is the oldest
// that holds bytes.
func TestWindowDeadlockGrowBehindFailedHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow[int](100)
		head, next := mustEnter(t, w, 60, 1), mustEnter(t, w, 40, 2)
		head.Fail()
		if !later(func() { _ = next.Grow(t.Context(), 500) })() {
			t.Fatal("Grow waits for a ticket that failed")
		}
	})
}

func TestWindowOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow[int](100)
		var tickets []*Ticket[int]
		for i := range 5 {
			tickets = append(tickets, mustEnter(t, w, 1, i))
		}
		tickets[2].Settle(0)
		tickets[1].Settle(0)
		var got []*Ticket[int]
		next := later(func() { got = w.Next() })
		if next() {
			t.Fatalf("left before the head was settled: %v", values(got))
		}
		tickets[0].Settle(0)
		if !next() || !slices.Equal(values(got), []int{0, 1, 2}) {
			t.Fatalf("got %v, want 0 1 2", values(got))
		}
		tickets[3].Fail()
		tickets[4].Settle(0)
		w.Close()
		if got := w.Next(); got != nil {
			t.Errorf("left behind a failed ticket: %v", values(got))
		}
		if got := values(w.Abandon()); !slices.Equal(got, []int{3, 4}) {
			t.Errorf("left in line: got %v, want 3 4", got)
		}
	})
}

// TestWindowBoundsWhatWaitsForTheHead: bytes come back at settling, but positions and verdicts are memory too.
func TestWindowBoundsWhatWaitsForTheHead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow[int](1000)
		head := mustEnter(t, w, 10, 0)
		var entered atomic.Int64
		full := later(func() {
			for i := 1; ; i++ {
				ticket, err := w.Enter(t.Context(), 50, i)
				if err != nil {
					return
				}
				entered.Add(1)
				ticket.Settle(10)
			}
		})
		if stopped, n := full(), entered.Load(); stopped || n < 50 || n > 100 {
			t.Fatalf("%d batches stand behind the head, want a bound near 95", n)
		}
		head.Settle(10)
		for _, ticket := range w.Next() {
			ticket.Release()
		}
		before := entered.Load()
		synctest.Wait()
		if entered.Load() <= before {
			t.Error("nothing entered after the line had left")
		}
	})
}

func TestWindowSettlesOnce(t *testing.T) {
	w := NewWindow[int](100)
	a := mustEnter(t, w, 10, 1)
	a.Settle(3)
	a.Settle(3)
	a.Fail()
	_ = a.Grow(t.Context(), 50)
	if got := w.Bytes(); got != 3 {
		t.Errorf("bytes: got %d, want 3", got)
	}
	got := w.Next()
	if len(got) != 1 {
		t.Fatalf("got %d tickets, want 1", len(got))
	}
	a.Release()
	a.Release()
	if got := w.Bytes(); got != 0 {
		t.Errorf("bytes: got %d, want 0", got)
	}
}

// TestWindowProperties enters, grows and settles at random and holds the window to its three promises.
func TestWindowProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		limit := rapid.Int64Range(1, 500).Draw(rt, "limit")
		sizes := rapid.SliceOfN(rapid.Int64Range(0, 700), 1, 40).Draw(rt, "sizes")
		grows := rapid.SliceOfN(rapid.Int64Range(0, 300), len(sizes), len(sizes)).Draw(rt, "grows")
		seed := rapid.Uint64().Draw(rt, "seed")
		var faults []string
		synctest.Test(t, func(t *testing.T) { faults = tryWindow(t, limit, sizes, grows, seed) })
		if len(faults) > 0 {
			rt.Fatalf("%v", faults)
		}
	})
}

func tryWindow(t *testing.T, limit int64, sizes, grows []int64, seed uint64) (faults []string) {
	w := NewWindow[int](limit)
	rng := rand.New(rand.NewPCG(seed, 1))
	var settling sync.WaitGroup
	left, acked := 0, make(chan struct{})
	go func() { // the acker, which lags
		defer close(acked)
		for ready := w.Next(); ready != nil; ready = w.Next() {
			for _, ticket := range ready {
				if ticket.Value != left {
					faults = append(faults, fmt.Sprintf("ticket %d left, want %d", ticket.Value, left))
				}
				left++
				<-time.After(time.Duration(left % 7))
				ticket.Release()
			}
		}
	}()
	var over []string
	for i, size := range sizes {
		ticket, err := w.Enter(t.Context(), size, i)
		if err != nil {
			return []string{err.Error()}
		}
		if err := ticket.Grow(t.Context(), grows[i]); err != nil {
			return []string{err.Error()}
		}
		// Only the oldest may have overdrawn, and only one batch may be dearer than the bound.
		if got, most := w.Bytes(), limit+size+grows[i]; got > most {
			over = append(over, fmt.Sprintf("%d bytes held, at most %d allowed", got, most))
		}
		wait, rest := time.Duration(rng.IntN(50)), min(size, rng.Int64N(5))
		settling.Go(func() {
			<-time.After(wait)
			ticket.Settle(rest)
		})
	}
	settling.Wait()
	w.Close()
	<-acked
	if left != len(sizes) {
		faults = append(faults, fmt.Sprintf("%d of %d tickets left", left, len(sizes)))
	}
	if got := w.Bytes(); got != 0 {
		faults = append(faults, fmt.Sprintf("%d bytes held at the end", got))
	}
	return append(faults, over...)
}
