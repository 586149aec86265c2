package transforms

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/sluicehq/sluice/connector"
)

// customColumn is the canonical column that holds an object of custom fields.
const customColumn = "custom"

// userFields binds the fields of the user's document; each becomes a column under its name.
func (b *builder) userFields() {
	if b.entry == nil {
		return
	}
	for _, f := range b.entry.fields {
		n := &node{name: f.name, at: f.at, steps: f.steps, onError: max(f.onError, onErrorReject), onNull: f.onNull, required: f.required, share: -1}
		if n.onNull.do == onNullUnset {
			n.onNull = b.entry.onNull
		}
		for _, r := range f.steps[0].source.refs {
			n.inputs = append(n.inputs, b.field(r))
		}
		if e := f.steps[0].expr; e != nil {
			b.unknownNames(e)
		} else {
			b.noticeUnknown(n)
		}
		b.coerce(n)
		b.place(n, false)
		b.targets[f.name] = n
		b.nodes = append(b.nodes, n)
	}
}

// coerce appends `type: text` to a canonical column that must be text and is not surely that.
func (b *builder) coerce(n *node) {
	c := canonical(n.name)
	if c == nil || c.List || c.Name == customColumn {
		return
	}
	before := len(b.problems)
	k := b.flow(n, false)
	b.problems = b.problems[:before] // place reports them
	switch {
	case k == Text || k == 0:
	case k&Scalar == 0:
		b.problem(n.at, "%s is text, and the steps make %s", n.name, k)
	default:
		n.steps = append(slices.Clone(n.steps), textStep(n.at))
	}
}

// knows reports whether the preset has or reads a column of that name.
func (b *builder) knows(name string) bool {
	for _, f := range b.preset.fields {
		if f.name == name {
			return true
		}
		for _, r := range f.steps[0].source.refs {
			if r.name == name || headOf(r.name) == name {
				return true
			}
		}
	}
	return name == customColumn
}

// unknownTarget deals with a column that the vendor's preset knows nothing of.
func (b *builder) unknownTarget(n *node) {
	switch {
	case b.entry.rest != restDrop:
		b.loose = append(b.loose, n)
	case canonical(n.name) != nil:
		b.notices = append(b.notices, fmt.Sprintf("stream %s: %s has no place for %s; it is dropped", b.stream, b.opts.Preset.name, n.name))
	default:
		b.problem(n.at, "%s is no column of contacts%s; set `rest: custom` to send it as a custom field, or write custom.%s",
			n.name, didYouMean(n.name, b.columnNames()), n.name)
	}
}

// columnNames lists what a field may be called.
func (b *builder) columnNames() []string {
	var names []string
	for _, c := range connector.Contact {
		names = append(names, c.Name)
	}
	for _, f := range b.preset.fields {
		names = append(names, f.name)
	}
	return names
}

// noticeUnknown says so where the schema has none of the fields that a field reads; its rows may still bring them.
func (b *builder) noticeUnknown(n *node) {
	if !b.known || !typed(b.schema) || len(n.inputs) == 0 {
		return
	}
	var have []string
	for _, f := range b.schema.Fields() {
		have = append(have, f.Name)
	}
	for _, in := range n.inputs {
		if slices.Contains(have, headOf(in.ref.name)) || slices.Contains(have, in.ref.name) {
			return
		}
	}
	name := n.inputs[0].ref.name
	b.notices = append(b.notices, fmt.Sprintf("stream %s: %s reads the field %q, which the schema does not list%s", b.stream, n.name, name, didYouMean(name, have)))
}

// typed reports whether the schema was given by the source, and not made up from what the mapping reads.
func typed(s *arrow.Schema) bool {
	for _, f := range s.Fields() {
		if !connector.IsReserved(f.Name) && !connector.IsJSON(f) {
			return true
		}
	}
	return false
}

