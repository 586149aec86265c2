package airbyte

import (
	"fmt"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/sluicehq/sluice/connector"
)

// ledger decides when a state may leave. It knows, per stream, how many rows are settled and which states wait for
// how many; batches of one stream are settled in the order of its rows, so one number per stream is enough.
//
// A state of several streams stands in the queue of each. It leaves when it is at the head of all of them and all of their
// rows before it are settled; until then it holds up the states behind it, so that order holds per stream whatever the mix.
type ledger struct {
	emit func(raw []byte, committed, rejected int64)
	room chan struct{} // holds a token after states have left
	size atomic.Int64  // what the waiting states cost

	mu      sync.Mutex // covers what follows, and the queues but for their read
	batches []pending
	waiting int // states
}

// pending is a batch that was read and not acknowledged yet.
type pending struct {
	queue *queue
	rows  int
}

// queue is one stream's part of the ledger.
type queue struct {
	read     int64 // rows read, also those not in a batch yet; owned by the goroutine that reads
	settled  int64
	counted  int64 // rows that left with a state
	rejected int64 // rejected rows behind the last state that waits
	entries  []entry
}

type entry struct {
	at       int64 // rows of the stream before the state
	rejected int64 // of these, rejected since the state before
	ready    bool  // at the head, and settled
	state    *state
}

type state struct {
	raw     []byte
	queues  []*queue
	missing int // queues in which it is not ready
	cost    int64
}

// stateOverhead is what keeping a state costs beside its text.
const stateOverhead = 256

func newLedger(emit func(raw []byte, committed, rejected int64)) *ledger {
	return &ledger{emit: emit, room: make(chan struct{}, 1)}
}

// addState queues a state behind what has been read of the given streams, and returns what keeping it costs: nothing, if it
// could leave at once. It takes raw over.
func (l *ledger) addState(raw []byte, queues []*queue) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &state{raw: raw, queues: queues, missing: len(queues), cost: int64(len(raw)+stateOverhead) + 48*int64(len(queues))}
	l.size.Add(s.cost)
	l.waiting++
	for _, q := range queues {
		q.entries = append(q.entries, entry{at: q.read, rejected: q.rejected, state: s})
		q.rejected = 0
	}
	before := l.waiting
	if len(queues) == 0 {
		l.leave(s)
	}
	for _, q := range queues {
		l.advance(q)
	}
	if l.waiting < before {
		return 0
	}
	return s.cost
}

// addBatch notes a batch in the order read.
func (l *ledger) addBatch(q *queue, rows int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, pending{q, rows})
}

// settle takes the answer to the oldest batch that has none, and lets the states go that waited for it.
func (l *ledger) settle(s connector.Settled) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.batches) == 0 {
		return fmt.Errorf("airbyte: a batch was acknowledged that was never read")
	}
	b := l.batches[0]
	if b.rows != s.Rows {
		return fmt.Errorf("airbyte: %d rows were acknowledged of a batch of %d", s.Rows, b.rows)
	}
	if l.batches = l.batches[1:]; len(l.batches) == 0 {
		l.batches = nil
	}
	for _, r := range s.Rejected {
		b.queue.reject(b.queue.settled + int64(r.Row))
	}
	b.queue.settled += int64(b.rows)
	l.advance(b.queue)
	return nil
}

// reject counts a rejected row, by its place in the stream, to the first state behind it.
func (q *queue) reject(row int64) {
	i := sort.Search(len(q.entries), func(i int) bool { return q.entries[i].at > row })
	if i == len(q.entries) {
		q.rejected++
		return
	}
	q.entries[i].rejected++
}

// advance lets the states at the head of q go as far as they may.
func (l *ledger) advance(q *queue) {
	for len(q.entries) > 0 {
		head := &q.entries[0]
		if head.ready || head.at > q.settled {
			return
		}
		head.ready = true
		s := head.state
		if s.missing--; s.missing > 0 {
			return
		}
		l.leave(s)
		for _, other := range s.queues {
			if other != q {
				l.advance(other)
			}
		}
	}
}

// leave takes a state, which is at the head of all its queues, out of them and hands it to the host.
func (l *ledger) leave(s *state) {
	var rows, rejected int64
	for _, q := range s.queues {
		head := q.entries[0]
		if q.entries = q.entries[1:]; len(q.entries) == 0 {
			q.entries = nil
		}
		rows += head.at - q.counted
		rejected += head.rejected
		q.counted = head.at
	}
	l.waiting--
	l.size.Add(-s.cost)
	l.emit(s.raw, rows-rejected, rejected)
	select {
	case l.room <- struct{}{}:
	default:
	}
}

// unsettled returns how many batches and states still wait.
func (l *ledger) unsettled() (batches, states int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.batches), l.waiting
}
