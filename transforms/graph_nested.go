package transforms

import (
	"slices"
	"strings"
)

// nestedFields makes one object of the fields whose names have a common head: profile.city and profile.zip become the
// column profile. Members of custom are left to customField.
func (b *builder) nestedFields() {
	if b.entry == nil {
		return
	}
	trees := map[string]*branch{}
	for _, f := range b.entry.fields {
		path := strings.Split(f.name, ".")
		head, n := path[0], b.targets[f.name]
		if len(path) == 1 || head == customColumn {
			continue
		}
		if c := canonical(head); c != nil {
			kind := "text"
			if c.List {
				kind = "a list"
			}
			b.problem(f.at, "%s is %s and has no members: put them together with a template, or write %s.%s", head, kind, customColumn, strings.Join(path[1:], "_"))
			continue
		}
		tree := trees[head]
		if tree == nil {
			tree = &branch{input: -1}
			trees[head] = tree
			b.groups = append(b.groups, b.group(head, f, tree))
		}
		whole := b.groups[0]
		for _, g := range b.groups {
			if g.name == head {
				whole = g
			}
		}
		if before := tree.add(path[1:], len(whole.inputs), b.joinNull(whole, n)); before {
			b.problem(f.at, "%s is both a value and an object with members", f.name)
			continue
		}
		n.used = true
		b.parts[n] = whole
		whole.inputs = append(whole.inputs, input{ref: ref{name: f.name, at: f.at}, alts: []access{{slot: n.slot}}})
	}
	for _, whole := range b.groups {
		if own := b.targets[whole.name]; own != nil {
			b.problem(own.at, "%s is both a value and an object with members", own.name)
			continue
		}
		b.targets[whole.name] = whole
		b.nodes = append(b.nodes, whole)
	}
}

func (b *builder) group(head string, f *fieldSpec, tree *branch) *node {
	n := &node{name: head, at: f.at, onError: onErrorReject, onNull: b.entry.onNull, share: -1, kinds: Object, slot: b.newSlot(Object)}
	n.steps = []*step{{op: "members", at: f.at, source: &source{out: func([]Kinds) Kinds { return Object }, fill: tree.fill}}}
	return n
}

// made lists what the user's document makes: its fields, with objects in the place of the first of their parts, and
// without the members of custom.
func (b *builder) made() []*node {
	var list []*node
	if b.entry == nil {
		return nil
	}
	for _, f := range b.entry.fields {
		n := b.targets[f.name]
		if whole := b.parts[n]; whole != nil {
			n = whole
		}
		if !strings.HasPrefix(n.name, customColumn+".") && !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	return list
}

// unknownTargets finds the columns that the vendor's preset knows nothing of. Without a preset each is one of the output.
func (b *builder) unknownTargets() {
	for _, n := range b.made() {
		if b.preset == nil {
			n.used = true
		} else if !b.knows(n.name) {
			b.unknownTarget(n)
		}
	}
}

// branch is an object in the making, or a value of it.
type branch struct {
	input    int  // the value; -1: an object
	kept     bool // a null is kept
	keys     []string
	names    []string
	children []*branch
}

// add makes a place for an input; true: something else is there already.
func (t *branch) add(path []string, input int, kept bool) bool {
	for _, name := range path {
		if t.input >= 0 {
			return true
		}
		next := (*branch)(nil)
		for i, have := range t.names {
			if have == name {
				next = t.children[i]
			}
		}
		if next == nil {
			next = &branch{input: -1}
			t.names, t.children = append(t.names, name), append(t.children, next)
			t.keys = append(t.keys, string(append(appendString(nil, name), ':')))
		}
		t = next
	}
	if t.input >= 0 || len(t.children) > 0 {
		return true
	}
	t.input, t.kept = input, kept
	return false
}

// fill makes the object of each row. Members that are absent are left out, as are those that are null where on_null does
// not say otherwise, and objects without members.
func (t *branch) fill(x *exec, in []input, vec *vector) {
	for _, r := range x.sel {
		dst, found := t.append(x, in, r, x.buf[:0])
		x.buf = dst
		vec.kind[r] = kindAbsent
		if found {
			vec.set(r, value{s: x.store(dst), k: kindObject})
		}
	}
}

func (t *branch) append(x *exec, in []input, r int32, dst []byte) (_ []byte, found bool) {
	if t.input >= 0 {
		v := x.get(&in[t.input], r)
		if v.k == kindAbsent || v.k == kindNull && !t.kept {
			return dst, false
		}
		return x.appendJSON(dst, v), true
	}
	dst = append(dst, '{')
	for i, child := range t.children {
		before := len(dst)
		if found {
			dst = append(dst, ',')
		}
		var there bool
		if dst, there = child.append(x, in, r, append(dst, t.keys[i]...)); there {
			found = true
		} else {
			dst = dst[:before]
		}
	}
	return append(dst, '}'), found
}
