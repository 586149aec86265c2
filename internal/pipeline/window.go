package pipeline

import (
	"context"
	"sync"
)

// Window bounds, in bytes, what lies between Read and Settle, and gives the values of settled tickets out in the order
// in which they entered. T is what a ticket carries. All methods are safe for concurrent use.
//
// Bytes and order are kept apart on purpose. Settle gives a ticket's bytes back at once, wherever it stands, so one slow
// batch at the head does not stop the reading; only the ticket's value waits for the head. What is still held for a
// settled ticket (its position, its verdicts) is the small rest given to Settle: it counts until Release, so that even a
// head that waits for a quarter of an hour cannot make the line behind it grow without bound.
type Window[T any] struct {
	mu      sync.Mutex
	limit   int64
	held    int64         // bytes of open tickets
	rest    int64         // bytes of settled tickets that were not released yet
	open    int           // tickets neither settled nor failed
	line    []*Ticket[T]  // in order of entry; line[0] is the head
	first   int           // index in line before which no ticket is open
	closed  bool          // no ticket will be settled any more
	changed chan struct{} // closed at the next change; nil while nobody waits
}

// Ticket is one batch's place in a Window.
type Ticket[T any] struct {
	Value  T
	window *Window[T]
	state  ticketState
	bytes  int64 // counted in held while open, in rest once settled
}

type ticketState uint8

const (
	ticketOpen ticketState = iota
	ticketSettled
	ticketFailed
	ticketReleased
)

// NewWindow returns a Window that holds up to limit bytes.
func NewWindow[T any](limit int64) *Window[T] { return &Window[T]{limit: limit} }

// Enter takes a place at the end of the line. It blocks until the bytes fit, or, for what is dearer than the whole
// window, until no other ticket is open. The only error is ctx's.
func (w *Window[T]) Enter(ctx context.Context, bytes int64, value T) (*Ticket[T], error) {
	t := &Ticket[T]{Value: value, window: w, bytes: bytes}
	err := w.wait(ctx, func() bool {
		if w.held+w.rest+bytes > w.limit && (w.open > 0 || w.rest > w.limit) {
			return false
		}
		w.held += bytes
		w.open++
		w.line = append(w.line, t)
		return true
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Grow adds to an open ticket's bytes. It blocks until they fit or until every ticket before it is settled or failed:
// the oldest open ticket may always overdraw, for the window cannot empty without it.
func (t *Ticket[T]) Grow(ctx context.Context, bytes int64) error {
	w := t.window
	return w.wait(ctx, func() bool {
		if t.state != ticketOpen {
			return true // answered meanwhile; there is nothing left to count
		}
		if bytes > 0 && w.held+w.rest+bytes > w.limit && w.oldest() != t {
			return false
		}
		t.bytes += bytes
		w.held += bytes
		return true
	})
}

// Settle gives the ticket's bytes back but for rest, which counts until Release. A ticket settles or fails once; what
// comes later is ignored.
func (t *Ticket[T]) Settle(rest int64) { t.answer(ticketSettled, rest) }

// Fail gives the bytes back too, but the ticket never leaves the line and nothing behind it does.
func (t *Ticket[T]) Fail() { t.answer(ticketFailed, 0) }

func (t *Ticket[T]) answer(state ticketState, rest int64) {
	w := t.window
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.state != ticketOpen {
		return
	}
	t.state = state
	w.held -= t.bytes
	w.open--
	t.bytes = rest
	w.rest += rest
	w.signal()
}

// Release says that the value of a ticket from Next was dealt with.
func (t *Ticket[T]) Release() {
	w := t.window
	w.mu.Lock()
	defer w.mu.Unlock()
	if t.state != ticketSettled {
		return
	}
	t.state = ticketReleased
	w.rest -= t.bytes
	w.signal()
}

// Next waits until the head of the line is settled and takes it out, with every settled ticket that stands right
// behind it. nil: the window is closed and its head will not settle.
func (w *Window[T]) Next() []*Ticket[T] {
	var out []*Ticket[T]
	_ = w.wait(context.Background(), func() bool {
		n := 0
		for n < len(w.line) && w.line[n].state == ticketSettled {
			n++
		}
		out = append(out, w.line[:n]...)
		clear(w.line[:n])
		w.line = w.line[n:]
		w.first = max(w.first-n, 0)
		return n > 0 || w.closed
	})
	return out
}

// Close says that no ticket will enter or settle any more: Next gives out what is settled at the head, then nil.
func (w *Window[T]) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	w.signal()
}

// Abandon closes the window and empties its line, so that Next gives out nothing more. It returns what stood there.
func (w *Window[T]) Abandon() []*Ticket[T] {
	w.mu.Lock()
	defer w.mu.Unlock()
	line := w.line
	w.line, w.first, w.closed = nil, 0, true
	w.signal()
	return line
}

// Bytes returns what the window counts now.
func (w *Window[T]) Bytes() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.held + w.rest
}

// oldest returns the first open ticket of the line, nil if none is open. Tickets never open again, so first only moves on.
func (w *Window[T]) oldest() *Ticket[T] {
	for w.first < len(w.line) && w.line[w.first].state != ticketOpen {
		w.first++
	}
	if w.first < len(w.line) {
		return w.line[w.first]
	}
	return nil
}

// wait calls ready, with the lock held, at once and after every change, until it returns true or ctx ends.
func (w *Window[T]) wait(ctx context.Context, ready func() bool) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		w.mu.Lock()
		if ready() {
			w.signal()
			w.mu.Unlock()
			return nil
		}
		if w.changed == nil {
			w.changed = make(chan struct{})
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// signal wakes all that wait. The lock is held.
func (w *Window[T]) signal() {
	if w.changed != nil {
		close(w.changed)
		w.changed = nil
	}
}
