package transforms

var opDefault = Op{
	Name:      "default",
	Signature: "default: constant",
	Doc: "Fills in where the value is absent or null; an empty text stays. It also takes in what a `map` before it does not list, " +
		"and, with `on_error: null`, what a step before it refuses.",
	In: Any,
	Examples: []Example{
		{Field: `{from: a, default: x}`, In: `{"a":null}`, Out: `"x"`},
		{Field: `{from: a, default: x}`, In: `{"a":""}`, Out: `""`},
		{Field: `{from: a, map: {F: female}, default: unknown}`, In: `{"a":"?"}`, Out: `"unknown"`},
		{Field: `{from: a, date: "%F", default: none, on_error: null}`, In: `{"a":"?"}`, Out: `"none"`},
	},
	parse: func(a arg) *step {
		if a.isNull() {
			a.problem("a value is missing; null would fill nothing in")
			return nil
		}
		v := a.constant()
		return &step{
			fallback: true,
			out:      func(in Kinds) Kinds { return in | v.kinds() },
			run: func(x *exec, src, dst *vector) {
				if src != dst {
					dst.copyFrom(src)
				}
				for _, r := range x.sel {
					if dst.missing(r) {
						dst.set(r, v)
					}
				}
			},
		}
	},
}
