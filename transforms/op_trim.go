package transforms

import "unicode/utf8"

var opTrim = Op{
	Name:      "trim",
	Signature: "trim: true",
	Doc:       "Takes white space off both ends of a text, full-width and no-break spaces too, and the invisible signs that spreadsheets and messengers leave there. A text of nothing but spaces becomes an empty text.",
	In:        Scalar, Out: Text, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: a, trim: true}`, In: `{"a":"  x y\u3000"}`, Out: `"x y"`},
		{Field: `{from: a, trim: true}`, In: `{"a":"\ufeffa@b.cn\u200b"}`, Out: `"a@b.cn"`},
		{Field: `{from: a, trim: true}`, In: `{"a":" "}`, Out: `""`},
		{Field: `{from: a, trim: true}`, In: `{"a":["x"]}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		if !a.flag() {
			return nil
		}
		return &step{run: texts(trimTexts, scalar("trim", func(_ *exec, s string) (value, *fault) {
			return textValue(trimBlank(s)), nil
		}))}
	},
}

// trimTexts looks closer only at texts that begin or end in a sign which could be white space.
func trimTexts(_ *exec, vec *vector, rows []int32) {
	for _, r := range rows {
		s := vec.text[r]
		if n := len(s); n > 0 && (maybeSpace(s[0]) || maybeSpace(s[n-1])) {
			vec.text[r] = trimBlank(s)
		}
	}
}

func maybeSpace(b byte) bool { return b <= ' ' || b >= utf8.RuneSelf }
