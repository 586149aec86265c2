package transforms

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// eachOps are the steps that can run on an element.
var eachOps = []string{"trim", "case", "replace", "extract", "map", "gender", "date", "phone", "hash", "default", "truncate", "max_length", "type"}

var opEach = Op{
	Name:      "each",
	Signature: "each: [trim, lower, upper, {step: argument}, …]",
	Doc: "Runs steps on every element of a list, in the order given: the words trim, lower and upper, and any of " + strings.Join(eachOps, ", ") +
		" with its argument. An element that a step refuses refuses the row; with `on_error: null` it is left out. Elements that are empty in the end are left out too. " +
		"A single value counts as its own only element.",
	In: List, Out: 0, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: tags, split: ",", each: [trim, lower]}`, In: `{"tags":"VIP , New, "}`, Out: `["vip","new"]`},
		{Field: `{from: tags, each: [trim]}`, In: `{"tags":[" a ",null,7]}`, Out: `["a","7"]`},
		{Field: `{from: tags, each: [upper]}`, In: `{"tags":"a b"}`, Out: `"A B"`},
		{Field: `{from: tags, each: [trim, {map: {1: gold, 2: silver}}]}`, In: `{"tags":[1," 2 "]}`, Out: `["gold","silver"]`},
		{Field: `{from: tags, each: [{map: {1: gold}}, {default: other}]}`, In: `{"tags":["1","x"]}`, Out: `["gold","other"]`},
		{Field: `{from: tags, each: [{replace: {text: ",", with: "，"}}, {truncate: 3}], join: ","}`, In: `{"tags":["a,b","long"]}`, Out: `"a，b,lon"`},
		{Field: `{from: tags, each: [{case: title}, {max_length: 4}]}`, In: `{"tags":["ann","robert"]}`, Code: "too_long"},
		{Field: `{from: tags, each: [{max_length: 4}], on_error: null}`, In: `{"tags":["ann","robert"]}`, Out: `["ann"]`},
		{Field: `{from: tags, each: [trim]}`, In: `{"tags":[["a"]]}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		list := a.list()
		if !a.isList() {
			list = []arg{a}
		}
		e := &eachSteps{}
		for _, item := range list {
			e.add(item)
		}
		lenient(e.steps)
		kinds := e.flow(a)
		st := &step{
			passes: Scalar, why: "each takes a list: put split before it",
			out: func(in Kinds) Kinds {
				if in&Scalar != 0 {
					return in&List | kinds
				}
				return in & List
			},
			run: e.run,
		}
		if len(e.words) == len(e.steps) {
			st.run = values(func(x *exec, v value) (value, *fault) { return x.each(v, e.words) })
		}
		return st
	},
}

// eachSteps are the steps of one each. Where all of them are words, words does the same faster.
type eachSteps struct {
	steps []*step
	words []func(*exec, string) string
}

// add reads one item: a word, or a step with its argument.
func (e *eachSteps) add(item arg) {
	if item.isMap() {
		entries := item.entries()
		switch {
		case len(entries) != 1:
			item.problem("a step has one key")
		case !slices.Contains(eachOps, entries[0].key):
			entries[0].at.problem("%s is no step for an element%s; each takes trim, lower, upper or one of %s", entries[0].key, didYouMean(entries[0].key, eachOps), orList(eachOps))
		default:
			e.steps = item.p.step(e.steps, entries[0])
		}
		return
	}
	word, ok := item.oneOf("trim", "lower", "upper")
	key, value := opCase.Name, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: word, Line: item.node.Line, Column: item.node.Column}
	switch {
	case !ok:
		return
	case word == "trim":
		key, value.Tag, value.Value = opTrim.Name, "!!bool", "true"
		e.words = append(e.words, func(_ *exec, s string) string { return trimBlank(s) })
	default:
		e.words = append(e.words, caseOf(word))
	}
	e.steps = item.p.step(e.steps, entry{key, item, arg{value, item.path, item.p}})
}

// flow follows the kinds of an element through the steps and reports one that cannot take what comes to it.
func (e *eachSteps) flow(a arg) Kinds {
	kinds := Scalar
	for _, st := range e.steps {
		if kinds != 0 && kinds&(st.in|st.passes) == 0 {
			a.p.problems = append(a.p.problems, st.at.problem("%s takes %s, and %s comes to it", st.op, st.in|st.passes, kinds))
			kinds = st.in
		}
		kinds = st.out(kinds)
	}
	return kinds & Scalar
}

// run lays the elements of all rows behind each other, runs the steps on them as on rows, and cuts the results into lists.
func (e *eachSteps) run(x *exec, src, dst *vector) {
	if x.element.kind == nil {
		x.element = newVectors(1)[0]
	}
	x.results, x.owners, x.spoilt = x.results[:0], x.owners[:0], x.spoilt[:0]
	for _, r := range x.sel {
		e.gather(x, r, src.at(r))
	}
	e.flush(x)
	next, spoilt := 0, x.spoilt
	for _, r := range x.sel {
		v := src.at(r)
		isList := v.k == kindList || v.k == kindArray
		switch {
		case len(spoilt) > 0 && spoilt[0] == r:
			v, spoilt = value{}, spoilt[1:]
		case v.kinds()&Scalar != 0:
			v = x.results[next].value
			next++
		case isList:
			start := len(x.items)
			for ; next < len(x.results) && x.results[next].row == r; next++ {
				if one := x.results[next].value; !one.empty() {
					x.items = append(x.items, one)
				}
			}
			v = x.listFrom(start)
		}
		dst.set(r, v)
	}
}

// elementResult is what the steps made of one element of a row.
type elementResult struct {
	row   int32
	value value
}

// gather takes the elements of one row.
func (e *eachSteps) gather(x *exec, r int32, v value) {
	if v.kinds()&Scalar != 0 {
		e.take(x, r, v)
		return
	}
	if v.missing() {
		return
	}
	list, ok := x.elements(v)
	if !ok {
		x.spoil(r, "each takes a list, not "+v.noun())
		return
	}
	items := x.listOf(list)
	if i := slices.IndexFunc(items, func(item value) bool { return !item.missing() && item.kinds()&Scalar == 0 }); i >= 0 {
		x.spoil(r, "each takes a list of single values; one of its elements is "+items[i].noun())
		return
	}
	for i := range items {
		if item := x.listOf(list)[i]; !item.missing() {
			e.take(x, r, item)
		}
	}
}

// spoil refuses the value of a row as a whole.
func (x *exec) spoil(r int32, message string) {
	x.fail(r, &fault{codeBadValue, message})
	x.spoilt = append(x.spoilt, r)
}

func (e *eachSteps) take(x *exec, r int32, v value) {
	if len(x.owners) == chunkRows {
		e.flush(x)
	}
	x.element.set(int32(len(x.owners)), v)
	x.owners = append(x.owners, r)
}

// flush runs the steps on the elements that were taken. While it does, rows are elements, and refusals are their owners'.
func (e *eachSteps) flush(x *exec) {
	for len(x.everyRow) < len(x.owners) {
		x.everyRow = append(x.everyRow, int32(len(x.everyRow)))
	}
	sel := x.sel
	x.sel, x.inside = x.everyRow[:len(x.owners)], true
	for _, st := range e.steps {
		st.run(x, &x.element, &x.element)
	}
	x.sel, x.inside = sel, false
	for i, r := range x.owners {
		x.results = append(x.results, elementResult{r, x.element.at(int32(i))})
	}
	x.owners = x.owners[:0]
}

// each is run for words alone, without a detour over rows of elements.
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
