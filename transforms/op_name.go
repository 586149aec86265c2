package transforms

import "slices"

var opName = Op{
	Name:      "name",
	Signature: `name: {part: given | family | full, missing: "-"}`,
	Doc: "Reads full_name, first_name (given) and last_name (family) and gives one part of the name: the field that says it, else what the others tell. A full name without " +
		"spaces in Chinese, Japanese or Korean letters begins with the family name: two letters where they are a known surname of two, else one. With a space, such a name has the family name first, " +
		"any other the family name last, with words such as `van` or `de la` before it and `Jr.` behind it, and two words where both are Spanish surnames; a Vietnamese surname at the beginning is the family name; titles stay with the given name; a comma stands after the family name, or before a degree. A single word is the given name, and the other half becomes `missing`, or stays absent without it. " +
		"`full` joins the halves where full_name is missing. A record without any name gives nothing.",
	Out: Text, Source: true, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{name: {part: family}}`, In: `{"full_name":"张三"}`, Out: `"张"`},
		{Field: `{name: {part: given}}`, In: `{"full_name":"欧阳娜娜"}`, Out: `"娜娜"`},
		{Field: `{name: {part: given}}`, In: `{"full_name":"Ann Mary Lee"}`, Out: `"Ann Mary"`},
		{Field: `{name: {part: family, missing: "-"}}`, In: `{"full_name":"Cher"}`, Out: `"-"`},
		{Field: `{name: {part: family, missing: "-"}}`, In: `{"first_name":"Ann"}`, Out: `"-"`},
		{Field: `{name: {part: family, missing: "-"}}`, In: `{"email":"a@b.cn"}`, Out: ``},
		{Field: `{name: {part: full}}`, In: `{"first_name":"三","last_name":"张"}`, Out: `"张三"`},
		{Field: `{name: {part: full}}`, In: `{"first_name":"Ann","last_name":"Lee"}`, Out: `"Ann Lee"`},
		{Field: `{name: {part: full}}`, In: `{"full_name":{"a":1}}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		settings := a.settings("part", "missing")
		part, ok := settings["part"]
		if !ok {
			if a.isMap() {
				a.problem("part is missing: write {part: given}, {part: family} or {part: full}")
			}
			return nil
		}
		n := &namePart{}
		if n.part, ok = part.oneOf("given", "family", "full"); !ok {
			return nil
		}
		if m, ok := settings["missing"]; ok {
			n.missing, _ = m.str()
		}
		at := a.pos()
		return &step{source: &source{
			refs: []ref{{"full_name", at}, {"first_name", at}, {"last_name", at}},
			fill: n.fill,
			out: func(in []Kinds) Kinds {
				if union(in) == 0 {
					return 0
				}
				return Text
			},
		}}
	},
}

// namePart is the argument of a name step.
type namePart struct{ part, missing string }

// nameParts stand in the order of the columns that an op reads.
var nameParts = []string{"full", "given", "family"}

func (n *namePart) fill(x *exec, in []input, vec *vector) {
	for _, r := range x.sel {
		var parts [3]string
		var bad *fault
		for i := range parts {
			v := x.get(&in[i], r)
			if v.missing() {
				continue
			}
			s, ok := x.text(v)
			if !ok {
				bad = &fault{codeBadValue, "name: " + in[i].ref.name + " is " + v.noun()}
			}
			parts[i] = trimName(s)
		}
		if bad != nil {
			vec.set(r, x.fail(r, bad))
			continue
		}
		v := n.of(x, parts[0], parts[1], parts[2])
		if v.k == kindAbsent && n.null(x, in, r) {
			v.k = kindNull
		}
		vec.set(r, v)
	}
}

// null reports whether the part that nothing tells is null at its source: its own column is, or all that tells of names.
func (n *namePart) null(x *exec, in []input, r int32) bool {
	own := x.get(&in[slices.Index(nameParts, n.part)], r).k
	all := kindAbsent
	for i := range in {
		all = max(all, x.get(&in[i], r).k)
	}
	return own == kindNull || all == kindNull
}

// of gives the part of the name of one person.
func (n *namePart) of(x *exec, full, given, family string) value {
	if full == "" && given == "" && family == "" {
		return value{}
	}
	if n.part == "full" {
		if full == "" {
			full = x.joinName(given, family)
		}
		return textValue(full)
	}
	if full != "" && (given == "" || family == "") {
		given, family = completeName(full, given, family)
	}
	half := given
	if n.part == "family" {
		half = family
	}
	if half == "" {
		half = n.missing
	}
	if half == "" {
		return value{}
	}
	return textValue(half)
}

// joinName puts the halves together in the order of their script.
func (x *exec) joinName(given, family string) string {
	switch {
	case given == "":
		return family
	case family == "":
		return given
	}
	dst := x.room(len(given) + len(family) + 1)
	if isEastAsian(given) && isEastAsian(family) {
		return x.keep(append(append(dst, family...), given...))
	}
	return x.keep(append(append(append(dst, given...), ' '), family...))
}
