package rows

import (
	"unicode/utf8"

	"github.com/sluicehq/sluice/connector"
)

// scan walks the object and notes where its values stand, in cells and extras.
func (b *Builder) scan(obj []byte) *Refusal {
	i := skipSpace(obj, 0)
	if i >= len(obj) || obj[i] != '{' {
		return refuseAt(obj, nil)
	}
	i = skipSpace(obj, i+1)
	more := i < len(obj) && obj[i] != '}'
	for before := &b.keys.root; more; {
		var f found
		if e := b.keys.guess(obj, i, before); e != nil {
			f = found{entry: e, start: i, end: i + len(e.frag) - 1, after: i + len(e.frag)}
		} else if f = b.keys.find(&b.dec, obj, i, before); f.after < 0 {
			return refuseAt(obj, nil)
		}
		start := skipSpace(obj, f.after)
		end, tok := scanValue(&b.dec, obj, start)
		if tok == tokBad {
			return refuseAt(obj, obj[f.start:f.end])
		}
		if f.entry != nil {
			before = f.entry
		}
		if f.entry != nil && f.col >= 0 {
			b.cells[f.col] = cell{start: uint32(start), end: uint32(end), tok: tok}
		} else {
			b.keepExtra(&f, member{f.start, f.end, start, end})
		}
		if i = skipSpace(obj, end); i >= len(obj) {
			return refuseAt(obj, nil)
		}
		switch obj[i] {
		case ',':
			i = skipSpace(obj, i+1)
		case '}':
			more = false
		default:
			return refuseAt(obj, nil)
		}
	}
	if i >= len(obj) || skipSpace(obj, i+1) != len(obj) {
		return refuseAt(obj, nil)
	}
	return nil
}

// keepExtra notes a member that is no column, in the place of an earlier one of its name.
func (b *Builder) keepExtra(f *found, m member) {
	at, seen := 0, false
	switch {
	case b.extra < 0:
		return
	case f.entry != nil:
		if f.col == toDrop {
			return
		}
		at, seen = f.at, f.row == b.row
		if !seen {
			f.at, f.row = len(b.extras), b.row
		}
	default:
		if at, seen = b.loose[text(f.name)]; !seen {
			if b.keys.target(f.name) == toDrop {
				return
			}
			b.loose[text(f.name)] = len(b.extras)
		}
	}
	if seen {
		b.extras[at] = m
	} else {
		b.extras = append(b.extras, m)
	}
}

// refuseAt explains why the walk stopped. key is the key, as written, whose value stopped it, if one did.
func refuseAt(obj, key []byte) *Refusal {
	r := refuse(obj)
	if r == nil {
		// The walk and jx disagree, which the fuzz test has yet to see.
		r = &Refusal{Code: connector.CodeBadJSON, Message: "not valid JSON"}
	}
	if len(key) > 2 && r.Code == connector.CodeBadUTF8 && utf8.Valid(key) {
		r.Field = unquote(key)
	}
	return r
}