// customField makes the node of the canonical object `custom`: the user's own field of that name, fields called
// custom.<name>, and with `rest: custom` whatever the mapping does not name.
func (b *builder) customField() {
	if b.entry == nil {
		return
	}
	c := &customObject{explicit: map[string]bool{}, consumed: b.consumed}
	var parts []*node
	for _, f := range b.entry.fields {
		if name, ok := strings.CutPrefix(f.name, customColumn+"."); ok && name != "" {
			c.add(name)
			parts = append(parts, b.targets[f.name])
		}
	}
	if b.entry.rest == restCustom {
		for _, n := range b.loose {
			c.add(n.name)
			parts = append(parts, n)
		}
	} else if len(parts) == 0 {
		return
	}
	n := &node{name: customColumn, at: b.entry.at, onError: onErrorReject, onNull: b.entry.onNull, share: -1}
	c.nulls = n.onNull.do > onNullOmit
	for _, part := range parts {
		part.used = true
		c.kept = append(c.kept, b.joinNull(n, part))
		n.inputs = append(n.inputs, input{ref: ref{name: part.name, at: part.at}, alts: []access{{slot: part.slot}}})
	}
	c.base = -1
	if own := b.targets[customColumn]; own != nil {
		own.used = true
		c.base, c.kept = len(n.inputs), append(c.kept, b.joinNull(n, own))
		n.inputs = append(n.inputs, input{ref: ref{name: customColumn, at: own.at}, alts: []access{{slot: own.slot}}})
	} else if b.entry.rest == restCustom && !b.consumed[customColumn] {
		c.base, c.kept = len(n.inputs), append(c.kept, c.nulls)
		n.inputs = append(n.inputs, b.field(ref{name: customColumn, at: b.entry.at}))
	}
	c.extras = b.entry.rest == restCustom
	n.steps = []*step{{op: customColumn, at: n.at, source: &source{out: func([]Kinds) Kinds { return Object }, fill: c.fill}}}
	n.kinds, n.slot = Object, b.newSlot(Object)
	n.used = b.preset == nil
	b.custom, b.customSpec = n, c
	b.nodes = append(b.nodes, n)
}

// customRest adds the columns that nothing has named by now to the object.
func (b *builder) customRest() {
	if b.custom == nil || !b.customSpec.extras || !b.known {
		return
	}
	for _, name := range b.unnamed() {
		b.customSpec.add(name)
		b.customSpec.kept = append(b.customSpec.kept, b.customSpec.nulls)
		b.custom.inputs = append(b.custom.inputs, b.bind(ref{name: name, at: b.custom.at}))
	}
}

// unnamed lists the columns of the schema that are data and that the mapping does not name.
func (b *builder) unnamed() []string {
	var names []string
	for _, f := range b.schema.Fields() {
		if !connector.IsReserved(f.Name) && !bookkeeping(f.Name) && !b.consumed[f.Name] {
			names = append(names, f.Name)
		}
	}
	return names
}

