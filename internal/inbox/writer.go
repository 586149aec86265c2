package inbox

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// groupSize is how many entries one transaction takes at most.
const groupSize = 1024

// writer owns the connection that writes. Only its goroutine uses it, before and after that Open and Close.
type writer struct {
	i      *Inbox
	c      *conn
	m      meta      // as committed
	draft  meta      // of the transaction under way
	broken bool      // the head file could not be written, and that was said
	told   time.Time // when the log was last told of a fault
	looked time.Time // when the files were last looked for

	ids  map[Endpoint]uint32
	next uint32 // the id of the next endpoint

	keys waiting

	args     []driver.Value // of the statement that is made ready
	row      []byte         // the head row that is written
	receipts []Receipt      // of the group at hand

	begin, commit, rollback, putKey, putKeys, whoHas, putRecord, putMeta, putFollow *stmt
}

// newWriter loads the endpoints and the keys that wait, and prepares the statements, which live as long as the connection.
func newWriter(ctx context.Context, i *Inbox, m meta) (*writer, error) {
	w := &writer{i: i, c: i.c, m: m, ids: map[Endpoint]uint32{}, next: 1, keys: newWaiting(i.opts)}
	known, err := endpoints(ctx, w.c)
	if err != nil {
		return nil, err
	}
	for id, e := range known {
		if !e.damaged {
			w.ids[e.Endpoint] = id
		}
		w.next = max(w.next, id+1)
	}
	for _, p := range []struct {
		to   **stmt
		text string
	}{
		{&w.begin, "BEGIN IMMEDIATE"}, {&w.commit, "COMMIT"}, {&w.rollback, "ROLLBACK"},
		{&w.putKey, insertSeen + laterSeen}, {&w.putKeys, insertSeen + strings.Repeat(", (?, ?, ?)", i.opts.stride-1) + laterSeen},
		{&w.whoHas, "SELECT seq FROM seen WHERE key = ? AND at >= ?"},
		{&w.putRecord, "INSERT INTO record VALUES (?, ?, ?)"},
		{&w.putFollow, "INSERT OR REPLACE INTO followup VALUES (?, ?)"}, // one that is there can only be damage
		{&w.putMeta, "UPDATE meta SET data = ? WHERE id = 1"},
	} {
		if *p.to, err = w.c.keep(p.text); err != nil {
			return nil, err
		}
	}
	return w, w.recall(ctx, known)
}

// run writes groups until the queue is closed and empty. While one group is synced the next one gathers.
func (w *writer) run() {
	for {
		group := w.i.queue.take(groupSize)
		if len(group) == 0 {
			return
		}
		for len(group) > 0 {
			n := 0
			for n < len(group) && group[n].job == nil {
				n++
			}
			if n == 0 {
				n = 1
				r, err := group[0].job()
				w.answer(group[:1], []Receipt{r}, err)
			} else {
				receipts, err := w.write(group[:n])
				w.answer(group[:n], receipts, err)
			}
			group = group[n:]
		}
	}
}

func (w *writer) answer(group []*entry, receipts []Receipt, err error) {
	w.i.queue.settle(group)
	for k, e := range group {
		if err != nil {
			e.done <- answer{err: err}
			continue
		}
		e.done <- answer{receipt: receipts[k]}
	}
}

// write stores a group in one transaction. The receipts are valid until the next one.
func (w *writer) write(group []*entry) ([]Receipt, error) {
	if now := w.i.opts.Clock(); now.Sub(w.looked) >= lookEvery || now.Before(w.looked) {
		if err := w.i.look(); err != nil {
			return nil, err
		}
		w.looked = now
	}
	receipts := w.receipts[:0]
	err := w.tx("append", func(m *meta) error {
		now := w.stamp(w.i.opts.Clock())
		for _, e := range group {
			r, err := w.put(m, e, now)
			if err != nil {
				return err
			}
			receipts = append(receipts, r)
			if err := w.i.opts.hook("append: in the group"); err != nil {
				return err
			}
		}
		return w.settle(m)
	})
	if err != nil {
		return nil, err
	}
	w.receipts = receipts
	s := &w.i.stats
	s.groups.Add(1)
	for _, r := range receipts {
		s.items.Add(int64(r.Items))
		s.seen.Add(int64(r.Seen))
		if r.Duplicate {
			s.duplicates.Add(1)
		} else {
			s.appended.Add(1)
		}
	}
	return receipts, nil
}

