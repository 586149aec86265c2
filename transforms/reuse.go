package transforms

import "strconv"

// finish marks what is read, so that nothing else is loaded or evaluated.
func (b *builder) finish() {
	var live []*node
	for _, n := range b.nodes {
		if n.used {
			live = append(live, n)
		}
	}
	b.nodes = live
	b.reuse()
	read := map[int]bool{}
	reads := func(inputs []input) {
		for _, in := range inputs {
			for _, a := range in.alts {
				read[a.slot] = true
			}
		}
	}
	for _, n := range b.nodes {
		if !n.alias {
			reads(n.inputs)
		}
	}
	reads(b.whereIn)
	for _, m := range b.markers {
		read[m.slot] = true
	}
	for _, slot := range b.identifiers {
		read[slot] = true
	}
	for _, o := range b.outs {
		if o.share < 0 {
			read[o.slot] = true
		}
	}
	for i := range b.columns {
		b.columns[i].used = read[b.columns[i].slot]
	}
}

// reuse lets a field take over what an earlier field has made: of two fields with the same source and the same steps the
// second reads the vector of the first, and one that begins like another goes on from there. Steps compare by their keys;
// what a refusal means must be the same too. The fields are in the order of evaluation.
func (b *builder) reuse() {
	results := map[string]int{} // slots, by key
	to := make([]int, b.slots)  // where the values of a slot are
	for slot := range to {
		to[slot] = slot
	}
	move := func(inputs []input) {
		for i := range inputs {
			for j := range inputs[i].alts {
				a := &inputs[i].alts[j]
				a.slot = to[a.slot]
			}
		}
	}
	for _, n := range b.nodes {
		move(n.inputs)
		if n.alias {
			n.slot = to[n.slot]
		}
		if n.done > 0 {
			n.direct = to[n.direct]
		}
		if n.alias || n.never {
			continue
		}
		key := n.sourceKey()
		for i, st := range n.steps {
			if i > 0 {
				key = st.chain(key)
			}
			if key == "" {
				break
			}
			slot, ok := results[key]
			switch last := i == len(n.steps)-1; {
			case ok && last:
				to[n.slot] = slot
				n.slot, n.direct, n.done = slot, slot, i+1
			case ok:
				n.direct, n.done = slot, i+1
			case last:
				results[key] = n.slot
			}
		}
	}
	for _, n := range b.keyNodes {
		move(n.inputs)
		if n.done > 0 {
			n.direct = to[n.direct]
		}
	}
	for i := range b.outs {
		if b.outs[i].slot >= 0 {
			b.outs[i].slot = to[b.outs[i].slot]
		}
	}
	for i := range b.identifiers {
		b.identifiers[i] = to[b.identifiers[i]]
	}
	for i := range b.keys {
		move(b.keys[i].inputs)
		if b.keys[i].slot >= 0 {
			b.keys[i].slot = to[b.keys[i].slot]
		}
	}
}

// sourceKey says what the source of a field makes and what becomes of a value that is refused; "" compares with none.
func (n *node) sourceKey() string {
	source := n.steps[0].key
	switch {
	case n.steps[0].source.plain:
		source = opFrom.Name
	case source == "":
		return ""
	}
	key := []byte(source)
	for i := range n.inputs {
		key = append(key, '|')
		for _, a := range n.inputs[i].alts {
			key = append(strconv.AppendInt(key, int64(a.slot), 10), ' ')
			for _, name := range a.path {
				key = strconv.AppendQuote(key, name)
			}
		}
	}
	return string(append(key, '!', byte('0'+n.onError)))
}

// chain is the key of what the step makes of the value with the key given.
func (st *step) chain(key string) string {
	if st.key == "" || key == "" {
		return ""
	}
	if st.table != nil && st.table.lenient {
		key += "?"
	}
	return key + "\x00" + st.key
}
