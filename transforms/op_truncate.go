package transforms

import "unicode/utf8"

var opTruncate = Op{
	Name:      "truncate",
	Signature: "truncate: N",
	Doc:       "Cuts a text after N characters.",
	In:        Scalar, Out: Text, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: a, truncate: 3}`, In: `{"a":"äöüß"}`, Out: `"äöü"`},
		{Field: `{from: a, truncate: 3}`, In: `{"a":"äö"}`, Out: `"äö"`},
		{Field: `{from: a, truncate: 2}`, In: `{"a":{"b":1}}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		limit, ok := a.count()
		if !ok {
			return nil
		}
		cut := func(_ *exec, vec *vector, rows []int32) {
			for _, r := range rows {
				if s := vec.text[r]; len(s) > limit {
					vec.text[r] = firstRunes(s, limit)
				}
			}
		}
		return &step{run: texts(cut, scalar("truncate", func(_ *exec, s string) (value, *fault) {
			return textValue(firstRunes(s, limit)), nil
		}))}
	},
}

// firstRunes returns the first n characters of s.
func firstRunes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	at := 0
	for ; n > 0 && at < len(s); n-- {
		if s[at] < utf8.RuneSelf {
			at++
			continue
		}
		_, width := utf8.DecodeRuneInString(s[at:])
		at += width
	}
	return s[:at]
}
