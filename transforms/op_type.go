package transforms

import (
	"strings"
)

var opType = Op{
	Name:      "type",
	Signature: "type: text | string | integer | number | boolean",
	Doc: "Makes the value one of that type where nothing is lost, else refuses it. `text` (or `string`) takes every number and boolean; `integer` takes " +
		"whole numbers and their text; `number` numbers and their text; `boolean` true, false, yes, no, 1 and 0.",
	In: Scalar, Out: 0, Errors: []string{codeBadType},
	Examples: []Example{
		{Field: `{from: a, type: text}`, In: `{"a":12345678901234567890}`, Out: `"12345678901234567890"`},
		{Field: `{from: a, type: integer}`, In: `{"a":" 42 "}`, Out: `42`},
		{Field: `{from: a, type: integer}`, In: `{"a":4.0}`, Out: `4`},
		{Field: `{from: a, type: integer}`, In: `{"a":4.5}`, Code: codeBadType},
		{Field: `{from: a, type: number}`, In: `{"a":"0.10"}`, Out: `0.10`},
		{Field: `{from: a, type: number}`, In: `{"a":"1,5"}`, Code: codeBadType},
		{Field: `{from: a, type: boolean}`, In: `{"a":"Yes"}`, Out: `true`},
		{Field: `{from: a, type: boolean}`, In: `{"a":2}`, Code: codeBadType},
		{Field: `{from: a, type: text}`, In: `{"a":{"b":1}}`, Code: codeBadType},
	},
	parse: func(a arg) *step {
		word, ok := a.oneOf("text", "string", "integer", "number", "boolean")
		if !ok {
			return nil
		}
		return typeStep(word)
	},
}

func typeStep(word string) *step {
	convert, kinds := toText, Text
	switch word {
	case "integer":
		convert, kinds = toInteger, Integer
	case "number":
		convert, kinds = toNumber, Number
	case "boolean":
		convert, kinds = toBoolean, Boolean
	}
	one := func(x *exec, v value) (value, *fault) {
		out, ok := convert(x, v)
		if !ok {
			return v, &fault{codeBadType, "type: " + x.shown(v) + " is not " + word}
		}
		return out, nil
	}
	st := &step{out: always(kinds), run: values(one)}
	if kinds == Text {
		st.run = texts(sameTexts, one)
	}
	return st
}

// textStep is `type: text` without a document, for canonical columns.
func textStep(at pos) *step {
	st := typeStep("text")
	st.op, st.args, st.at, st.in = opType.Name, "text", at, Scalar
	st.key = "type to text"
	return st
}

// sameTexts is the column kernel of steps that have nothing to do for texts.
func sameTexts(*exec, *vector, []int32) {}

func toText(x *exec, v value) (value, bool) {
	if v.k == kindText {
		return v, true
	}
	s, ok := x.text(v)
	return textValue(s), ok
}

func toInteger(_ *exec, v value) (value, bool) {
	switch v.k {
	case kindInt:
		return v, true
	case kindText, kindNumber:
		s := strings.TrimSpace(v.s)
		if whole, zeros, ok := strings.Cut(s, "."); ok && zeros != "" && strings.Trim(zeros, "0") == "" {
			s = whole
		}
		n, ok := parseInt(s)
		return intValue(n), ok
	}
	return v, false
}

func toNumber(_ *exec, v value) (value, bool) {
	switch v.k {
	case kindInt, kindNumber:
		return v, true
	case kindText:
		s := strings.TrimSpace(v.s)
		return parseNumber(s), isNumber(s)
	}
	return v, false
}

func toBoolean(x *exec, v value) (value, bool) {
	if v.k == kindBool {
		return v, true
	}
	s, _ := x.text(v)
	s = strings.TrimSpace(s)
	for i, word := range [...]string{"false", "true", "no", "yes", "0", "1"} {
		if strings.EqualFold(s, word) {
			return boolValue(i%2 == 1), true
		}
	}
	return v, false
}
