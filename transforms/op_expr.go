package transforms

import "go.starlark.net/starlark"

var opExpr = Op{
	Name:      "expr",
	Signature: `expr: "expression"`,
	Doc: "Makes the value with a Starlark expression (the expressions of Python, without lambda's side effects: nothing can be changed, read or called outside). The record's " +
		"fields are names; `field(\"First Name\")` or `field(\"a.b\")` reads one whose name cannot be written so. A field that is absent or null is None. The " +
		"functions are " + "abs, all, any, bool, chr, dict, enumerate, float, int, len, list, max, min, ord, range, repr, reversed, set, sorted, str, tuple, type and zip, with the methods of texts, lists " +
		"and dictionaries that change nothing. Texts are counted in bytes: a Chinese character is three of them. None leaves the field out, or makes it null where a field that the expression reads is null; " +
		"`type:` turns the result into what the column should be. An error, and work without end (100,000 steps, a text of 256 KiB), refuses the row.",
	Out: Any, Source: true, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{expr: "'vip' in tags", type: boolean}`, In: `{"tags":["new","vip"]}`, Out: `true`},
		{Field: `{expr: "first + ' ' + last if first else last"}`, In: `{"last":"Li"}`, Out: `"Li"`},
		{Field: `{expr: "price * count"}`, In: `{"price":2.5,"count":3}`, Out: `7.5`},
		{Field: `{expr: "[t.strip().lower() for t in tags if t]"}`, In: `{"tags":[" A","","b"]}`, Out: `["a","b"]`},
		{Field: `{expr: "{'city': address['city'], 'n': len(orders)}"}`, In: `{"address":{"city":"Köln"},"orders":[1,2]}`, Out: `{"city":"Köln","n":2}`},
		{Field: `{expr: "field('First Name') or field('name.0')"}`, In: `{"name":["Ann"]}`, Out: `"Ann"`},
		{Field: `{expr: "score if score != None and score > 0 else None"}`, In: `{}`, Out: ``},
		{Field: `{expr: "int(amount) / 100", type: text}`, In: `{"amount":"250"}`, Out: `"2.5"`},
		{Field: `{expr: "age + 1"}`, In: `{"age":"x"}`, Code: codeBadValue},
		{Field: `{expr: "'x' * 1000000000"}`, In: `{}`, Code: codeBadValue},
		{Field: `{expr: "[0 for i in range(10000) for j in range(10000)]"}`, In: `{}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		e := parseExpression(a, "an expression")
		if e == nil {
			return nil
		}
		return &step{fallback: true, expr: e, source: &source{
			refs: e.names, fill: e.fill,
			out: func([]Kinds) Kinds { return Any },
		}}
	},
}

func (e *expression) fill(x *exec, in []input, vec *vector) {
	for _, r := range x.sel {
		v, err := x.computed(e, in, r)
		if err != nil {
			v = x.fail(r, &fault{codeBadValue, "expr: " + shortenTo(err.Error(), shownError)})
		}
		vec.set(r, v)
	}
}

// shownError is how much of Starlark's own words stands in a message: they may quote a value.
const shownError = 120

func (x *exec) computed(e *expression, in []input, r int32) (value, error) {
	made, err := x.evaluate(e, in, r)
	if err != nil {
		return value{}, err
	}
	if made == starlark.None {
		for i := range in {
			if x.get(&in[i], r).k == kindNull {
				return value{k: kindNull}, nil
			}
		}
	}
	return x.result(made)
}
