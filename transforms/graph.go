package transforms

import (
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/sluicehq/sluice/connector"
)

// graph is a mapping and a preset, bound to one stream and schema: vectors to load, fields to evaluate in order, columns
// to write. It does not change once it is built.
type graph struct {
	stream string
	schema *arrow.Schema // of the input
	extra  int           // index of "_extra", -1: none
	nulls  int           // index of "_null", -1: none

	columns []column
	wanted  map[string]int // members of "_extra" that are read → slot
	slots   int

	markers  []marker
	onDelete onDelete
	where    *expression
	whereIn  []input

	nodes           []*node // in order of evaluation
	identifiers     []int   // slots
	identifierNames string
	outs            []output

	keyNodes []*node // evaluated for Plan.Key only
	keys     []key
}

// node is a field of either document, bound to its inputs.
type node struct {
	name     string
	at       pos
	preset   bool // the preset's field, not the user's
	steps    []*step
	inputs   []input
	slot     int
	kinds    Kinds
	onError  onError
	onNull   nullRule
	clear    *value // of the preset: the wire form of what is to be emptied
	required bool
	alias    bool // the value of another slot as it is
	never    bool // nothing can come of it: none of its inputs exists
	direct   int  // the vector that holds the value after the first done steps
	done     int  // steps of which another vector has the result; 0: none
	share    int  // the column of the record that holds the very values, -1: none
	used     bool
}

// output is a column of Applied.Rows.
type output struct {
	name  string
	slot  int // of the vector; not used where share >= 0
	share int // index of the input's column that is handed on, -1: none
	field arrow.Field
	never bool   // null in every row
	like  int    // the input's column of text that the steps may leave as it is, -1: none
	null  onNull // what becomes of a null
	clear *value // what stands for one, with onNullClear
	nulls bool   // the column "_null" itself
	extra bool   // what `rest: keep` leaves of "_extra"
}

// key is a way to name a row for people.
type key struct {
	slot   int
	inputs []input
}

// builder makes a graph. Without a schema it checks what can be checked: every source field may then be of any kind.
type builder struct {
	*graph
	opts       Options
	entry      *streamSpec // the user's; nil: there is none for the stream
	byName     bool        // the user's document names no fields: they go by their own names
	preset     *streamSpec
	known      bool // the schema is known
	slotOf     map[string]int
	shared     map[int]int // slot → column of the record, where the slot holds its values unchanged
	origin     map[int]int // slot → column of the record, where the slot begins as its values
	kindsOf    map[int]Kinds
	targets    map[string]*node // fields of the user's document, by name
	canon      map[string]input // canonical columns read by their own names
	consumed   map[string]bool  // source fields that the mapping names
	groups     []*node          // objects that are made of several fields
	parts      map[*node]*node  // field → the object it is a part of
	loose      []*node          // user's fields that the preset does not know
	custom     *node
	customSpec *customObject
	problems   Problems
	uncleared  []unclear
	notices    []string
}

// build binds a mapping; schema nil: a check before any schema is known.
func build(o Options, user *Spec, stream string, entry *streamSpec, schema *arrow.Schema) (*builder, error) {
	b := &builder{
		graph: &graph{stream: stream, schema: schema, extra: -1, nulls: -1, wanted: map[string]int{}},
		opts:  o, entry: entry, preset: o.Preset.preset(), known: schema != nil,
		slotOf: map[string]int{}, shared: map[int]int{}, origin: map[int]int{}, kindsOf: map[int]Kinds{}, targets: map[string]*node{},
		canon: map[string]input{}, parts: map[*node]*node{}, consumed: map[string]bool{},
	}
	if schema != nil {
		b.extra = fieldIndex(schema, connector.ColumnExtra)
		b.nulls = fieldIndex(schema, connector.ColumnNull)
	}
	if entry != nil {
		if ex := entry.explode; ex != nil {
			for _, name := range []string{ex.field.name, headOf(ex.field.name)} {
				b.consumed[name] = b.consumed[name] || name != ex.as // the list itself goes nowhere
			}
		}
		b.onDelete = entry.onDelete
		b.useWhere(entry.where)
	}
	b.byName = entry == nil || len(entry.fields) == 0
	b.useMarkers()
	b.userFields()
	b.nestedFields()
	b.unknownTargets()
	b.customField()
	b.presetFields()
	b.customRest()
	b.outputs()
	b.markedNulls()
	b.keyFields()
	b.finish()
	return b, b.problems.err()
}

