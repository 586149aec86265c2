package transforms

var opValue = Op{
	Name:      "value",
	Signature: "value: constant",
	Doc:       "Gives every row the same value: text, a number, true or false, a list or a mapping.",
	Out:       Any, Source: true,
	Examples: []Example{
		{Field: `{value: erp}`, In: `{}`, Out: `"erp"`},
		{Field: `{value: 7}`, In: `{}`, Out: `7`},
		{Field: `{value: [a, b]}`, In: `{}`, Out: `["a","b"]`},
		{Field: `{value: NO}`, In: `{}`, Out: `"NO"`},
	},
	parse: func(a arg) *step {
		if a.isNull() {
			a.problem("a value is missing; null would put nothing into the field")
			return nil
		}
		v := a.constant()
		return &step{fallback: true, source: &source{
			out: func([]Kinds) Kinds { return v.kinds() },
			fill: func(x *exec, _ []input, vec *vector) {
				for _, r := range x.sel {
					vec.set(r, v)
				}
			},
		}}
	},
}
