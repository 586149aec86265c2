package rows

import (
	"unsafe"

	"github.com/go-faster/jx"
)

// What becomes of a key that is no column; entry.col is a column's index otherwise.
const (
	toExtra = -1
	toDrop  = -2
)

// Unknown keys are remembered up to these bounds; beyond them they cost a map lookup each and are forgotten with the row.
const (
	maxLearned    = 256
	maxLearnedKey = 128
)

// entry is a key that was met before, or that the schema names.
type entry struct {
	frag []byte // the key as it is usually written, with its colon: `"name":`
	col  int
	next *entry // the key that came after it last time
	row  uint64 // the last row that put it into "_extra" …
	at   int    // … and where
}

// keyTable finds the entry of a key: by guess first, then by name.
type keyTable struct {
	root    entry // before the first key
	byName  map[string]*entry
	learned int
	drop    []func(string) bool
}

func (t *keyTable) add(name string, col int) *entry {
	e := &entry{frag: append(AppendString(nil, name), ':'), col: col}
	t.byName[name] = e
	return e
}

// guess tries the keys that are likely to stand at i. A few are tried in turn, because a row may lack some.
func (t *keyTable) guess(b []byte, i int, before *entry) *entry {
	e := before.next
	for range 3 {
		if e == nil {
			return nil
		}
		if n := len(e.frag); len(b)-i >= n && string(b[i:i+n]) == string(e.frag) {
			return e
		}
		e = e.next
	}
	return nil
}

// find reads the key at i, whatever it is, and remembers that it came after before. end is where the key as written ends,
// after where the value, or white space before it, begins; -1 if there is no key. An unknown key that is not remembered
// has no entry but its name, without escapes, which may share memory with b.
func (t *keyTable) find(d *jx.Decoder, b []byte, i int, before *entry) (e *entry, name []byte, end, after int) {
	if i >= len(b) || b[i] != '"' {
		return nil, nil, i, -1
	}
	end, tok := scanValue(d, b, i)
	switch tok {
	case tokString:
		name = b[i+1 : end-1]
	case tokEscaped:
		d.ResetBytes(b[i:end])
		name, _ = d.StrAppend(nil) // read before, so it cannot fail
	default:
		return nil, nil, i, -1
	}
	if after = skipSpace(b, end); after >= len(b) || b[after] != ':' {
		return nil, nil, i, -1
	}
	if e = t.byName[string(name)]; e == nil {
		e = t.learn(name)
	}
	if e != nil && tok == tokString {
		before.next = e
	}
	return e, name, end, after + 1
}

// learn remembers an unknown key, so that it is guessed the next time. It returns nil where the bounds forbid that.
func (t *keyTable) learn(name []byte) *entry {
	if t.learned >= maxLearned || len(name) > maxLearnedKey {
		return nil
	}
	t.learned++
	return t.add(string(name), t.target(name))
}

// target says what becomes of an unknown key.
func (t *keyTable) target(name []byte) int {
	for _, drop := range t.drop {
		if drop(string(name)) {
			return toDrop
		}
	}
	return toExtra
}

// text returns the bytes as a string without a copy; they must not change while it is used.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
