package deliver

import "slices"

// pastPeople is how many persons without an open row are remembered for the sake of their aliases. About 100 bytes each.
const pastPeople = 1 << 13

// person is a set of identifiers that some row held together. Rows of one person are sent one after the other, and
// since each row of a person becomes its last, a row has at most one successor.
type person struct {
	parent *person // set once merged into another; then only that one counts
	last   *row    // the last row of the chain, nil while the person has no open row
	idle   uint64  // number of the idling that put it into people.past; 0: it is not there
	n      int
	few    [4]uint64
	more   []uint64
}

func (p *person) add(key uint64) {
	if p.n < len(p.few) {
		p.few[p.n] = key
	} else {
		p.more = append(p.more, key)
	}
	p.n++
}

func (p *person) each(f func(key uint64)) {
	for i := range min(p.n, len(p.few)) {
		f(p.few[i])
	}
	for _, k := range p.more {
		f(k)
	}
}

func (p *person) root() *person {
	for p.parent != nil {
		if p.parent.parent != nil {
			p.parent = p.parent.parent
		}
		p = p.parent
	}
	return p
}

// people is the table of who is who. It knows persons with open rows, and the most recent ones without who have more
// than one identifier: otherwise two rows that share no identifier, but whose identifiers an earlier row tied together,
// could overtake each other at the vendor, which matches them to one record.
type people struct {
	byKey *keyTable
	past  []pastEntry // ring
	next  int
	idled uint64
	spare []*person
}

type pastEntry struct {
	who  *person
	idle uint64
}

func newPeople(past int) *people {
	return &people{byKey: newKeyTable(), past: make([]pastEntry, past)}
}

// enter makes the row the last of its person, joining the persons that its keys tie together. The row waits for the
// last row of each of them. It may reorder keys.
func (t *people) enter(r *row, keys []uint64) {
	var who *person
	missing := 0 // new keys, moved to the front of keys
	for i, k := range keys {
		p := t.byKey.get(k)
		if p == nil {
			keys[i], keys[missing] = keys[missing], k
			missing++
			continue
		}
		if p = p.root(); who == nil {
			who = p
			t.follow(r, p)
		} else if p != who {
			t.follow(r, p)
			who = t.join(who, p)
		}
	}
	if who == nil {
		if len(keys) == 0 {
			return
		}
		who = t.person()
	}
	for i, k := range keys[:missing] {
		if !slices.Contains(keys[:i], k) { // two identifiers of a row may be spelt alike
			t.byKey.put(k, who)
			who.add(k)
		}
	}
	who.last, who.idle = r, 0
	r.who = who
}

// follow makes r wait for the last row of p.
func (t *people) follow(r *row, p *person) {
	if p.last != nil && p.last != r {
		p.last.next = r
		r.waits++
	}
}

// join merges the person with fewer keys into the other.
func (t *people) join(a, b *person) *person {
	if a.n < b.n {
		a, b = b, a
	}
	b.each(a.add)
	b.parent, b.last, b.idle = a, nil, 0
	b.more = nil
	return a
}

// leave takes a row that is terminal out of its chain and returns the row that may go now, if any.
func (t *people) leave(r *row, remember bool) (freed *row) {
	if n := r.next; n != nil {
		r.next = nil
		if n.waits--; n.waits == 0 {
			freed = n
		}
	}
	if r.who == nil {
		return freed
	}
	p := r.who.root()
	r.who = nil
	if p.last != r {
		return freed
	}
	p.last = nil
	if p.n > 1 && remember && len(t.past) > 0 {
		t.keep(p)
	} else {
		t.forget(p)
	}
	return freed
}

// keep puts an idle person into the ring and forgets the one whose place that was, unless he has been seen since.
func (t *people) keep(p *person) {
	t.idled++
	p.idle = t.idled
	e := &t.past[t.next]
	if e.who != nil && e.who.idle == e.idle {
		t.forget(e.who)
	}
	*e = pastEntry{who: p, idle: p.idle}
	t.next = (t.next + 1) % len(t.past)
}

func (t *people) forget(p *person) {
	p.each(t.byKey.delete)
	p.n, p.idle, p.more = 0, 0, nil
	t.spare = append(t.spare, p)
}

// person takes a used one or makes a slab of new ones, so that a row costs no allocation of its own.
func (t *people) person() *person {
	if n := len(t.spare); n > 0 {
		p := t.spare[n-1]
		t.spare = t.spare[:n-1]
		return p
	}
	slab := make([]person, 64)
	for i := range slab[1:] {
		t.spare = append(t.spare, &slab[1+i])
	}
	return &slab[0]
}