func fieldIndex(s *arrow.Schema, name string) int {
	if at := s.FieldIndices(name); len(at) > 0 {
		return at[0]
	}
	return -1
}

func (b *builder) problem(at pos, format string, args ...any) {
	b.problems = append(b.problems, at.problem(format, args...))
}

func (b *builder) newSlot(k Kinds) int {
	slot := b.slots
	b.slots++
	b.kindsOf[slot] = k
	return slot
}

// source returns the slot of a source field; -1: the record can never have it.
func (b *builder) source(name string) int {
	if slot, ok := b.slotOf[name]; ok {
		return slot
	}
	c := column{name: name, at: -1, kinds: Any}
	if b.known && name != connector.ColumnExtra && name != connector.ColumnNull {
		c.at = fieldIndex(b.schema, name)
	}
	switch {
	case c.at >= 0:
		f := b.schema.Field(c.at)
		c.json, c.kinds = connector.IsJSON(f), columnKinds(f)
	case b.known && b.extra < 0:
		b.slotOf[name] = -1
		return -1
	}
	c.slot = b.newSlot(c.kinds)
	if c.at >= 0 {
		b.shared[c.slot], b.origin[c.slot] = c.at, c.at
	} else {
		b.wanted[name] = c.slot
	}
	b.columns = append(b.columns, c)
	b.slotOf[name] = c.slot
	return c.slot
}

// field binds a reference to the record's fields and notes that the mapping reads them.
func (b *builder) field(r ref) input {
	b.consumed[r.name], b.consumed[headOf(r.name)] = true, true
	return b.bind(r)
}

// bind finds the field of that very name, then the path.
func (b *builder) bind(r ref) input {
	in := input{ref: r}
	path := pathOf(r.name)
	head, path, dotted := path[0], path[1:], len(path) > 1
	exact := !dotted || b.known && fieldIndex(b.schema, r.name) >= 0
	if exact {
		if slot := b.source(r.name); slot >= 0 {
			in.alts = append(in.alts, access{slot: slot})
		}
	}
	if dotted {
		if slot := b.source(head); slot >= 0 {
			if k := b.kindsOf[slot]; k&(List|Object) == 0 {
				if !exact {
					b.problem(r.at, "%s is %s and has no member %s", head, k, strings.Join(path, "."))
				}
				return in
			}
			in.alts = append(in.alts, access{slot: slot, path: path})
		}
	}
	return in
}

// column binds a reference of the preset: to the user's field of that name, or to the record where the user's document
// leaves it alone.
func (b *builder) column(r ref) input {
	n, path := b.target(r)
	switch {
	case n != nil:
		n.used = true
		return input{ref: r, alts: []access{{slot: n.slot, path: path}}}
	case b.byName:
		if c := canonical(r.name); c != nil && !c.List && c.Name != customColumn {
			return b.canonicalText(r)
		}
		return b.field(r)
	case b.entry.rest == restKeep && !b.consumed[r.name]:
		return b.field(r)
	}
	return input{ref: r}
}

// target finds the field of the user's document that a reference of the preset means, and the path into it; nil: none.
func (b *builder) target(r ref) (*node, []string) {
	whole := pathOf(r.name)
	head, rest := whole[0], whole[1:]
	switch {
	case head == customColumn && b.custom != nil:
		if len(rest) == 0 {
			return b.custom, nil
		}
		return b.custom, rest
	case b.targets[r.name] != nil:
		return b.targets[r.name], nil
	case len(rest) > 0:
		return b.targets[head], rest
	}
	return nil, nil
}

