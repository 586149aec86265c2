package transforms

import "strings"

var opSplit = Op{
	Name:      "split",
	Signature: `split: "," | [",", "，"]`,
	Doc:       "Cuts a text into a list, at one separator or at any of several. Empty pieces are left out. A list passes as it is.",
	In:        Scalar, Out: List, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: tags, split: ","}`, In: `{"tags":"a,b,,c"}`, Out: `["a","b","c"]`},
		{Field: `{from: tags, split: [",", "，"]}`, In: `{"tags":"a，b,c"}`, Out: `["a","b","c"]`},
		{Field: `{from: tags, split: ","}`, In: `{"tags":["a,b"]}`, Out: `["a,b"]`},
		{Field: `{from: tags, split: ","}`, In: `{"tags":""}`, Out: `[]`},
		{Field: `{from: tags, split: ","}`, In: `{"tags":{"a":1}}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		seps := a.strs()
		for _, sep := range seps {
			if sep == "" {
				a.problem("a separator is empty")
				return nil
			}
		}
		return &step{
			passes: List, why: "the value is a list already: leave split out",
			run: values(func(x *exec, v value) (value, *fault) { return x.split(v, seps) }),
		}
	},
}

func (x *exec) split(v value, seps []string) (value, *fault) {
	if v.k == kindList || v.k == kindArray {
		return v, nil
	}
	s, ok := x.text(v)
	if !ok {
		return v, &fault{codeBadValue, "split takes text, not " + v.noun()}
	}
	start := len(x.items)
	for {
		at, width := -1, 0
		for _, sep := range seps {
			if i := strings.Index(s, sep); i >= 0 && (at < 0 || i < at) {
				at, width = i, len(sep)
			}
		}
		piece := s
		if at >= 0 {
			piece = s[:at]
		}
		if piece != "" {
			x.items = append(x.items, textValue(piece))
		}
		if at < 0 {
			return x.listFrom(start), nil
		}
		s = s[at+width:]
	}
}
