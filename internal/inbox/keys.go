package inbox

import (
	"bytes"
	"context"
	"crypto/sha256"
	"iter"
	"math"
	"slices"
)

// keySize is how much of a SHA-256 a dedupe key keeps: two requests that share one by chance are not to be met.
const keySize = 16

type dedupeKey [keySize]byte

// hashKey makes the dedupe key of one item, or of a whole body: kind keeps those apart.
func hashKey(kind byte, at Endpoint, key []byte) []byte {
	h := sha256.New()
	h.Write(appendScope(nil, kind, at))
	h.Write(key)
	return h.Sum(nil)[:keySize]
}

// appendKey appends what hashKey makes, without memory of its own for a key that is not long.
func appendKey(b []byte, kind byte, at Endpoint, key string) []byte {
	var text [256]byte
	sum := sha256.Sum256(append(appendScope(text[:0], kind, at), key...))
	return append(b, sum[:keySize]...)
}

// appendScope writes what a key is valid for.
func appendScope(b []byte, kind byte, at Endpoint) []byte {
	b = append(b, kind)
	b = appendText(b, at.Name)
	b = appendText(b, at.Vendor)
	b = appendText(b, at.Account)
	return appendText(b, at.Type)
}

const (
	keyItem  = 'i'
	keyBody  = 'b'
	keyInert = 'q' // the body of a quarantined request, whose items must not count as seen
	keyProbe = 'p' // of Probe
)

// What a commit costs is the pages that it changes, and a table of hashes changes one a key. So the keys of a request are
// stored in its record alone. In memory they wait until there are many; then they get into their table in the order of keys,
// where neighbours share a page: with each group as many as it brought. Those that a dead process has left waiting are
// read from the records behind meta.settled.

const (
	defaultGeneration = 4096 // so many keys gather before they are put in order; about twice as many wait at the most
	defaultStride     = 64   // so many get into the table at once
)

// sighting is where a key was seen, and when, in ms.
type sighting struct{ seq, at int64 }

// waiting holds the keys that are in records and not in their table yet.
type waiting struct {
	generation, stride int

	seen  map[dedupeKey]sighting
	young []dedupeKey // as they came
	old   []dedupeKey // in the order of keys, on their way
	last  int64       // records up to here have no key in young
	owed  int         // so many came since old was gathered, and none of old has moved for them

	added, moved int // to young and from old by the transaction under way
}

func newWaiting(o Options) waiting {
	return waiting{generation: o.generation, stride: o.stride, seen: map[dedupeKey]sighting{}}
}

func (k *waiting) add(key dedupeKey, at sighting) {
	k.seen[key] = at
	k.young = append(k.young, key)
	k.added++
}

// gather puts what is young behind what is old.
func (k *waiting) gather(head int64) {
	slices.SortFunc(k.young, func(a, b dedupeKey) int { return bytes.Compare(a[:], b[:]) })
	k.old, k.young, k.last = append(k.old, k.young...), k.young[:0], head
}

// undo forgets the transaction under way.
func (k *waiting) undo() {
	rest := len(k.young) - k.added
	for _, key := range k.young[rest:] {
		delete(k.seen, key)
	}
	k.young = k.young[:rest]
	k.added, k.moved = 0, 0
}

// done takes the transaction under way for committed, with head as the last record.
func (k *waiting) done(head int64) {
	for _, key := range k.old[:k.moved] {
		delete(k.seen, key)
	}
	k.old = k.old[k.moved:]
	k.owed += k.added - k.moved
	k.added, k.moved = 0, 0
	if len(k.old) == 0 {
		k.old, k.owed = nil, 0
		if len(k.young) >= k.generation {
			k.gather(head)
		}
	}
}

// forget removes what was seen before a time, in ms, and returns how many.
func (k *waiting) forget(before int64) (n int64) {
	for key, s := range k.seen {
		if s.at < before {
			delete(k.seen, key)
			n++
		}
	}
	return n
}

// The later sighting of a key counts; what is written twice is no harm.
const (
	insertSeen = "INSERT INTO seen VALUES (?, ?, ?)"
	laterSeen  = " ON CONFLICT (key) DO UPDATE SET seq = excluded.seq, at = excluded.at WHERE excluded.at > at"
)

