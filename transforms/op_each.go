package transforms

import "strings"

var opEach = Op{
	Name:      "each",
	Signature: "each: [trim, lower, upper]",
	Doc: "Runs steps on every element of a list, in the order given: trim, lower, upper. Elements that are empty then are left out. " +
		"A single text counts as its own only element.",
	In: List, Out: 0, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: tags, split: ",", each: [trim, lower]}`, In: `{"tags":"VIP , New, "}`, Out: `["vip","new"]`},
		{Field: `{from: tags, each: [trim]}`, In: `{"tags":[" a ",null,7]}`, Out: `["a","7"]`},
		{Field: `{from: tags, each: [upper]}`, In: `{"tags":"a b"}`, Out: `"A B"`},
		{Field: `{from: tags, each: [trim]}`, In: `{"tags":[["a"]]}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		list := a.list()
		if !a.isList() {
			list = []arg{a}
		}
		var parts []func(*exec, string) string
		for _, item := range list {
			word, ok := item.oneOf("trim", "lower", "upper")
			switch {
			case !ok:
			case word == "trim":
				parts = append(parts, func(_ *exec, s string) string { return strings.TrimSpace(s) })
			default:
				parts = append(parts, caseOf(word))
			}
		}
		return &step{
			passes: Scalar, why: "each takes a list: put split before it",
			out: func(in Kinds) Kinds {
				if in&Scalar != 0 {
					return in&List | Text
				}
				return in & List
			},
			run: values(func(x *exec, v value) (value, *fault) { return x.each(v, parts) }),
		}
	},
}

func (x *exec) each(v value, parts []func(*exec, string) string) (value, *fault) {
	if s, ok := x.text(v); ok {
		for _, part := range parts {
			s = part(x, s)
		}
		return textValue(s), nil
	}
	list, ok := x.elements(v)
	if !ok {
		return v, &fault{codeBadValue, "each takes a list, not " + v.noun()}
	}
	start := len(x.items)
	for i := range x.listOf(list) {
		item := x.listOf(list)[i]
		s, ok := x.text(item)
		if !ok && !item.missing() {
			return v, &fault{codeBadValue, "each takes a list of texts; one of its elements is " + item.noun()}
		}
		for _, part := range parts {
			s = part(x, s)
		}
		if s != "" {
			x.items = append(x.items, textValue(s))
		}
	}
	return x.listFrom(start), nil
}
