package transforms

import "github.com/sluicehq/sluice/connector"

// customObject builds the canonical object `custom`, row by row: first what the mapping names, then the members of a
// `custom` that the source has itself, then, for `rest: custom`, what "_extra" holds. The first to give a name wins.
// What is null is left out, unless on_null says that it is to be sent or cleared.
type customObject struct {
	keys     []string // JSON text of the names of the inputs, with the colon; the base has none
	names    []string
	explicit map[string]bool
	base     int // the input that is an object to be spliced in, -1: none
	extras   bool
	kept     []bool // of inputs: a null is kept, of the base: its members that are null are
	nulls    bool   // members of "_extra" that are null are kept
	consumed map[string]bool
}

func (c *customObject) add(name string) {
	c.names = append(c.names, name)
	c.explicit[name] = true
}

// seal puts the keys beside the inputs; base stands among them without a key.
func (c *customObject) seal(inputs int) {
	c.keys = make([]string, 0, inputs)
	next := 0
	for i := range inputs {
		if i == c.base {
			c.keys = append(c.keys, "")
			continue
		}
		c.keys = append(c.keys, string(append(appendString(nil, c.names[next]), ':')))
		next++
	}
}

func (c *customObject) fill(x *exec, in []input, vec *vector) {
	for _, r := range x.sel {
		vec.kind[r] = kindAbsent
		dst := append(x.buf[:0], '{')
		base := ""
		for i := range in {
			v := x.get(&in[i], r)
			switch {
			case v.k == kindAbsent, v.k == kindNull && (!c.kept[i] || i == c.base):
			case i != c.base:
				dst = append(separate(dst), c.keys[i]...)
				dst = x.appendJSON(dst, v)
			case v.k == kindObject:
				base = v.s
			default:
				x.fail(r, &fault{connector.CodeBadType, "custom takes an object, not " + v.noun()})
			}
		}
		dst = c.spliceBase(x, dst, base)
		if c.extras {
			dst = c.spliceExtra(x, dst, x.extraOf(r), base)
		}
		x.buf = dst
		if len(dst) > 1 {
			x.buf = append(dst, '}')
			vec.set(r, value{s: x.store(x.buf), k: kindObject})
		}
	}
}

// spliceBase appends the members of the source's own object.
func (c *customObject) spliceBase(x *exec, dst []byte, base string) []byte {
	if base == "" {
		return dst
	}
	members, _ := x.membersOf(base)
	for _, m := range members {
		if (c.kept[c.base] || m.raw != "null") && !c.explicit[m.key] {
			dst = appendMember(dst, m)
		}
	}
	return dst
}

// spliceExtra appends what "_extra" holds beyond that and beyond what the mapping reads.
func (c *customObject) spliceExtra(x *exec, dst []byte, extra, base string) []byte {
	if extra == "" {
		return dst
	}
	members, _ := x.membersOf(extra)
	for _, m := range members {
		if m.raw == "null" && !c.nulls || c.explicit[m.key] || c.consumed[m.key] || bookkeeping(m.key) {
			continue
		}
		if base == "" || x.objectMember(base, m.key).k == kindAbsent {
			dst = appendMember(dst, m)
		}
	}
	return dst
}

func appendMember(dst []byte, m member) []byte {
	dst = append(appendString(separate(dst), m.key), ':')
	return append(dst, m.raw...)
}

// separate puts a comma before any member but the first.
func separate(dst []byte) []byte {
	if len(dst) > 1 {
		return append(dst, ',')
	}
	return dst
}