// sighted returns the record that had the key, 0 if none had it within the time that keys count.
func (w *writer) sighted(key []byte, now stamp) (seq int64, err error) {
	if s, ok := w.keys.seen[dedupeKey(key)]; ok {
		if s.at >= now.oldest {
			seq = s.seq
		}
		return seq, nil
	}
	w.args = append(w.args[:0], key, now.old)
	v, err := w.whoHas.first(w.args)
	seq, _ = v.(int64)
	return seq, err
}

// enter notes the key of an entry.
func (w *writer) enter(e *entry, key []byte, at sighting) error {
	if e.frame[offFlags]&flagKeys != 0 {
		w.keys.add(dedupeKey(key), at)
		return nil
	}
	delete(w.keys.seen, dedupeKey(key)) // one that was forgotten
	_, err := w.putKey.exec(key, at.seq, at.at)
	return err
}

// settle moves as many keys into their table as came meanwhile.
func (w *writer) settle(m *meta) error {
	k := &w.keys
	for k.moved < len(k.old) && k.owed+k.added-k.moved >= k.stride {
		if err := w.move(m); err != nil {
			return err
		}
	}
	return nil
}

// settleAll moves all of them, in a transaction that adds none.
func (w *writer) settleAll(m *meta) error {
	k := &w.keys
	k.gather(m.head)
	for k.moved < len(k.old) {
		if err := w.move(m); err != nil {
			return err
		}
	}
	m.settled = m.head
	return nil
}

// move writes one stride of the keys that are old.
func (w *writer) move(m *meta) error {
	k := &w.keys
	next := k.old[k.moved:min(k.moved+k.stride, len(k.old))]
	w.args = w.args[:0]
	for i, key := range next {
		if s, ok := k.seen[key]; ok { // else it is in the table
			w.args = append(w.args, next[i][:], s.seq, s.at)
		}
	}
	if len(w.args) == 3*k.stride {
		if _, err := w.putKeys.exec(w.args...); err != nil {
			return err
		}
	} else {
		for row := range slices.Chunk(w.args, 3) {
			if _, err := w.putKey.exec(row...); err != nil {
				return err
			}
		}
	}
	if k.moved += len(next); k.moved == len(k.old) {
		m.settled = k.last
	}
	return nil
}

// recall reads the keys that a dead process has left waiting. A generation of them gets into the table at once: of processes
// that die young none would come so far, and each would have more to read than the one before.
func (w *writer) recall(ctx context.Context, known map[uint32]knownEndpoint) error {
	walk := scan{
		c: w.c, known: known, next: max(w.m.settled, w.m.floor) + 1,
		q: Query{Head: w.m.head, Rows: math.MaxInt, Bytes: math.MaxInt64, Quarantined: true},
	}
	walk.sink = func(rec Record, _ uint32, data []byte) error {
		at := sighting{rec.Seq, rec.ReceivedAt.UnixMilli()}
		for key := range freshKeys(&rec, data) {
			w.keys.add(key, at)
		}
		return nil
	}
	if err := walk.run(ctx); err != nil {
		return err
	}
	if list := walk.page.Damaged; len(list) > 0 {
		w.i.opts.Log.Warn("some requests near the end of the inbox are damaged or lost; if they are sent again, they come in again",
			"from", list[0].From, "to", list[len(list)-1].To)
	}
	w.keys.done(w.m.head)
	if len(w.keys.old) == 0 {
		return nil
	}
	return w.tx("recall", w.settleAll)
}

// freshKeys are the keys of a record's items that were not seen before it.
func freshKeys(r *Record, frame []byte) iter.Seq[dedupeKey] {
	return func(yield func(dedupeKey) bool) {
		if frame[offFlags]&flagKeys == 0 {
			return
		}
		keys := frame[offSeen+len(r.seen):]
		for item := range r.Items {
			if !r.Seen(item) && !yield(dedupeKey(keys[item*keySize:])) {
				return
			}
		}
	}
}