// canonicalText reads a canonical column under its own name; what is not text there becomes text.
func (b *builder) canonicalText(r ref) input {
	if in, ok := b.canon[r.name]; ok {
		return in
	}
	in := b.field(r)
	if len(in.alts) == 1 && in.alts[0].path == nil && b.kindsOf[in.alts[0].slot] == Text {
		b.canon[r.name] = in
		return in
	}
	n := &node{name: r.name, at: r.at, steps: []*step{fromStep(r), textStep(r.at)}, onError: onErrorReject, share: -1, used: true}
	if len(in.alts) > 0 {
		n.inputs = []input{in}
		b.place(n, true)
		b.nodes = append(b.nodes, n)
		in.alts = []access{{slot: n.slot}}
	}
	b.canon[r.name] = in
	return in
}

// flow follows the kinds through the steps of a node and reports steps that cannot take what comes to them. lenient: the
// field is written for inputs of several kinds, so a step that has nothing to do for one of them is no fault.
func (b *builder) flow(n *node, lenient bool) Kinds {
	kinds := n.steps[0].source.out(b.inputsKinds(n))
	for _, st := range n.steps[1:] {
		k := kinds
		if k == 0 {
			kinds = st.out(0)
			continue
		}
		if k&(st.in|st.passes) == 0 {
			b.problem(b.blame(n, st), "%s takes %s, and %s comes to it", st.op, st.in|st.passes, k)
			kinds = st.out(st.in)
			continue
		}
		if !lenient && k&^st.passes == 0 {
			b.problem(st.at, "%s", st.why)
		}
		kinds = st.out(k)
	}
	return kinds
}

// place checks the steps of a node and gives it a slot.
func (b *builder) place(n *node, lenient bool) {
	n.kinds = b.flow(n, lenient)
	only := b.onlyAccess(n)
	n.alias = only != nil && len(n.steps) == 1 && !n.required
	if n.alias {
		n.slot = only.slot
	} else {
		n.slot = b.newSlot(n.kinds)
	}
	if only != nil && len(n.steps) > 1 {
		n.direct, n.done = only.slot, 1
	}
	n.never = n.kinds == 0 || b.nothing(n)
	if only != nil {
		if at, ok := b.origin[only.slot]; ok {
			b.origin[n.slot] = at
		}
	}
	n.share = -1
	if only != nil && n.onError != onErrorNull && !slices.ContainsFunc(n.steps[1:], func(st *step) bool { return !st.checks }) {
		if at, ok := b.shared[only.slot]; ok {
			n.share, b.shared[n.slot] = at, at
		}
	}
}

func (b *builder) inputsKinds(n *node) []Kinds {
	kinds := make([]Kinds, len(n.inputs))
	for i := range n.inputs {
		kinds[i] = b.inputKinds(&n.inputs[i])
	}
	return kinds
}

// nothing reports whether a node can have no value in any row.
func (b *builder) nothing(n *node) bool {
	for _, st := range n.steps {
		if st.fallback {
			return false
		}
	}
	return len(n.inputs) > 0 && union(b.inputsKinds(n)) == 0
}

// onlyAccess returns the one vector that a plain source reads, nil where there are several, a path, or none.
func (b *builder) onlyAccess(n *node) *access {
	if !n.steps[0].source.plain {
		return nil
	}
	var only *access
	for i := range n.inputs {
		for j := range n.inputs[i].alts {
			a := &n.inputs[i].alts[j]
			if only != nil || a.path != nil {
				return nil
			}
			only = a
		}
	}
	return only
}

func (b *builder) inputKinds(in *input) (k Kinds) {
	for _, a := range in.alts {
		if a.path != nil {
			return Any
		}
		k |= b.kindsOf[a.slot]
	}
	return k
}

// blame finds the place where a clash of kinds is to be mended: the user's field, if the preset's step meets one.
func (b *builder) blame(n *node, st *step) pos {
	if n.preset {
		for _, in := range n.inputs {
			if t := b.targets[in.ref.name]; t != nil {
				return t.at
			}
		}
	}
	return st.at
}

func canonical(name string) *connector.Column {
	for i := range connector.Contact {
		if connector.Contact[i].Name == name {
			return &connector.Contact[i]
		}
	}
	return nil
}
