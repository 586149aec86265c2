package echo

import (
	"encoding/json"
	"fmt"
)

// retried takes the fields out of a rejected row that may not be written any more; a row of which none is left is overtaken.
// What its source told later is known by the memory alone: a reject says when it was written, and its row need not say when
// it was told. So the memory decides, see field.stands. Nothing is noted of the source, which tells nothing here, but what
// had been refused is settled once it lands.
func (j *judging) retried(i int, r row) (judge bool, err error) {
	g, s := j.plan.gate, j.note.store
	who, values := r.contact(), r.values()
	if who == "" {
		return false, nil
	}
	id := s.id(g.Source, who)
	source, err := j.note.contact(id)
	if err != nil {
		return false, err
	}
	told := len(values) > 0
	if name := text(r["field"]); !told && g.Events && tracked[name] {
		values[name] = "" // emptied
	}
	old := map[string]bool{}
	for name, value := range values {
		if f := source[name]; !f.stands(s.hash(name, value), g.Edited) {
			old[name] = true
		} else if f != nil && f.Seen != nil {
			j.remember(id, name, f.Seen.Order, i, false)
		}
	}
	if len(values) > 0 && len(old) == len(values) {
		j.overtaken++
		j.leaveOut(i)
		return false, nil
	}
	if f := source[exists]; f != nil && f.Seen != nil {
		j.remember(id, exists, f.Seen.Order, i, false)
	}
	if len(old) > 0 {
		j.short = append(j.short, i)
		r.without(old)
		if j.narrowed[i], err = json.Marshal(r); err != nil {
			return false, fmt.Errorf("row %d: %w", i, err)
		}
	}
	return told || !g.Events, j.complete(i, r, who, source)
}

// stands reports whether a value of a rejected row may be written still. It may if the side is not known to have told or
// been given anything since: nothing is known of the field, or what was told last is this value, and it did not reach the
// other side. Another value was told later, or earlier in a row that was overtaken itself; which of the two, nobody can
// tell, and a value that is left out can be entered by hand, where one that is overwritten is lost.
//
// A value in an edited row is a person's word, and stands as long as what was told last is still refused. One that reached
// the other side is left out even if it is the same, as that side may hold a later one of its own by now.
func (f *field) stands(hash string, edited bool) bool {
	switch {
	case f.unknown():
		return true
	case f.written(), f.Seen.Refused == "" && f.Seen.Run == "":
		return false
	}
	return edited || f.Seen.Hash == hash
}
