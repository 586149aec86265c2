package transforms

// wordTable finds the value of a text among a few known ones without hashing all of it: length and three bytes of the
// text, multiplied by a number under which no two known texts meet, give the only place where it can stand.
type wordTable struct {
	slots []wordSlot // their number is a power of two; nil: no such number was found, rest has everything
	by    uint64
	shift int
	rest  map[string]value
}

type wordSlot struct {
	word string
	to   value
	used bool
}

// maxWords is the size of a table beyond which looking for such a number is not worth while.
const maxWords = 64

func newWordTable(words map[string]value) *wordTable {
	t := &wordTable{rest: words}
	if len(words) > maxWords {
		return t
	}
	by := uint64(0x9e3779b97f4a7c15)
	for bits := 3; bits <= 10; bits++ {
		for range 32 {
			if t.place(words, by, 64-bits) {
				return t
			}
			by = by*0x5851f42d4c957f2d + 0x14057b7ef767814f | 1
		}
	}
	return t
}

// place tries a number and a size.
func (t *wordTable) place(words map[string]value, by uint64, shift int) bool {
	slots := make([]wordSlot, 1<<(64-shift))
	for word, to := range words {
		if word == "" {
			continue
		}
		s := &slots[signature(word)*by>>shift]
		if s.used {
			return false
		}
		*s = wordSlot{word, to, true}
	}
	t.slots, t.by, t.shift = slots, by, shift
	return true
}

// signature of a text that is not empty.
func signature(s string) uint64 {
	n := len(s)
	return uint64(n)<<24 ^ uint64(s[0])<<16 ^ uint64(s[n/2])<<8 ^ uint64(s[n-1])
}

// get returns the value of a text; false: the table does not list it.
func (t *wordTable) get(s string) (value, bool) {
	if t.slots == nil || s == "" {
		to, ok := t.rest[s]
		return to, ok
	}
	slot := &t.slots[signature(s)*t.by>>t.shift]
	return slot.to, slot.used && slot.word == s
}
