package inbox

import (
	"context"
	"database/sql/driver"
	"math"
	"sync/atomic"
	"time"
)

// trimRows bounds one transaction of Trim, so that requests need not wait long between two.
const trimRows = 256

// Trimmed says what Trim did.
type Trimmed struct {
	Records int64 // removed
	Floor   int64 // all up to here are gone
	Keys    int64 // dedupe keys that were forgotten
	// Waits names the slowest consumer, or is WaitsForFollowUp, if something is due to go and is kept for it.
	Waits string
}

// Trim removes, from the old end, what is older than MaxAge or beyond MaxBytes, but nothing that a named consumer still
// needs, and dedupe keys older than DedupeFor. The file does not shrink: its free space is used again. Call it now and
// then; it works in small steps between the groups of requests. Damaged records go with the first whole one behind them.
func (i *Inbox) Trim(ctx context.Context) (t Trimmed, err error) {
	for more := true; more; {
		_, err := i.do(ctx, func() (Receipt, error) {
			more, err = i.w.trim(&t)
			return Receipt{}, err
		})
		if err != nil {
			return t, err
		}
	}
	var after []byte
	for more := true; more; {
		_, err := i.do(ctx, func() (Receipt, error) {
			after, more, err = i.w.forget(&t, after)
			return Receipt{}, err
		})
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

// trim removes one stretch of records.
func (w *writer) trim(t *Trimmed) (more bool, err error) {
	var removed int64
	err = w.tx("trim", func(m *meta) error {
		limit, name, err := w.slowest(*m)
		if err != nil {
			return err
		}
		cut, bytes, err := w.due(*m)
		if err != nil {
			return err
		}
		t.Waits = ""
		if cut > limit {
			t.Waits = name
			cut, bytes, err = w.weigh(m.floor, limit)
			if err != nil {
				return err
			}
		}
		t.Floor = m.floor
		if cut <= m.floor {
			return nil
		}
		if err := w.c.exec("DELETE FROM record WHERE seq <= ?", cut); err != nil {
			return err
		}
		if err := w.c.exec("DELETE FROM quarantine WHERE upto <= ?", cut); err != nil {
			return err
		}
		if cut > m.settled { // its keys would be known to this process alone; on a full disk they get the space of the records
			if err := w.settleAll(m); err != nil {
				return err
			}
		}
		removed = cut - m.floor
		m.floor, m.bytes = cut, max(0, m.bytes-bytes)
		t.Floor = cut
		return nil
	})
	if err != nil {
		return false, err
	}
	t.Records += removed
	return removed > 0, nil
}

// slowest returns the lowest position of the consumers and of what is still to be done.
func (w *writer) slowest(m meta) (seq int64, name string, err error) {
	list, err := consumers(context.Background(), w.c, m)
	if err != nil {
		return 0, "", err
	}
	seq = math.MaxInt64
	for _, c := range list {
		if c.Seq < seq {
			seq, name = c.Seq, c.Name
		}
	}
	first, err := w.c.value("SELECT min(seq) FROM followup")
	if n, ok := first.(int64); ok && n <= seq {
		seq, name = n-1, WaitsForFollowUp
	}
	return seq, name, err
}

// due looks at one stretch from the floor on and returns how far retention wants it gone, and what goes with that. It is a
// prefix that ends before the first whole record which is young enough and fits; only whole records are believed.
func (w *writer) due(m meta) (cut, bytes int64, err error) {
	cut = m.floor
	var oldest time.Time
	if w.i.opts.MaxAge > 0 {
		oldest = w.i.opts.Clock().Add(-w.i.opts.MaxAge)
	}
	var walked int64
	ended := false
	err = w.c.query(context.Background(), "SELECT seq, data FROM record WHERE seq > ? ORDER BY seq LIMIT ?", func(row []driver.Value) error {
		seq, _ := row[0].(int64)
		data, _ := row[1].([]byte)
		over := w.i.opts.MaxBytes > 0 && m.bytes-walked > w.i.opts.MaxBytes
		walked += int64(len(data))
		r, _, damaged := unseal(seq, data)
		switch {
		case damaged != nil || ended:
		case over || r.ReceivedAt.Before(oldest):
			cut, bytes = seq, walked
		default:
			ended = true
		}
		return nil
	}, m.floor, int64(trimRows))
	return cut, bytes, err
}

// weigh returns what the records after floor up to limit take.
func (w *writer) weigh(floor, limit int64) (cut, bytes int64, err error) {
	bytes, err = w.c.number("SELECT coalesce(sum(length(data)), 0) FROM record WHERE seq > ? AND seq <= ?", floor, limit)
	return limit, bytes, err
}

// forget removes the expired ones of one stretch of keys, and returns where the next stretch begins. The table has no
// index by age: that would cost every request, and this walk costs only now and then.
func (w *writer) forget(t *Trimmed, after []byte) (next []byte, more bool, err error) {
	var gone int64
	err = w.tx("forget", func(*meta) error {
		const stretch = "SELECT max(key) FROM (SELECT key FROM seen WHERE key > ? ORDER BY key LIMIT 2000)"
		v, err := w.c.value(stretch, orEmpty(after))
		if err != nil {
			return err
		}
		b, ok := v.([]byte)
		if !ok {
			return nil
		}
		next, more = b, true
		s, err := w.c.prepare("DELETE FROM seen WHERE key > ? AND key <= ? AND at < ?")
		if err != nil {
			return err
		}
		defer func() { _ = s.close() }()
		gone, err = s.exec(orEmpty(after), b, w.i.opts.Clock().Add(-w.i.opts.DedupeFor).UnixMilli())
		return err
	})
	if err != nil {
		return nil, false, err
	}
	if !more {
		gone += w.keys.forget(w.i.opts.Clock().Add(-w.i.opts.DedupeFor).UnixMilli())
	}
	t.Keys += gone
	return next, more, nil
}

func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// counters count since Open.
type counters struct {
	appended, duplicates, items, seen, groups atomic.Int64
	overloads, full, failures, damaged        atomic.Int64

	failing atomic.Pointer[error] // the last transaction's fault; nil once one has come through
}

// Stats says how the inbox stands. The counts are since Open.
type Stats struct {
	Head, Floor int64
	Bytes       int64 // of the records kept
	QueueBytes  int64 // of the requests that wait or are being written
	QueueCount  int

	Appended   int64 // requests that made a record
	Duplicates int64 // requests of which every item had been seen
	Items      int64 // items of all requests
	SeenItems  int64 // of these, seen before
	Groups     int64 // transactions of requests
	Overloads  int64 // requests refused with ErrOverload
	Full       int64 // transactions that found no space
	Failures   int64 // transactions that failed otherwise
	Damaged    int64 // sequences found lost or damaged by Open or the last Verify
	FollowUps  int64 // records about which something is still to be done
	Refused    error // not nil: why every request is refused until a person has acted
	Failing    error // not nil: why the last transaction failed. None has come through since; Probe tells whether one would
}

// Stats reads the counters, and head and floor from the database.
func (i *Inbox) Stats(ctx context.Context) (s Stats, err error) {
	_ = i.look() // which refuses
	c := &i.stats
	s = Stats{
		Appended: c.appended.Load(), Duplicates: c.duplicates.Load(), Items: c.items.Load(), SeenItems: c.seen.Load(),
		Groups: c.groups.Load(), Overloads: c.overloads.Load(), Full: c.full.Load(), Failures: c.failures.Load(),
		Damaged: c.damaged.Load(),
	}
	if fault := c.failing.Load(); fault != nil {
		s.Failing = *fault
	}
	s.QueueBytes, s.QueueCount, s.Refused = i.queue.load()
	err = i.reader.view(ctx, func(c *conn, m meta) (err error) {
		s.Head, s.Floor, s.Bytes = m.head, m.floor, m.bytes
		s.FollowUps, err = c.number("SELECT count(*) FROM followup")
		return err
	})
	return s, err
}
