package transforms

import (
	"github.com/go-faster/jx"
)

var opJSON = Op{
	Name:      "json",
	Signature: "json: decode | encode",
	Doc: "`decode` reads a text as JSON, early among the shortcut keys; what is no text already passes. `encode` writes the value as the text of " +
		"its JSON, last of all.",
	In: Any, Out: Any, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: a, json: decode}`, In: `{"a":"{\"b\":[1,2]}"}`, Out: `{"b":[1,2]}`},
		{Field: `{from: a, json: decode, join: "+"}`, In: `{"a":"[\"x\",\"y\"]"}`, Out: `"x+y"`},
		{Field: `{from: a, json: decode}`, In: `{"a":"{b"}`, Code: codeBadValue},
		{Field: `{from: a, json: encode}`, In: `{"a":{"k":"ü"}}`, Out: `"{\"k\":\"ü\"}"`},
		{Field: `{from: a, split: ",", json: encode}`, In: `{"a":"x,y"}`, Out: `"[\"x\",\"y\"]"`},
		{Field: `{from: a, json: encode}`, In: `{}`, Out: ``},
	},
	parse: func(a arg) *step {
		word, ok := a.oneOf("decode", "encode")
		if !ok {
			return nil
		}
		if word == "encode" {
			return &step{rank: rankLast, out: always(Text), run: values(encodeJSON)}
		}
		return &step{
			out: always(Any), run: values(decodeJSON),
			passes: List | Object, why: "there is nothing to decode in a list or an object",
		}
	},
}

func encodeJSON(x *exec, v value) (value, *fault) {
	x.buf = x.appendJSON(x.buf[:0], v)
	return textValue(x.store(x.buf)), nil
}

func decodeJSON(x *exec, v value) (value, *fault) {
	if v.k != kindText {
		return v, nil
	}
	if !jx.Valid(bytesOf(v.s)) {
		return v, &fault{codeBadValue, "json: " + x.hinted(v) + " is not JSON"}
	}
	return x.parseJSON(v.s), nil
}
