package deliver

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

type rowState uint8

const (
	rowFresh  rowState = iota // the lane's cursor has not reached it
	rowHeld                   // passed by the cursor: an earlier row of its person is open
	rowReady                  // in lane.ready
	rowAsleep                 // in Writer.asleep
	rowOut                    // in a call, or in a unit or an ask that waits to be one
	rowDone                   // terminal
)

// row is one row on its way. Rows lie in the slab of their batch.
type row struct {
	batch *batch
	who   *person
	next  *row // the row of the same person that waits for this one
	wake  time.Time
	cause string // code of the last answer that limited its tries
	at    int32  // row of batch.rec
	waits int32  // rows that must be terminal before this one may go
	sends uint16 // calls it took part in
	spent uint8  // of these, the ones that count
	tries uint8  // sends in a row that ended with cause
	state rowState
	look  bool // it is looked up before it is sent
}

// name says which row it is, to a person. The row is open.
func (r *row) name() string {
	number := r.batch.base + int64(r.at) + 1
	if n := r.batch.lane.namer; n != nil {
		if key := n.Name(r.batch.rec, int(r.at)); key != "" {
			return fmt.Sprintf("row %q (row %d of the rows sent)", key, number)
		}
	}
	return fmt.Sprintf("row %d of the rows sent", number)
}

func (r *row) before(o *row) bool {
	if r.batch != o.batch {
		return r.batch.seq < o.batch.seq
	}
	return r.at < o.at
}

func (r *row) wakesBefore(o *row) bool {
	if r.wake.Equal(o.wake) {
		return r.before(o)
	}
	return r.wake.Before(o.wake)
}

// batch is one Write. It is answered when left is 0.
type batch struct {
	lane     *lane
	rec      arrow.Record
	done     func([]connector.RowResult, error)
	seq      uint64
	base     int64 // rows of the lane written before
	at       time.Time
	rows     []row
	cursor   int // rows before it have left the fresh part of the queue
	left     int
	rejected []connector.RowResult
	turn     *row             // of a batch that is one request: what waits for its turn in its place
	over     map[int32]int32  // of such a batch: a row → the earlier one of the same contact that it stands for
	repeats  map[int32]string // rows that repeat an earlier one, which the vendor has → what that one is called
	prev     *batch           // list of open batches
	nextOpen *batch
}

// answer gives the batch's verdicts to whoever wrote it, and the record back. Not under the lock.
func (b *batch) answer(err error) {
	b.rec.Release()
	rejected := b.rejected
	if err != nil {
		rejected = nil
	}
	slices.SortFunc(rejected, func(x, y connector.RowResult) int { return cmp.Compare(x.Row, y.Row) })
	b.done(rejected, err)
}

// heap is a binary heap of rows.
type heap struct {
	rows []*row
	less func(a, b *row) bool
}

func (h *heap) push(r *row) {
	h.rows = append(h.rows, r)
	for i := len(h.rows) - 1; i > 0; {
		up := (i - 1) / 2
		if !h.less(h.rows[i], h.rows[up]) {
			return
		}
		h.rows[i], h.rows[up] = h.rows[up], h.rows[i]
		i = up
	}
}

func (h *heap) pop() *row {
	top, last := h.rows[0], len(h.rows)-1
	h.rows[0], h.rows[last] = h.rows[last], nil
	h.rows = h.rows[:last]
	for i := 0; ; {
		child := 2*i + 1
		if child >= last {
			return top
		}
		if child+1 < last && h.less(h.rows[child+1], h.rows[child]) {
			child++
		}
		if !h.less(h.rows[child], h.rows[i]) {
			return top
		}
		h.rows[i], h.rows[child] = h.rows[child], h.rows[i]
		i = child
	}
}

func (h *heap) len() int { return len(h.rows) }
