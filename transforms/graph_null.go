package transforms

import (
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/sluicehq/sluice/connector"
)

// agreeOnNull gives a preset's field the rule of the user's fields that it reads, or that of the stream.
func (b *builder) agreeOnNull(n *node, refs []ref) {
	first := ""
	for _, r := range refs {
		t, _ := b.target(r)
		switch {
		case t == nil:
		case first == "":
			first, n.onNull = t.name, t.onNull
		case max(n.onNull.do, onNullOmit) != max(t.onNull.do, onNullOmit):
			b.problem(t.at, "%s and %s both lead to %s of %s and must have the same on_null", first, t.name, n.name, b.opts.Preset.name)
		}
	}
	if first == "" && b.entry != nil {
		n.onNull = b.entry.onNull
	}
}

// joinNull gives an object the rule of a field that becomes a member of it. It reports whether the member's null is kept
// there: what a vendor writes in its place is for the preset to say.
func (b *builder) joinNull(whole, part *node) (kept bool) {
	switch {
	case part.onNull.do <= onNullOmit:
		return false
	case whole.onNull.do <= onNullOmit:
		whole.onNull = part.onNull
	case whole.onNull.do != part.onNull.do:
		b.problem(part.onNull.at, "the members of %s that are null must all be cleared or all be kept", whole.name)
	}
	return true
}

// presetNull binds the rule to the column just added. What the vendor has no form for is refused; the fields by which a
// row is known, and those that must not be empty, are left out where the rule is the stream's.
func (b *builder) presetNull(f *fieldSpec, n *node) {
	o := &b.outs[len(b.outs)-1]
	if n.onNull.do <= onNullOmit || n.never {
		o.null = onNullOmit
		return
	}
	fixed := n.required
	for _, id := range b.preset.identifiers {
		fixed = fixed || id.name == n.name
	}
	vendor := b.opts.Preset.name
	switch own := b.entry != nil && n.onNull == b.entry.onNull; {
	case fixed && own:
		o.null = onNullOmit
	case fixed:
		b.problem(n.onNull.at, "%s of %s must not be empty; leave on_null out", n.name, vendor)
	case n.onNull.do == onNullKeep && !b.preset.nulls:
		b.problem(n.onNull.at, "null cannot be sent by the %s; use omit", vendor)
	case n.onNull.do == onNullKeep:
	case f.clear == nil:
		b.uncleared = append(b.uncleared, unclear{n.name, n.onNull.at})
	case f.clear.k == kindAbsent:
		o.null = onNullKeep
	default:
		o.clear = f.clear
		o.field = fieldOf(o.name, n.kinds|f.clear.kinds())
	}
}

// unclear is a column that was to be cleared and cannot be.
type unclear struct {
	name string
	at   pos
}

// markedNulls reports what cannot be cleared, in one sentence a place, and adds the column that marks nulls where one is
// wanted.
func (b *builder) markedNulls() {
	names := map[pos][]string{}
	for _, u := range b.uncleared {
		names[u.at] = append(names[u.at], u.name)
	}
	for at, list := range names {
		b.problem(at, "the %s has no known way to clear %s; use omit, or say in the preset what the CRM takes: `%s: {…, clear: \"\"}`",
			b.opts.Preset.name, strings.Join(list, ", "), list[0])
	}
	for _, o := range b.outs {
		if o.null > onNullOmit {
			b.outs = append(b.outs, output{
				name: connector.ColumnNull, slot: -1, share: -1, like: -1, nulls: true,
				field: arrow.Field{Name: connector.ColumnNull, Type: arrow.BinaryTypes.Binary, Nullable: true},
			})
			return
		}
	}
}

// restNull is the rule for fields that are handed on unnamed.
func (b *builder) restNull() onNull {
	if b.entry == nil || b.entry.onNull.do <= onNullOmit {
		return onNullOmit
	}
	return onNullKeep
}
