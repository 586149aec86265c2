package transforms

import (
	"cmp"
	"slices"
)

var opSort = Op{
	Name:      "sort",
	Signature: "sort: asc | desc",
	Doc:       "Orders the elements of a list by their text, character by character; missing ones are left out. What is no list passes as it is.",
	In:        List,
	Examples: []Example{
		{Field: `{from: tags, sort: asc}`, In: `{"tags":["b","a",null,"B"]}`, Out: `["B","a","b"]`},
		{Field: `{from: tags, sort: desc}`, In: `{"tags":["b","c","a"]}`, Out: `["c","b","a"]`},
		{Field: `{from: tags, split: ",", sort: asc, join: ";"}`, In: `{"tags":"x,k"}`, Out: `"k;x"`},
	},
	parse: func(a arg) *step {
		order, ok := a.oneOf("asc", "desc")
		if !ok {
			return nil
		}
		return &step{
			passes: Scalar | Object, why: "sort takes a list: put split before it",
			run: values(func(x *exec, v value) (value, *fault) { return x.sorted(v, order == "desc"), nil }),
		}
	},
}

func (x *exec) sorted(v value, down bool) value {
	list, ok := x.elements(v)
	if !ok {
		return v
	}
	start := len(x.items)
	for i := range x.listOf(list) {
		if item := x.listOf(list)[i]; !item.missing() {
			x.items = append(x.items, item)
		}
	}
	slices.SortStableFunc(x.items[start:], func(a, b value) int {
		if down {
			a, b = b, a
		}
		return cmp.Compare(x.sortText(a), x.sortText(b))
	})
	return x.listFrom(start)
}

// sortText is the text by which an element is ordered.
func (x *exec) sortText(v value) string {
	if s, ok := x.text(v); ok {
		return s
	}
	return v.s
}
