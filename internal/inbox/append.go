package inbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Request is what came in at an endpoint.
type Request struct {
	Endpoint   Endpoint
	Method     string
	Header     http.Header // those that decoding needs, never credentials
	Body       []byte
	ReceivedAt time.Time // zero: now
	// Keys are the dedupe keys of the items, in their order: whatever the vendor calls the event, or the item's bytes.
	// Empty: the request is one item whose key is the whole body.
	Keys []string
	Note string // a remark for people, such as that the body could not be split
	// Quarantine, if not empty, says why the request must not be applied: it is stored, listed, and served to nobody
	// until a person releases it. Its keys count as seen only from then on.
	Quarantine string
	// FollowUp puts the record on the list of those about which something is still to be done. One that is quarantined gets
	// there when it is released; one that was seen before makes no record, so it gets there not again.
	FollowUp bool
}

// Receipt says what became of a request.
type Receipt struct {
	Seq       int64 // of its record; of the record that had its first item, if Duplicate
	Items     int
	Seen      int  // of these, seen before
	Duplicate bool // all of them: no record was made
}

// Append stores a request, and returns nil only when it is on the disk. After an error other than ErrTooLarge it may
// be stored nevertheless; the sender sends it again, and its keys tell. It blocks for one group commit and does not keep
// the request. A cancelled ctx ends the wait, not the writing.
func (i *Inbox) Append(ctx context.Context, req Request) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	if len(req.Body) > maxBody || len(req.Keys) > ItemsPerRequest {
		return Receipt{}, fmt.Errorf("%w: %d bytes, %d items", ErrTooLarge, len(req.Body), len(req.Keys))
	}
	if req.ReceivedAt.IsZero() {
		req.ReceivedAt = i.opts.Clock()
	}
	e := newEntry(req)
	if err := i.queue.put(e); err != nil {
		if errors.Is(err, ErrOverload) {
			i.stats.overloads.Add(1)
		}
		return Receipt{}, err
	}
	return e.wait(ctx)
}

// do has the writer run f, which makes its own transaction, between two groups.
func (i *Inbox) do(ctx context.Context, f func() (Receipt, error)) (Receipt, error) {
	if err := ctx.Err(); err != nil {
		return Receipt{}, err
	}
	e := &entry{job: f, done: make(chan answer, 1)}
	if err := i.queue.put(e); err != nil {
		return Receipt{}, err
	}
	return e.wait(ctx)
}

// entry is one request, or one job, on its way through the writer.
type entry struct {
	at    Endpoint
	frame []byte
	keys  [][]byte
	held  string
	job   func() (Receipt, error)

	price  int64
	queued time.Time
	done   chan answer

	sums []byte // what keys point into
}

type answer struct {
	receipt Receipt
	err     error
}

// newEntry does, in the caller's goroutine, all the work that needs no database.
func newEntry(req Request) *entry {
	r := Record{
		ReceivedAt: req.ReceivedAt, Method: req.Method, Note: req.Note, Quarantine: req.Quarantine, FollowUp: req.FollowUp,
		Body: req.Body, Items: max(1, len(req.Keys)),
	}
	var header [512]byte
	if len(req.Header) > 0 {
		r.header = appendHeader(header[:0], req.Header)
	}
	e := entries.Get().(*entry)
	e.done = make(chan answer, 1) // a channel of its own: one that a test made in its bubble is of no use in another
	e.at, e.held = req.Endpoint, req.Quarantine
	e.sums = slices.Grow(e.sums[:0], max(1, len(req.Keys))*keySize)
	for _, k := range req.Keys {
		e.sums = appendKey(e.sums, keyItem, e.at, k)
	}
	if len(req.Keys) == 0 {
		e.sums = append(e.sums, hashKey(keyBody, req.Endpoint, req.Body)...)
	}
	r.keys = e.sums
	for at := 0; at < len(e.sums); at += keySize {
		e.keys = append(e.keys, e.sums[at:at+keySize])
	}
	if req.Quarantine != "" {
		e.keys = [][]byte{hashKey(keyInert, req.Endpoint, req.Body)}
	}
	e.frame = appendFrame(e.frame[:0], &r)
	e.price = int64(len(e.frame)+len(e.keys)*2*keySize) + 256
	return e
}

// wait returns the writer's answer. Then nobody else has the entry, and its memory is free for the next one.
func (e *entry) wait(ctx context.Context) (Receipt, error) {
	select {
	case a := <-e.done:
		e.free()
		return a.receipt, a.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
}

// entries are those that were answered.
var entries = sync.Pool{New: func() any { return &entry{} }}

// maxKept bounds the memory that an entry keeps for the next request.
const maxKept = 64 << 10

func (e *entry) free() {
	if e.job != nil || cap(e.frame) > maxKept || cap(e.keys) > maxKept/keySize {
		return
	}
	e.at, e.held, e.keys = Endpoint{}, "", e.keys[:0]
	entries.Put(e)
}

// queue holds what waits for the writer, bounded in bytes and in age. What the writer has taken counts until it is
// answered.
type queue struct {
	bytes int64
	age   time.Duration
	clock func() time.Time

	mu      sync.Mutex
	waiting []*entry
	held    int64 // price of waiting and taken
	count   int
	closed  bool
	refused error         // answer to every new entry, if set
	wake    chan struct{} // has one element when there may be something to do
}

func newQueue(o Options) *queue {
	return &queue{bytes: o.QueueBytes, age: o.QueueAge, clock: o.Clock, wake: make(chan struct{}, 1)}
}

// put queues an entry. One that is dearer than the whole queue passes when it is empty; jobs always pass.
func (q *queue) put(e *entry) error {
	e.queued = q.clock()
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return ErrClosed
	case q.refused != nil:
		return q.refused
	case e.job != nil:
	case q.held > 0 && q.held+e.price > q.bytes:
		return ErrOverload
	case len(q.waiting) > 0 && e.queued.Sub(q.waiting[0].queued) > q.age:
		return ErrOverload
	}
	q.waiting = append(q.waiting, e)
	q.held += e.price
	q.count++
	q.signal()
	return nil
}

func (q *queue) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take waits for entries and returns at most n of them; none: the queue is closed and empty.
func (q *queue) take(n int) []*entry {
	for {
		q.mu.Lock()
		if k := min(n, len(q.waiting)); k > 0 {
			group := q.waiting[:k:k]
			q.waiting = q.waiting[k:]
			q.mu.Unlock()
			return group
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return nil
		}
		<-q.wake
	}
}

// settle gives back what a group held.
func (q *queue) settle(group []*entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, e := range group {
		q.held -= e.price
		q.count--
	}
}

func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// refuse answers every entry from now on with err.
func (q *queue) refuse(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.refused = err
}

func (q *queue) load() (bytes int64, count int, refused error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.held, q.count, q.refused
}
