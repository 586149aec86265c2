package transforms

import "slices"

// Wanted is a field of the user's document and the source fields that it is made from.
type Wanted struct {
	Field string
	From  []string // names or paths; the field is made from those that are there
}

// Wants lists the fields that the user's document makes of a stream's source fields, in its order; none where the document
// does not name the stream, skips it, or leaves all fields to the preset.
func (m *Mapping) Wants(stream string) []Wanted {
	entry := m.user.match(stream)
	if entry == nil || entry.skip {
		return nil
	}
	var out []Wanted
	for _, f := range entry.fields {
		w := Wanted{Field: f.name}
		for _, r := range f.steps[0].source.refs {
			name := r.name
			if ex := entry.explode; ex != nil && headOf(name) == ex.as {
				name = ex.field.name
			}
			if !slices.Contains(w.From, name) {
				w.From = append(w.From, name)
			}
		}
		if len(w.From) > 0 {
			out = append(out, w)
		}
	}
	return out
}

// Reads reports whether a top-level source field of the stream goes anywhere.
func (m *Mapping) Reads(stream, field string) bool {
	if entry := m.user.match(stream); entry != nil {
		switch {
		case entry.skip:
			return false
		case entry.rest == restCustom:
			return true
		}
	}
	return slices.Contains(m.Fields(stream), field)
}
