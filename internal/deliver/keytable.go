package deliver

import "math/bits"

// keyTable maps identifiers, which are hashes, to persons. A row costs two lookups, two entries and two deletions, and
// the language's own map takes about twice the time for them. Open addressing, linear probing, at most half full;
// deletion moves the entries behind back, so that nothing has to be swept later.
type keyTable struct {
	slots []keySlot // their number is a power of two
	shift int       // of the mixed key, to a slot
	n     int
}

type keySlot struct {
	key uint64
	who *person // nil: empty
}

func newKeyTable() *keyTable {
	t := &keyTable{}
	t.size(64)
	return t
}

func (t *keyTable) size(slots int) {
	t.slots, t.shift, t.n = make([]keySlot, slots), 64-bits.TrailingZeros(uint(slots)), 0
}

// home is where a key belongs. A codec's hash may be weak in its low bits, so it is mixed once more.
func (t *keyTable) home(key uint64) int { return int(key * 0x9e3779b97f4a7c15 >> t.shift) }

func (t *keyTable) get(key uint64) *person {
	for i, mask := t.home(key), len(t.slots)-1; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.who == nil || s.key == key {
			return s.who
		}
	}
}

// put enters a key that is not in the table.
func (t *keyTable) put(key uint64, who *person) {
	if 2*t.n >= len(t.slots) {
		old := t.slots
		t.size(2 * len(old))
		for _, s := range old {
			if s.who != nil {
				t.put(s.key, s.who)
			}
		}
	}
	i, mask := t.home(key), len(t.slots)-1
	for t.slots[i].who != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = keySlot{key, who}
	t.n++
}

func (t *keyTable) delete(key uint64) {
	i, mask := t.home(key), len(t.slots)-1
	for t.slots[i].key != key || t.slots[i].who == nil {
		if t.slots[i].who == nil {
			return
		}
		i = (i + 1) & mask
	}
	t.n--
	for j := i; ; {
		j = (j + 1) & mask
		s := t.slots[j]
		if s.who == nil {
			t.slots[i] = keySlot{}
			return
		}
		if (j-t.home(s.key))&mask >= (j-i)&mask { // the hole lies between its home and itself
			t.slots[i] = s
			i = j
		}
	}
}