// tx runs f in a transaction. f changes a copy of the head row, which becomes the truth with the commit. After an
// error everything is as before; the frames that a failed commit left in the log are overwritten by the next one.
func (w *writer) tx(what string, f func(*meta) error) error {
	m, next := &w.draft, w.next
	*m = w.m
	if _, err := w.begin.exec(); err != nil {
		return w.failed(what, err)
	}
	err := f(m)
	if err == nil && *m != w.m {
		w.row = m.appendTo(w.row[:0])
		_, err = w.putMeta.exec(w.row)
	}
	if err == nil {
		err = w.i.opts.hook(what + ": before commit")
	}
	if err == nil {
		_, err = w.commit.exec()
	}
	if err != nil {
		_, _ = w.rollback.exec() // after some errors SQLite has rolled back already
		for at, id := range w.ids {
			if id >= next {
				delete(w.ids, at)
			}
		}
		w.next = next
		w.keys.undo()
		return w.failed(what, err)
	}
	moved := m.head != w.m.head
	w.m = *m
	w.keys.done(m.head)
	if err := w.i.opts.hook(what + ": after commit"); err != nil {
		return w.failed(what, err)
	}
	if moved {
		w.i.stats.failing.Store(nil)
		if err := w.i.head.set(m.head); err != nil && !w.broken {
			w.broken = true
			w.i.opts.Log.Warn("the head file of the inbox cannot be written: a loss of the last requests would not be noticed", "error", err)
		}
	}
	return nil
}

// failed counts an error of the store and names it as a sender can be told. The log has one line a second of it: a broken
// disk fails each group at once, and the log may be on it.
func (w *writer) failed(what string, err error) error {
	kind := ErrStore
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrNotHeld), errors.Is(err, errCursor):
		return err
	case errors.Is(err, ErrDamaged):
	case isDamage(err):
		err = damagef("%w", err)
	case isFull(err):
		kind = ErrFull
		w.i.stats.full.Add(1)
	default:
		w.i.stats.failures.Add(1)
	}
	if now := w.i.opts.Clock(); now.Sub(w.told) >= time.Second || now.Before(w.told) {
		w.told = now
		w.i.opts.Log.Error("the inbox could not be written", "at", what, "error", err)
	}
	if errors.Is(err, ErrDamaged) {
		w.i.stats.failures.Add(1)
	} else {
		err = fmt.Errorf("%s: %w: %w", what, kind, err)
	}
	w.i.stats.failing.Store(&err)
	return err
}

// stamp is the time of a group. A key from before oldest was forgotten.
type stamp struct {
	time.Time
	at, oldest int64        // in ms
	old        driver.Value // oldest, as statements take it
}

func (w *writer) stamp(now time.Time) stamp {
	oldest := now.Add(-w.i.opts.DedupeFor).UnixMilli()
	return stamp{now, now.UnixMilli(), oldest, oldest}
}

// put adds one request to the transaction. Keys that are not in its frame get into their table at once.
func (w *writer) put(m *meta, e *entry, now stamp) (Receipt, error) {
	seq := m.head + 1
	r := Receipt{Seq: seq, Items: int(binary.LittleEndian.Uint32(e.frame[offItems:]))}
	fresh, first := 0, int64(0)
	for item, key := range e.keys {
		was, err := w.sighted(key, now)
		if err == nil && was == 0 {
			err = w.enter(e, key, sighting{seq, now.at})
		}
		switch {
		case err != nil:
			return r, err
		case was == 0:
			fresh++
		case e.held == "":
			markSeen(e.frame, item)
			r.Seen++
		}
		if item == 0 {
			first = was
		}
	}
	if fresh == 0 {
		r.Duplicate, r.Seen, r.Seq = true, r.Items, first
		return r, nil
	}
	if e.held != "" {
		if err := putQuarantine(w.c, Damage{From: seq, To: seq, Reason: e.held}, now.Time); err != nil {
			return r, err
		}
	}
	return r, w.insert(m, e.at, e.frame)
}

// insert seals a frame under the next sequence.
func (w *writer) insert(m *meta, at Endpoint, b []byte) error {
	id, err := w.endpoint(at)
	if err != nil {
		return err
	}
	m.head++
	m.bytes += int64(len(b))
	seal(b, m.head, id)
	if _, err = w.putRecord.exec(m.head, tag(m.head, id), b); err == nil && b[offFlags]&(flagFollowUp|flagHeld) == flagFollowUp {
		err = w.putFollowUp(m.head, id)
	}
	return err
}

// endpoint returns the id of an endpoint, and gives it one if it is new.
func (w *writer) endpoint(at Endpoint) (uint32, error) {
	if id, ok := w.ids[at]; ok {
		return id, nil
	}
	text, err := json.Marshal(at)
	if err != nil {
		return 0, err
	}
	if err := w.c.exec("INSERT INTO endpoint VALUES (?, ?)", int64(w.next), sumFirst(int64(w.next), text)); err != nil {
		return 0, err
	}
	w.ids[at] = w.next
	w.next++
	return w.ids[at], nil
}

// sumFirst puts the check over id and text before the text.
func sumFirst(id int64, text []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, sum(id, text)), text...)
}

// checked is the reverse of sumFirst.
func checked(id int64, v driver.Value) (text []byte, ok bool) {
	b, ok := v.([]byte)
	if !ok || len(b) < 4 || binary.LittleEndian.Uint32(b) != sum(id, b[4:]) {
		return nil, false
	}
	return b[4:], true
}

// finish marks the database as closed in order, unless a check is due.
func (w *writer) finish() error {
	var err error
	if w.i.whole.Load() {
		err = w.tx("close", func(m *meta) error { m.clean = 1; return nil })
	}
	return errors.Join(err, w.c.exec("PRAGMA wal_checkpoint(TRUNCATE)"))
}