// bookkeeping reports whether a field is the host's own and no data of the contact.
func bookkeeping(name string) bool {
	for _, prefix := range [...]string{"_airbyte_", "_ab_", "_sdc_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return connector.IsReserved(name) || slices.Contains(markerNames, name)
}

// presetFields binds the fields of the preset to what the user's document makes.
func (b *builder) presetFields() {
	if b.preset == nil {
		return
	}
	slots := map[string]*node{}
	for _, f := range b.preset.fields {
		n := b.presetField(f)
		slots[f.name] = n
		b.nodes = append(b.nodes, n)
		b.outs = append(b.outs, b.outputOf(n))
		b.presetNull(f, n)
		if n.required && n.never && !b.byName {
			b.problem(b.entry.at, "%s is required, and no field of the mapping leads to it: map %s", f.name, orList(refNames(f)))
		}
	}
	var names []string
	reachable := b.byName
	for _, id := range b.preset.identifiers {
		n := slots[id.name]
		if n == nil {
			b.problem(id.at, "%s is no field of the preset", id.name)
			continue
		}
		b.identifiers = append(b.identifiers, n.slot)
		names = append(names, id.name)
		reachable = reachable || !n.never
	}
	b.identifierNames = orList(names)
	if len(names) > 0 && !reachable {
		b.problem(b.entry.at, "no field of the mapping leads to %s: every row would be refused", orList(names))
	}
}

func refNames(f *fieldSpec) (names []string) {
	for _, r := range f.steps[0].source.refs {
		names = append(names, r.name)
	}
	return names
}

// presetField binds one field. A user's field of the same name that the preset's own steps do not read replaces them.
// Where the preset leaves on_error open, that of the user's fields it reads holds, if they agree.
func (b *builder) presetField(f *fieldSpec) *node {
	n := &node{name: f.name, at: f.at, preset: true, steps: f.steps, required: f.required, clear: f.clear, used: true, share: -1}
	refs := f.steps[0].source.refs
	if t := b.targets[f.name]; t != nil && !slices.Contains(refNames(f), f.name) {
		refs = []ref{{name: f.name, at: t.at}}
		n.steps = []*step{fromStep(refs[0])}
	}
	b.agreeOnNull(n, refs)
	for _, r := range refs {
		if t := b.targets[r.name]; t != nil && plusLess(t.steps) && slices.ContainsFunc(n.steps, func(st *step) bool { return st.plus&plusWanted != 0 }) {
			b.problem(t.at, "%s has taken the + off, so that the region of %s in %s would take foreign numbers for its own: write `format: e164`", t.name, n.name, b.opts.Preset.name)
		}
	}
	n.onError = f.onError
	agreed := onErrorUnset
	for _, r := range refs {
		n.inputs = append(n.inputs, b.column(r))
		if t := b.targets[r.name]; t != nil {
			if agreed != onErrorUnset && agreed != t.onError {
				agreed = onErrorReject
				break
			}
			agreed = t.onError
		}
	}
	for _, r := range refs[len(n.inputs):] {
		n.inputs = append(n.inputs, b.column(r))
	}
	if n.onError == onErrorUnset {
		n.onError = max(agreed, onErrorReject)
	}
	b.place(n, true)
	return n
}

// outputs lists the columns to write.
func (b *builder) outputs() {
	switch {
	case b.preset != nil:
	case b.byName && (b.entry == nil || b.entry.rest != restCustom):
		b.keepRest()
		return
	default:
		for _, n := range b.made() {
			if n.name != customColumn || b.custom == nil {
				b.outs = append(b.outs, b.outputOf(n))
			}
		}
		if b.custom != nil {
			b.custom.used = true
			b.outs = append(b.outs, b.outputOf(b.custom))
		}
	}
	if b.entry != nil && b.entry.rest == restKeep {
		for _, n := range b.loose {
			n.used = true
			b.outs = append(b.outs, b.outputOf(n))
		}
		b.keepRest()
		return
	}
	if b.preset != nil && b.custom != nil && !b.custom.used {
		b.notices = append(b.notices, fmt.Sprintf("stream %s: %s has no place for custom fields; they are dropped", b.stream, b.opts.Preset.name))
	}
}

// keepRest hands on the columns that the mapping does not name, and what it does not name in "_extra".
func (b *builder) keepRest() {
	if !b.known {
		return
	}
	taken := map[string]bool{}
	for _, o := range b.outs {
		taken[o.name] = true
	}
	for _, name := range b.unnamed() {
		if !taken[name] {
			at := fieldIndex(b.schema, name)
			b.outs = append(b.outs, output{name: name, slot: -1, share: at, like: -1, field: b.schema.Field(at), null: b.restNull()})
		}
	}
	if b.extra >= 0 {
		b.outs = append(b.outs, output{name: connector.ColumnExtra, share: -1, slot: -1, like: -1, extra: true, field: connector.JSONField(connector.ColumnExtra), null: b.restNull()})
	}
}

// outputOf gives the column of a node: shared where the record holds its very values in the same type.
func (b *builder) outputOf(n *node) output {
	o := output{name: n.name, slot: n.slot, share: n.share, like: -1, never: n.never, field: fieldOf(n.name, n.kinds)}
	if o.null = n.onNull.do; b.preset == nil && o.null == onNullClear {
		o.null = onNullKeep
	}
	if o.null > onNullOmit {
		o.share = -1 // a null may have to be marked
	}
	if o.share >= 0 {
		from := b.schema.Field(o.share)
		if !arrow.TypeEqual(from.Type, o.field.Type) || connector.IsJSON(from) != connector.IsJSON(o.field) {
			o.share = -1
		}
	}
	if at, ok := b.origin[n.slot]; ok && isText(b.schema.Field(at)) && isText(o.field) {
		o.like = at
	}
	return o
}

func isText(f arrow.Field) bool { return f.Type.ID() == arrow.STRING && !connector.IsJSON(f) }

func fieldOf(name string, k Kinds) arrow.Field {
	f := arrow.Field{Name: name, Nullable: true}
	switch k {
	case Text, 0:
		f.Type = arrow.BinaryTypes.String
	case Integer:
		f.Type = arrow.PrimitiveTypes.Int64
	case Boolean:
		f.Type = arrow.FixedWidthTypes.Boolean
	case List:
		f.Type = arrow.ListOf(arrow.BinaryTypes.String)
	default:
		return connector.JSONField(name)
	}
	return f
}

// keyFields prepares Plan.Key: the identifiers as the mapping makes them, else as the source spells them.
func (b *builder) keyFields() {
	for _, name := range b.opts.Identifiers {
		if n := b.targets[name]; n != nil {
			b.keys = append(b.keys, key{slot: n.slot, inputs: n.inputs})
			if !n.used {
				b.keyNodes = append(b.keyNodes, n)
			}
		} else if b.byName {
			b.keys = append(b.keys, key{slot: -1, inputs: []input{b.bind(ref{name: name})}})
		}
	}
	if b.preset == nil {
		return
	}
	for _, n := range b.nodes {
		for _, id := range b.preset.identifiers {
			if n.preset && n.name == id.name {
				b.keys = append(b.keys, key{slot: n.slot, inputs: n.inputs})
			}
		}
	}
}
