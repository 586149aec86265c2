package pipeline

import (
	"fmt"

	"github.com/sluicehq/sluice/connector"
)

// ack is the acker goroutine: it takes what is settled at the head of the window, makes the last position of it durable,
// and answers the Reader batch by batch. It is the only one to call Checkpoint and Ack, so their order is the window's.
func (r *run) ack() {
	for {
		ready := r.window.Next()
		if len(ready) == 0 {
			return
		}
		err := r.guard("acknowledging", func() error {
			if err := r.checkpoint(ready); err != nil {
				return err
			}
			for _, t := range ready {
				if err := r.closing.Err(); err != nil {
					return err // the run is over: the Reader must hear nothing more
				}
				f := t.Value
				s := connector.Settled{Pos: f.pos, Rows: f.rows, Filtered: f.left, Rejected: f.refused}
				if err := r.Reader.Ack(r.closing, s); err != nil {
					return fmt.Errorf("acknowledge: %w", err)
				}
				r.count.ack(f)
				t.Release()
			}
			return nil
		})
		if err != nil {
			r.fail(err) // and no Ack after one that failed: it would be out of order
			return
		}
	}
}

// checkpoint saves the last position among tickets that are all settled: it covers those before it, so one write (an
// fsync) serves however many batches have become ready meanwhile.
func (r *run) checkpoint(ready []*Ticket[*flight]) error {
	if r.Checkpoint == nil {
		return nil
	}
	for i := len(ready) - 1; i >= 0; i-- {
		if pos := ready[i].Value.pos; pos != nil {
			if err := r.Checkpoint(r.closing, pos); err != nil {
				return fmt.Errorf("save the position: %w", err)
			}
			return nil
		}
	}
	return nil
}
