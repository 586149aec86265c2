package transforms

import (
	"regexp"

	"github.com/sluicehq/sluice/connector"
)

var opKeys = Op{
	Name:      "keys",
	Signature: "keys: {map: {name: new_name, …}, pass: regex}",
	Doc: "Renames the members of an object. A name in `map` gets the name beside it, or is dropped where null stands there; a name that matches `pass` stays; any other " +
		"refuses the row. Several names may become one; a row that has two of them is refused. Members that are null are left out, unless `on_null` keeps them or gives them the form of a cleared field, and an object that ends up empty is absent.",
	In: Object, Out: Object, Errors: []string{connector.CodeUnknownField, codeBadValue},
	Examples: []Example{
		{Field: `{from: c, keys: {map: {vip: customize_1_14}}}`, In: `{"c":{"vip":"gold"}}`, Out: `{"customize_1_14":"gold"}`},
		{Field: `{from: c, keys: {map: {vip: x, internal: null}, pass: "^customize_"}}`, In: `{"c":{"customize_2_1":5,"internal":1,"vip":null}}`, Out: `{"customize_2_1":5}`},
		{Field: `{from: c, keys: {map: {vip: x}}}`, In: `{"c":{}}`, Out: ``},
		{Field: `{from: c, keys: {map: {vip: x}}}`, In: `{"c":{"vpi":1}}`, Code: connector.CodeUnknownField},
		{Field: `{from: c, keys: {map: {vip: x}}}`, In: `{"c":"vip"}`, Code: codeBadValue},
		{Field: `{from: c, keys: {map: {vip: x, VIP: x}}}`, In: `{"c":{"VIP":1}}`, Out: `{"x":1}`},
		{Field: `{from: c, keys: {map: {vip: x, VIP: x}}}`, In: `{"c":{"VIP":1,"vip":2}}`, Code: codeBadValue},
		{Field: `{from: c, keys: {map: {vip: x}, pass: "^x"}}`, In: `{"c":{"vip":1,"x":2}}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		settings := a.settings("map", "pass")
		k := &keyTable{to: map[string]string{}}
		if m, ok := settings["map"]; ok && !m.isNull() {
			k.read(m)
		}
		if p, ok := settings["pass"]; ok {
			if text, ok := p.str(); ok {
				re, err := regexp.Compile(text)
				if err != nil {
					p.problem("not a regular expression: %s", err)
				}
				k.pass = re
			}
		}
		if a.isMap() && len(settings) == 0 {
			a.problem("takes map, pass or both")
		}
		return &step{run: values(k.rename)}
	},
}

// keyTable is the table of a keys step.
type keyTable struct {
	to   map[string]string // "" drops the member
	pass *regexp.Regexp
}

func (k *keyTable) read(m arg) {
	for _, e := range m.entries() {
		if e.value.isNull() {
			k.to[e.key] = ""
			continue
		}
		to, ok := e.value.str()
		switch {
		case !ok:
		case to == "":
			e.value.problem("the new name is empty; write null to drop the member")
		}
		k.to[e.key] = to
	}
}

func (k *keyTable) rename(x *exec, v value) (value, *fault) {
	if v.k != kindObject {
		return v, &fault{codeBadValue, "keys takes an object, not " + v.noun()}
	}
	members, ok := x.membersOf(v.s)
	if !ok {
		return v, &fault{codeBadValue, "keys: the object is not JSON"}
	}
	kept := members[:0]
	for _, m := range members {
		to, listed := k.to[m.key]
		switch {
		case listed && to == "":
			continue
		case listed:
		case k.pass != nil && k.pass.MatchString(m.key):
			to = m.key
		default:
			return v, &fault{connector.CodeUnknownField, "keys: " + x.shown(textValue(m.key)) + " is no known field"}
		}
		if m.raw == "null" {
			if x.node.onNull.do <= onNullOmit {
				continue
			}
			m.raw = x.clearedMember()
		}
		for _, before := range kept {
			if before.key == to {
				return v, &fault{codeBadValue, "keys: two members become " + x.shown(textValue(to))}
			}
		}
		kept = append(kept, member{to, m.raw})
	}
	if len(kept) == 0 {
		return value{}, nil
	}
	dst := append(x.buf[:0], '{')
	for _, m := range kept {
		dst = appendMember(dst, m)
	}
	x.buf = append(dst, '}')
	return value{s: x.store(x.buf), k: kindObject}, nil
}

// clearedMember is what stands for a member that is null and not to be left out.
func (x *exec) clearedMember() string {
	if c := x.node.clear; c != nil && x.node.onNull.do == onNullClear {
		return string(x.appendJSON(nil, *c))
	}
	return "null"
}
