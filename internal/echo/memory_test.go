package echo

import (
	"fmt"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 6, 12, 0, 0, 0, time.UTC)

// side is one field of one contact on both sides, x and y, and the two relays' view of it. Times are minutes past noon.
type side struct {
	x, y  field
	order int64
	run   [2]string // of the relay that reads x, and of the one that reads y
}

func (s *side) next() int64 { s.order++; return s.order }

// change is a change that a side tells; it returns whether it is written to the other.
func (s *side) change(from, to *field, run, value, before string, made int) bool {
	n := news{hash: value, from: before, made: noon.Add(time.Duration(made) * time.Minute).UnixMilli()}
	return from.change(n, run, s.next()) && s.write(to, run, value, made)
}

func (s *side) state(from, to *field, run, value string, asked, now int) bool {
	return from.state(value, noon.Add(time.Duration(asked)*time.Minute), noon.Add(time.Duration(now)*time.Minute), run, s.next()) && s.write(to, run, value, now)
}

func (s *side) write(to *field, run, value string, at int) bool {
	if holds, known := to.holdsAsTarget(run); known && holds == value {
		return false
	}
	to.Sent = append(to.Sent, sent{Hash: value, Order: s.next(), At: noon.Add(time.Duration(at) * time.Minute).UnixMilli(), Run: run})
	return true
}

func (s *side) settleAll(f *field, at int) {
	if f.Seen != nil {
		f.settle(f.Seen.Order, noon)
	}
	for i := range f.Sent {
		f.settle(f.Sent[i].Order, noon.Add(time.Duration(at)*time.Minute))
	}
}

// TestRules: who is heard and who is not, step by step. x>v is a change of x to v, y=v a state of y; "!" means that it is
// written to the other side.
func TestRules(t *testing.T) {
	type step struct {
		what, value, before string
		at                  int
		written             bool
	}
	for name, steps := range map[string][]step{
		"an echo is dropped": {{"x>", "a", "o", 1, true}, {"y>", "a", "o", 2, false}},
		"a change back is heard, also to what was written": {{"x>", "a", "o", 1, true}, {"y>", "a", "o", 2, false}, {"y>", "b", "a", 3, true}, {"x>", "b", "a", 4, false},
			{"y>", "a", "b", 5, true}, {"x>", "a", "b", 6, false}, {"x>", "b", "a", 7, true}},
		"an echo that comes twice":                 {{"x>", "a", "o", 1, true}, {"y>", "a", "o", 2, false}, {"y>", "a", "o", 2, false}},
		"an overtaken change":                      {{"x>", "b", "a", 2, true}, {"x>", "a", "o", 1, false}, {"y>", "b", "o", 3, false}},
		"in one tick, by the chain":                {{"x>", "b", "a", 1, true}, {"x>", "a", "o", 1, false}},
		"an echo behind a later write":             {{"x>", "a", "o", 1, true}, {"x>", "b", "a", 2, true}, {"y>", "a", "o", 3, false}, {"y>", "b", "a", 4, false}},
		"echoes in another order":                  {{"x>", "a", "o", 1, true}, {"x>", "b", "a", 2, true}, {"y>", "b", "a", 4, false}, {"y>", "a", "o", 3, false}},
		"both at once":                             {{"x>", "a", "o", 1, true}, {"y>", "b", "o", 1, true}, {"y>", "a", "b", 2, true}, {"x>", "b", "a", 2, false}, {"x>", "a", "b", 3, false}},
		"a write without an echo, then two people": {{"x>", "a", "o", 1, true}, {"y>", "b", "a", 3, true}, {"y>", "a", "b", 4, true}},
		"states":                         {{"x>", "a", "o", 1, true}, {"settle", "", "", 2, false}, {"y=", "a", "", 3, false}, {"y=", "b", "", 4, true}, {"y=", "b", "", 5, false}, {"x>", "b", "a", 5, false}},
		"a state from before the write":  {{"y=", "o", "", 0, true}, {"settle", "", "", 0, false}, {"x>", "a", "o", 1, true}, {"y=", "o", "", 1, false}, {"settle", "", "", 2, false}, {"y=", "a", "", 3, false}},
		"a killed run is not believed":   {{"x>", "a", "o", 1, true}, {"kill", "", "", 0, false}, {"x>", "a", "o", 1, true}, {"y>", "a", "o", 2, false}},
		"a settled one is":               {{"x>", "a", "o", 1, true}, {"settle", "", "", 1, false}, {"kill", "", "", 0, false}, {"x>", "a", "o", 1, false}},
		"what a killed run read is news": {{"y=", "a", "", 1, true}, {"kill", "", "", 0, false}, {"y=", "a", "", 2, true}, {"settle", "", "", 3, false}, {"y=", "a", "", 4, false}},
	} {
		s := &side{run: [2]string{"x1", "y1"}}
		for i, st := range steps {
			got := false
			switch st.what {
			case "x>":
				got = s.change(&s.x, &s.y, s.run[0], st.value, st.before, st.at)
			case "y>":
				got = s.change(&s.y, &s.x, s.run[1], st.value, st.before, st.at)
			case "y=":
				got = s.state(&s.y, &s.x, s.run[1], st.value, st.at, st.at)
			case "settle":
				s.settleAll(&s.x, st.at)
				s.settleAll(&s.y, st.at)
			case "kill":
				s.run = [2]string{s.run[0] + "+", s.run[1] + "+"}
			}
			if got != st.written {
				t.Errorf("%s, step %d (%s%s): written %t, want %t", name, i, st.what, st.value, got, st.written)
			}
		}
	}
}

