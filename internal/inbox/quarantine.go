package inbox

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"
	"time"
)

// Quarantined is an entry of the list of what is not served.
type Quarantined struct {
	Damage
	At       time.Time
	Released int64 // the sequence under which it was released; 0: not yet
}

// Quarantined lists, by sequence after after, at most n entries: requests that came in quarantined, and records that the
// owner has found damaged or lost (by Verify, or when it opened the inbox).
func (r *Reader) Quarantined(ctx context.Context, after int64, n int) (list []Quarantined, err error) {
	err = r.view(ctx, func(c *conn, _ meta) error {
		return c.query(ctx, "SELECT seq, upto, reason, at, released FROM quarantine WHERE seq > ? ORDER BY seq LIMIT ?",
			func(row []driver.Value) error {
				var q Quarantined
				var at int64
				for k, to := range []*int64{&q.From, &q.To, nil, &at, &q.Released} {
					if to != nil {
						*to, _ = row[k].(int64)
					}
				}
				q.Reason, q.At = fmt.Sprint(row[2]), time.UnixMilli(at).UTC()
				list = append(list, q)
				return nil
			}, after, int64(n))
	})
	return list, err
}

func putQuarantine(c *conn, d Damage, now time.Time) error {
	return c.exec("INSERT INTO quarantine (seq, upto, reason, at) VALUES (?, ?, ?, ?) ON CONFLICT (seq) DO UPDATE SET upto = max(upto, excluded.upto)",
		d.From, d.To, d.Reason, now.UnixMilli())
}

// Release lets a quarantined request through: it comes in again at the end of the log, with Origin naming the old
// record, and its keys count from now on. If all its items have come in otherwise meanwhile, the receipt says Duplicate.
// ErrNotFound, ErrNotHeld or ErrDamaged: nothing was done.
func (i *Inbox) Release(ctx context.Context, seq int64) (Receipt, error) {
	return i.do(ctx, func() (r Receipt, err error) {
		err = i.w.tx("release", func(m *meta) error {
			rec, err := i.w.load(seq)
			if err != nil {
				return err
			}
			released, err := i.c.number("SELECT coalesce(max(released), -1) FROM quarantine WHERE seq = ?", seq)
			if err != nil {
				return err
			}
			if rec.Quarantine == "" || released != 0 {
				return fmt.Errorf("%d: %w", seq, ErrNotHeld)
			}
			e := &entry{at: rec.Endpoint, keys: slices.Collect(slices.Chunk(rec.keys, keySize))}
			rec.Quarantine, rec.keys, rec.Origin = "", nil, seq
			e.frame = frame(&rec)
			if r, err = i.w.put(m, e, i.w.stamp(i.opts.Clock())); err != nil {
				return err
			}
			return i.c.exec("UPDATE quarantine SET released = ? WHERE seq = ?", r.Seq, seq)
		})
		if err == nil {
			i.opts.Log.Info("a quarantined request was released", "seq", seq, "as", r.Seq, "duplicate", r.Duplicate)
		}
		return r, err
	})
}

// Replay puts a copy of a record at the end of the log, past the dedupe keys. Origin names the record that came in
// first, and items that were seen before then are still marked so.
func (i *Inbox) Replay(ctx context.Context, seq int64) (Receipt, error) {
	return i.do(ctx, func() (r Receipt, err error) {
		err = i.w.tx("replay", func(m *meta) error {
			rec, err := i.w.load(seq)
			if err != nil {
				return err
			}
			if rec.Quarantine != "" {
				return fmt.Errorf("%d is quarantined, release it instead: %w", seq, ErrNotHeld)
			}
			if rec.Origin == 0 {
				rec.Origin = seq
			}
			r = Receipt{Seq: m.head + 1, Items: rec.Items}
			for item := range rec.Items {
				if rec.Seen(item) {
					r.Seen++
				}
			}
			return i.w.insert(m, rec.Endpoint, frame(&rec))
		})
		if err == nil {
			i.opts.Log.Info("a request was replayed", "seq", seq, "as", r.Seq)
		}
		return r, err
	})
}

// load reads a record in the writer's transaction.
func (w *writer) load(seq int64) (rec Record, err error) {
	if seq <= w.m.floor || seq > w.m.head {
		return rec, fmt.Errorf("%d: %w", seq, ErrNotFound)
	}
	known, err := endpoints(context.Background(), w.c)
	if err != nil {
		return rec, err
	}
	s := scan{c: w.c, known: known}
	if rec, _, err = s.load(context.Background(), seq); err != nil {
		return rec, damagef("record %d: %w", seq, err)
	}
	return rec, nil
}

// Verify reads every record after after, and puts what is damaged or missing on the list of what is quarantined. It
// returns how many sequences are damaged.
func (i *Inbox) Verify(ctx context.Context, after int64) (damaged int64, err error) {
	head, err := i.reader.Head(ctx)
	if err != nil {
		return 0, err
	}
	for more := head > 0; more; {
		page, err := i.reader.Read(ctx, Query{After: after, Head: head, Quarantined: true})
		if err != nil {
			return damaged, err
		}
		if len(page.Damaged) > 0 {
			if err := i.note(ctx, page.Damaged); err != nil {
				return damaged, err
			}
		}
		for _, d := range page.Damaged {
			damaged += d.To - d.From + 1
		}
		after, more = page.Last, page.More
	}
	i.stats.damaged.Store(damaged)
	return damaged, nil
}

func (i *Inbox) note(ctx context.Context, list []Damage) error {
	_, err := i.do(ctx, func() (Receipt, error) {
		return Receipt{}, i.w.tx("verify", func(*meta) error {
			for _, d := range list {
				if err := putQuarantine(i.c, d, i.opts.Clock()); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return err
}
