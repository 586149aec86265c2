package transforms

import "slices"

var opFrom = Op{
	Name:      "from",
	Signature: "from: field | [field, field…]",
	Doc: "Reads a field of the record. Of a list the first field counts that holds something; where none does, an empty text counts before null. " +
		"`a.b` reads the member b of the object a, `a.0` the first element of the list a; a field whose own name is `a.b` comes first. " +
		"A plain text in place of the whole field is `from`, and a field without any source reads the field of its own name.",
	Out: Any, Source: true,
	Examples: []Example{
		{Field: `email`, In: `{"email":"a@b.cn"}`, Out: `"a@b.cn"`},
		{Field: `{from: [mobile, phone]}`, In: `{"mobile":null,"phone":"123"}`, Out: `"123"`},
		{Field: `{from: [mobile, phone]}`, In: `{"mobile":"","phone":"123"}`, Out: `"123"`},
		{Field: `{from: [mobile, phone]}`, In: `{"mobile":null,"phone":""}`, Out: `""`},
		{Field: `{from: address.city}`, In: `{"address":{"city":"Köln"}}`, Out: `"Köln"`},
		{Field: `{from: phones.0.nr}`, In: `{"phones":[{"nr":"7"}]}`, Out: `"7"`},
		{Field: `{from: [a, b]}`, In: `{"c":1}`, Out: ``},
	},
	parse: func(a arg) *step {
		var refs []ref
		if a.isList() {
			for _, item := range a.list() {
				if name, ok := item.str(); ok {
					refs = append(refs, ref{name, item.pos()})
				}
			}
		} else if name, ok := a.str(); ok {
			refs = append(refs, ref{name, a.pos()})
		}
		if len(refs) == 0 && a.isList() {
			a.problem("names no field")
		}
		if slices.ContainsFunc(refs, func(r ref) bool { return r.name == "" }) {
			a.problem("the name of a field is empty")
		}
		return &step{source: &source{refs: refs, out: union, fill: fillFirst, plain: true}}
	},
}

// fillFirst takes, row by row, the first input that holds something, as an empty cell of a spreadsheet does not; if there
// is none, the empty text where one is that, else null where one is null.
func fillFirst(x *exec, in []input, vec *vector) {
	if len(in) == 1 && len(in[0].alts) == 1 && in[0].alts[0].path == nil {
		vec.copyFrom(&x.vecs[in[0].alts[0].slot])
		return
	}
	for _, r := range x.sel {
		best := value{}
		for i := range in {
			v := x.get(&in[i], r)
			if !v.empty() {
				best = v
				break
			}
			best.k = max(best.k, v.k) // absent, null, text: here always an empty one
		}
		vec.set(r, best)
	}
}

// fromStep is `from` without a document, for columns that are read under their own names.
func fromStep(r ref) *step {
	return &step{op: opFrom.Name, args: r.name, at: r.at, source: &source{refs: []ref{r}, out: union, fill: fillFirst, plain: true}}
}