// TestTakeBack: a refused write is as if it had not been.
func TestTakeBack(t *testing.T) {
	s := &side{run: [2]string{"x", "y"}}
	s.change(&s.x, &s.y, "x", "a", "o", 1)
	s.y.takeBack(s.y.Sent[0].Order)
	if _, known := s.y.holdsAsTarget("x"); known || !s.change(&s.x, &s.y, "x", "a", "o", 2) {
		t.Error("a write that was refused is believed")
	}
}

// TestStands: which values of a rejected row may be written still, by what happened to the field since.
func TestStands(t *testing.T) {
	for _, c := range []struct {
		name           string
		since          func(s *side)
		stands, edited bool // of the row's value, and of another in an edited row
	}{
		{"nothing", func(*side) {}, true, true},
		{"another run died with it", func(s *side) { s.x.state("a", noon, noon, "dead", s.next()) }, true, true},
		{"a later one landed", func(s *side) {
			s.x.state("b", noon, noon, "x2", s.next())
			s.settleAll(&s.x, 2)
		}, false, false},
		{"a later one was refused", func(s *side) {
			s.x.state("b", noon, noon, "x2", s.next())
			s.x.refuse(s.x.Seen.Order, "x2")
		}, false, true},
		{"it landed", func(s *side) {
			s.x.state("a", noon, noon, "x2", s.next())
			s.settleAll(&s.x, 2)
		}, false, false},
		{"the other side wrote there", func(s *side) { s.change(&s.y, &s.x, "y", "b", "", 2) }, false, false},
		{"the other side wrote there long ago", func(s *side) {
			s.change(&s.y, &s.x, "y", "b", "", 2)
			s.settleAll(&s.x, 2)
			s.x.tidy(noon.Add(2 * sentFor))
		}, false, false},
	} {
		s := &side{}
		s.x.state("a", noon, noon, "x1", s.next())
		s.x.refuse(s.x.Seen.Order, "x1")
		c.since(s)
		if got := s.x.stands("a", false); got != c.stands {
			t.Errorf("%s: %t", c.name, got)
		}
		if got := s.x.stands("c", true); got != c.edited {
			t.Errorf("%s, edited: %t", c.name, got)
		}
	}
	if unknown := (*field)(nil); !unknown.stands("a", false) {
		t.Error("a value of which nothing is known does not stand")
	}
}

// TestBounds: a field keeps few writes and none for ever; one that goes back and forth is held, and let go the next day.
func TestBounds(t *testing.T) {
	f, passed := &field{}, 0
	for i := range 100 {
		f.Sent = append(f.Sent, sent{Hash: fmt.Sprint(i), At: noon.UnixMilli()})
		f.tidy(noon)
		if f.pass(noon) {
			passed++
		}
	}
	if len(f.Sent) != sentMost || f.Sent[sentMost-1].Hash != "99" || passed != passMost {
		t.Errorf("%d writes are kept, %d passed", len(f.Sent), passed)
	}
	if f.tidy(noon.Add(sentFor + time.Hour)); len(f.Sent) != 0 || !f.pass(noon.Add(passIn+time.Hour)) {
		t.Errorf("%d writes are kept for ever", len(f.Sent))
	}
}
