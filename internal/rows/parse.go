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
		var name []byte
		var keyEnd, start int
		e := b.keys.guess(obj, i, before)
		if e != nil {
			start = i + len(e.frag)
			keyEnd = start - 1
		} else if e, name, keyEnd, start = b.keys.find(&b.dec, obj, i, before); start < 0 {
			return refuseAt(obj, nil)
		}
		start = skipSpace(obj, start)
		end, tok := scanValue(&b.dec, obj, start)
		if tok == tokBad {
			return refuseAt(obj, obj[i:keyEnd])
		}
		switch {
		case e == nil:
			b.keepLoose(name, member{i, keyEnd, start, end})
		case e.col >= 0:
			before = e
			b.cells[e.col] = cell{start: uint32(start), end: uint32(end), tok: tok}
		default:
			before = e
			b.keepExtra(e, member{i, keyEnd, start, end})
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
func (b *Builder) keepExtra(e *entry, m member) {
	switch {
	case e.col == toDrop || b.extra < 0:
	case e.row == b.row:
		b.extras[e.at] = m
	default:
		e.at, e.row = len(b.extras), b.row
		b.extras = append(b.extras, m)
	}
}

// keepLoose is keepExtra for a key that is not remembered beyond this object.
func (b *Builder) keepLoose(name []byte, m member) {
	if b.extra < 0 {
		return
	}
	if at, seen := b.loose[text(name)]; seen {
		b.extras[at] = m
		return
	}
	if b.keys.target(name) == toDrop {
		return
	}
	b.loose[text(name)] = len(b.extras)
	b.extras = append(b.extras, m)
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
