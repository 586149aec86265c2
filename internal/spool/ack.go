package spool

import (
	"cmp"
	"context"
	"slices"

	"github.com/sluicehq/sluice/connector"
)

// Ack implements connector.Reader: it sorts verdicts by inner batch, and answers the inner Reader once all are there.
func (r *Reader) Ack(ctx context.Context, s connector.Settled) error {
	r.mu.Lock()
	if len(r.out) == 0 || len(r.out[0].origins) != s.Rows {
		r.mu.Unlock()
		return connector.Internalf("This is a defect: report it", "a batch of %d rows was acked that was not handed out next", s.Rows)
	}
	h := r.out[0]
	r.out = r.out[1:]
	err := r.settle(h, s)
	r.mu.Unlock()
	if err != nil || !h.last {
		return err
	}
	return r.ackAll(ctx)
}

// settle notes the verdicts on a Batch that was handed out. The lock is held.
func (r *Reader) settle(h handed, s connector.Settled) error {
	filtered := 0
	if h.loose {
		filtered = s.Rows - len(s.Rejected) // without a group, a row cannot have been sent
		for _, o := range h.origins {
			r.batches[o.batch].filtered++
		}
	}
	if s.Filtered != filtered {
		return connector.Internalf("This is a defect of the mapping: report it",
			"%d rows were filtered, and %d when the same rows were read", s.Filtered, filtered)
	}
	for _, v := range s.Rejected {
		o := h.origins[v.Row]
		b := &r.batches[o.batch]
		if h.loose {
			b.filtered--
		}
		v.Row = int(o.row)
		b.rejected = append(b.rejected, v)
	}
	return nil
}

// ackAll answers every inner Batch. Nothing is read or handed out any more.
func (r *Reader) ackAll(ctx context.Context) error {
	for i := range r.batches {
		b := &r.batches[i]
		slices.SortFunc(b.rejected, func(x, y connector.RowResult) int { return cmp.Compare(x.Row, y.Row) })
		err := r.inner.Ack(ctx, connector.Settled{Pos: b.pos, Rows: b.rows, Filtered: b.filtered, Rejected: b.rejected})
		if err != nil {
			return err
		}
		b.rejected = nil
	}
	return nil
}
