package transforms

import "strings"

var opTrim = Op{
	Name:      "trim",
	Signature: "trim: true",
	Doc:       "Takes white space off both ends of a text, full-width and no-break spaces too. A text of nothing but spaces becomes an empty text.",
	In:        Scalar, Out: Text, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: a, trim: true}`, In: `{"a":"  x y\u3000"}`, Out: `"x y"`},
		{Field: `{from: a, trim: true}`, In: `{"a":" "}`, Out: `""`},
		{Field: `{from: a, trim: true}`, In: `{"a":["x"]}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		if !a.flag() {
			return nil
		}
		return &step{run: scalarKernel("trim", func(_ *exec, s string) (value, *fault) {
			return textValue(strings.TrimSpace(s)), nil
		})}
	},
}
