package deliver

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"

	"github.com/sluicehq/sluice/connector"
)

// A request that must not be cut (Limits.Splittable is false) replaces something as a whole, such as an agent's pool. So
// one batch is one request: its rows are never sent with those of another batch, and never in parts.
//
//   - Batches of one group go one after the other, in the order written, see connector.Grouper. Rows of different groups
//     are different records. A codec that knows no groups has its batches sent one by one.
//   - After an answer that sends any row back, the whole batch is sent again, with the rows that the vendor took: alone,
//     the others would take their place. It waits for the longest wait that a row was given. Only what was rejected
//     stays away. So the last answer counts, and a run that ends before it leaves the batch open.
//   - Suspects are rejected, all of them, with what the vendor said: a request that cannot be cut cannot be bisected.
//   - Of rows that share an identifier the last one goes, where the codec lets the last win. Those before it are settled
//     with it: delivered, since it would have overwritten them, or rejected as duplicates where it is rejected. If the
//     codec itself refuses the last row, the one before stands in. Any other codec has the later ones rejected as
//     duplicates: there is no later request in which they could follow.

var groupSeed = maphash.MakeSeed()

// groupsOf collects what orders the batch among others of its kind, one hash for each group in it.
func (l *lane) groupsOf(rec arrow.Record) []uint64 {
	if l.grouper == nil {
		return []uint64{maphash.String(groupSeed, "")}
	}
	var (
		name, last []byte
		groups     []uint64
	)
	for i := range int(rec.NumRows()) {
		name = l.grouper.AppendGroup(name[:0], rec, i)
		if len(name) == 0 || i > 0 && string(name) == string(last) {
			continue
		}
		last = append(last[:0], name...)
		if h := maphash.Bytes(groupSeed, name); !slices.Contains(groups, h) {
			groups = append(groups, h)
		}
	}
	return groups
}

// enqueueWhole queues a batch that goes as one request. Under the lock.
func (w *Writer) enqueueWhole(b *batch, refused []connector.RowResult) {
	b.cursor = len(b.rows) // nothing is cut from it
	for i := range b.rows {
		r := &b.rows[i]
		r.batch, r.at, r.state = b, int32(i), rowOut
	}
	for _, f := range refused {
		w.refuse(&b.rows[f.Row], f)
	}
	if b.lane.limits.Duplicates == connector.DuplicatesLastWins {
		w.keepLast(b)
	} else {
		w.keepFirst(b)
	}
	if b.left == 0 {
		return
	}
	b.turn = &row{batch: b}
	if w.people.enter(b.turn, b.lane.groupsOf(b.rec)); b.turn.waits == 0 {
		b.lane.ripen(b)
	}
}

// keysOf are the identifiers of a row of the batch that Write is at.
func (w *Writer) keysOf(i int) []uint64 {
	start := int32(0)
	if i > 0 {
		start = w.ends[i-1]
	}
	return w.keys[start:w.ends[i]]
}

// keepFirst rejects rows that share an identifier with an earlier one of the batch.
func (w *Writer) keepFirst(b *batch) {
	first := make(map[uint64]int32, len(b.rows))
	for i := range b.rows {
		if b.rows[i].state == rowDone {
			continue
		}
		for _, k := range w.keysOf(i) {
			if before, ok := first[k]; ok && before != int32(i) {
				w.refuse(&b.rows[i], connector.RowResult{Code: connector.CodeDuplicate, Message: fmt.Sprintf(
					"shares an identifier with row %d of the same request, which came first", before+1)})
				break
			}
			first[k] = int32(i)
		}
	}
}

// keepLast holds rows back that share an identifier with a later one of the batch.
func (w *Writer) keepLast(b *batch) {
	last := make(map[uint64]int32, len(b.rows))
	for i := len(b.rows) - 1; i >= 0; i-- {
		r := &b.rows[i]
		if r.state == rowDone {
			continue
		}
		for _, k := range w.keysOf(i) {
			later, ok := last[k]
			if !ok || later == r.at || r.state == rowHeld {
				last[k] = r.at
				continue
			}
			if b.over == nil {
				b.over = make(map[int32]int32)
			}
			for prev, more := b.over[later]; more; prev, more = b.over[later] {
				later = prev
			}
			b.over[later] = r.at
			r.state = rowHeld
			last[k] = r.at
		}
	}
}

// ripen lets a batch go for which no earlier one of its groups is open.
func (l *lane) ripen(b *batch) {
	u := &unit{rows: make([]*row, 0, b.left)}
	for i := range b.rows {
		if r := &b.rows[i]; r.state == rowOut {
			u.rows = append(u.rows, r)
		}
	}
	l.units = append(l.units, u)
}

// replaced takes the row that r stood for off its batch's list; nil: there is none.
func (r *row) replaced() *row {
	prev, ok := r.batch.over[r.at]
	if !ok {
		return nil
	}
	delete(r.batch.over, r.at)
	return &r.batch.rows[prev]
}

// standIn puts the rows before those that the codec refused in their places. Only the call's goroutine sees them.
func (c *call) standIn(refused []refusal) {
	for _, f := range refused {
		if r := f.row.replaced(); r != nil {
			r.state = rowOut
			c.rows = append(c.rows, r)
		}
	}
	sortRows(c.rows)
}

func sortRows(rows []*row) {
	slices.SortFunc(rows, func(a, b *row) int { return cmp.Compare(a.at, b.at) })
}

// sortWhole does to one row of a request that must not be cut what its verdict says. Under the lock.
func (w *Writer) sortWhole(s *sorting, x *row, res connector.RowResult) {
	switch res.Verdict {
	case connector.VerdictDelivered:
		s.taken = append(s.taken, x)
	case connector.VerdictRejected, connector.VerdictSuspect:
		w.reject(s, x, res)
	case connector.VerdictRetry:
		w.retry(s, x, res)
	case connector.VerdictAmbiguous:
		res.Code = connector.CodeAmbiguous
		w.refuse(x, res)
	default:
		w.fail(connector.Internalf("Report this",
			"the codec gave the verdict %q on a row of a request that must not be cut, and nothing would ever settle it", res.Verdict))
	}
}

// concludeWhole settles the rows of a request that must not be cut, or sends it again. Under the lock.
func (w *Writer) concludeWhole(s *sorting) {
	l, n := s.call.lane, len(s.call.rows)
	switch {
	case s.spent != nil:
		w.fail(s.spent)
	case len(s.again) > 0:
		s.again = append(s.again, s.taken...)
		sortRows(s.again)
		if !s.reading.Clock.IsZero() {
			w.resign(s)
			break
		}
		l.units = append(l.units, &unit{rows: s.again, at: s.againAt})
	default:
		for _, x := range s.taken {
			w.take(x)
		}
	}
	switch {
	case len(s.taken) > 0:
		l.trust()
	case s.rejected == n && !s.mixed:
		l.badRequest(s.code, s.message, n)
	}
}

// take settles a row that was delivered, and those that it stood for. Under the lock.
func (w *Writer) take(x *row) {
	for x != nil {
		prev := x.replaced()
		w.stats.Rows++
		w.terminal(x)
		x = prev
	}
}
