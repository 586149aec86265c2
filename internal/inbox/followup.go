package inbox

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"time"
)

// A record whose request said FollowUp is on a list, in the transaction that stored it, until Done takes it off: its
// sequence, and behind a check the endpoint u32 and the time u64 in ms. Retention keeps what is on the list.

// WaitsForFollowUp is what Trimmed.Waits says where no consumer holds retention up, but the list of what is to be done.
const WaitsForFollowUp = "what is still to be done about a request"

// errEnough ends a walk over the list.
var errEnough = errors.New("enough")

// FollowUps returns, by rising sequence, at most n records after after about which something is still to be done. Those
// of endpoints that are not asked for are passed over; nil asks for all.
func (r *Reader) FollowUps(ctx context.Context, of func(Endpoint) bool, after int64, n int) (list []int64, err error) {
	err = r.view(ctx, func(c *conn, _ meta) error {
		known, err := endpoints(ctx, c)
		if err != nil {
			return err
		}
		err = c.query(ctx, "SELECT seq, data FROM followup WHERE seq > ? ORDER BY seq", func(row []driver.Value) error {
			seq, id, _, ok := followUp(row)
			if e := known[id]; !ok || e.damaged || of != nil && !of(e.Endpoint) {
				return nil
			}
			if list = append(list, seq); len(list) >= n {
				return errEnough
			}
			return nil
		}, after)
		if errors.Is(err, errEnough) {
			err = nil
		}
		return err
	})
	return list, err
}

// followUp reads a row of the list.
func followUp(row []driver.Value) (seq int64, endpoint uint32, at time.Time, ok bool) {
	seq, whole := row[0].(int64)
	b, ok := checked(seq, row[1])
	if !ok || !whole || len(b) != 12 {
		return seq, 0, at, false
	}
	return seq, binary.LittleEndian.Uint32(b), time.UnixMilli(int64(binary.LittleEndian.Uint64(b[4:]))), true
}

// putFollowUp puts a record on the list.
func (w *writer) putFollowUp(seq int64, endpoint uint32) error {
	b := binary.LittleEndian.AppendUint32(nil, endpoint)
	b = binary.LittleEndian.AppendUint64(b, uint64(w.i.opts.Clock().UnixMilli()))
	_, err := w.putFollow.exec(seq, sumFirst(seq, b))
	return err
}

// Done takes records off the list of what is to be done. It is no error if one is not on it.
func (i *Inbox) Done(ctx context.Context, seqs []int64) error {
	_, err := i.do(ctx, func() (Receipt, error) {
		return Receipt{}, i.w.tx("done", func(*meta) error { return i.w.dropFollowUps(seqs) })
	})
	return err
}

func (w *writer) dropFollowUps(seqs []int64) error {
	s, err := w.c.prepare("DELETE FROM followup WHERE seq = ?")
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		if _, err := s.exec(seq); err != nil {
			return errors.Join(err, s.close())
		}
	}
	return s.close()
}

// GivenUp says what GiveUp took off the list.
type GivenUp struct {
	Records     int64
	First, Last int64 // sequences; 0 if none
	Damaged     int64 // entries besides of which nobody can tell what they were
}

// giveUpRows bounds one transaction of GiveUp.
const giveUpRows = 1000

// GiveUp takes off the list, from its old end, what was put on it before a time, and what is damaged.
func (i *Inbox) GiveUp(ctx context.Context, before time.Time) (g GivenUp, err error) {
	for more := true; more; {
		var one GivenUp
		_, err := i.do(ctx, func() (Receipt, error) {
			one = GivenUp{}
			err := i.w.tx("give up", func(*meta) error { return i.w.giveUp(&one, before) })
			return Receipt{}, err
		})
		if err != nil {
			return g, err
		}
		more = one.Records+one.Damaged == giveUpRows
		if one.Records > 0 {
			if g.First == 0 {
				g.First = one.First
			}
			g.Last = one.Last
		}
		g.Records += one.Records
		g.Damaged += one.Damaged
	}
	return g, nil
}

func (w *writer) giveUp(g *GivenUp, before time.Time) error {
	before = time.UnixMilli(before.UnixMilli()) // as the list has it
	var gone []int64
	err := w.c.query(context.Background(), "SELECT seq, data FROM followup ORDER BY seq LIMIT ?", func(row []driver.Value) error {
		seq, _, at, ok := followUp(row)
		switch {
		case !ok:
			g.Damaged++
		case !at.Before(before):
			return errEnough
		default:
			if g.First == 0 {
				g.First = seq
			}
			g.Last = seq
			g.Records++
		}
		gone = append(gone, seq)
		return nil
	}, int64(giveUpRows))
	if err != nil && !errors.Is(err, errEnough) {
		return err
	}
	return w.dropFollowUps(gone)
}
