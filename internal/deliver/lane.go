package deliver

import (
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// lane is the queue of one codec: only rows of one stream and schema can share a request. From the front, it holds
// rows that came back, then the fresh ones.
type lane struct {
	stream string
	schema *arrow.Schema
	codec  connector.Codec
	signer connector.Signer // nil: not signed
	poller connector.Poller // nil: every verdict is in the answer
	namer  connector.Namer  // nil: rows have numbers only
	limits connector.Limits

	whole   bool              // a batch is one request, see whole.go
	grouper connector.Grouper // nil: it knows no groups

	gov      *governor // of the endpoint that the codec last named; nil before its first request
	learning bool      // that first request is under way

	units []*unit // sets of rows that are sent as they are
	ready heap    // rows that may go now and that the cursor has passed
	fresh []*batch
	head  int // fresh[:head] is used up
	free  int // fresh rows that wait for nothing
	doubt doubt

	lock    locking
	learns  bool // a row was sent alone to find out
	lessons int  // such rows so far

	asks         []*ask    // rows whose verdict is asked for
	lookGov      *governor // of the endpoint that look-ups last went to; nil before the first
	lookLearning bool      // that first look-up is under way
	marked       bool      // rows may have to be looked up before they are sent

	rows     int64   // rows written
	rowBytes float64 // body bytes per row, as lately seen
}

// unit is a set of rows that goes as one request and is not merged with others: part of a suspect request, or a request
// that is sent again as it was.
type unit struct {
	rows   []*row
	at     time.Time // not before
	part   bool      // of a request, and not one as it was cut
	clocks int       // sends that ended with the vendor calling our clock wrong
	probe  *suspect  // the suspect that this single row was taken from
	split  bool      // at is there because the vendor may lock what it has just taken
	learns bool      // this single row is to show whether it does
}

func newLane(stream string, schema *arrow.Schema, codec connector.Codec) *lane {
	l := &lane{stream: stream, schema: schema, codec: codec, limits: codec.Limits(), ready: heap{less: (*row).before}}
	l.signer, _ = codec.(connector.Signer)
	l.poller, _ = codec.(connector.Poller)
	l.namer, _ = codec.(connector.Namer)
	l.grouper, _ = codec.(connector.Grouper)
	l.whole = !l.limits.Splittable
	if l.limits.Rows <= 0 {
		l.limits.Rows = 1
	}
	return l
}

// add queues a batch whose rows have entered people.
func (l *lane) add(b *batch) {
	if l.head > 32 && l.head*2 > len(l.fresh) {
		n := copy(l.fresh, l.fresh[l.head:])
		clear(l.fresh[n:])
		l.fresh, l.head = l.fresh[:n], 0
	}
	l.fresh = append(l.fresh, b)
}

// freed notes that nothing keeps the row waiting any more.
func (l *lane) freed(r *row) {
	if l.whole {
		l.ripen(r.batch)
		return
	}
	switch r.state {
	case rowFresh:
		l.free++
	case rowHeld:
		l.back(r)
	}
}

// back puts a row to the front, in the order written.
func (l *lane) back(r *row) {
	r.state = rowReady
	l.ready.push(r)
}

// capacity is how many rows the next request may hold.
func (l *lane) capacity() int {
	n := l.limits.Rows
	if l.limits.Bytes > 0 && l.rowBytes > 0 {
		n = min(n, max(1, int(0.95*float64(l.limits.Bytes)/l.rowBytes)))
	}
	return n
}

// first is the oldest row that may go now.
func (l *lane) first() *row {
	if l.ready.len() > 0 {
		return l.ready.rows[0]
	}
	for l.free > 0 {
		b := l.fresh[l.head]
		for ; b.cursor < len(b.rows); b.cursor++ {
			if r := &b.rows[b.cursor]; l.passable(r) {
				return r
			}
		}
		l.usedUp()
	}
	return nil
}

// passable tells whether the fresh row at the cursor may go; if it must wait for another, it is marked as passed.
func (l *lane) passable(r *row) bool {
	if r.state != rowFresh {
		return false
	}
	if r.waits > 0 {
		r.state = rowHeld
		return false
	}
	return true
}

func (l *lane) usedUp() {
	l.fresh[l.head] = nil
	l.head++
}

// cut takes up to n rows from the front.
func (l *lane) cut(dst []*row, n int) []*row {
	for len(dst) < n && l.ready.len() > 0 {
		r := l.ready.pop()
		r.state = rowOut
		dst = append(dst, r)
	}
	for len(dst) < n && l.free > 0 {
		b := l.fresh[l.head]
		for ; b.cursor < len(b.rows) && len(dst) < n; b.cursor++ {
			if r := &b.rows[b.cursor]; l.passable(r) {
				r.state = rowOut
				l.free--
				dst = append(dst, r)
			}
		}
		if b.cursor == len(b.rows) {
			l.usedUp()
		}
	}
	return dst
}

// due finds the oldest unit whose time has come, or when the next one's comes.
func (l *lane) due(now time.Time) (u *unit, wake time.Time) {
	for _, c := range l.units {
		if now.Before(c.at) {
			if wake.IsZero() || c.at.Before(wake) {
				wake = c.at
			}
		} else if u == nil || c.rows[0].before(u.rows[0]) {
			u = c
		}
	}
	return u, wake
}

func (l *lane) drop(u *unit) {
	for i, c := range l.units {
		if c == u {
			l.units = append(l.units[:i], l.units[i+1:]...)
			return
		}
	}
}
