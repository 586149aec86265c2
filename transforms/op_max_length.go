package transforms

import (
	"fmt"

	"github.com/sluicehq/sluice/connector"
)

var opMaxLength = Op{
	Name:      "max_length",
	Signature: "max_length: N",
	Doc:       "Refuses a value of more than N characters; use `truncate` to cut it instead. The value itself is not changed.",
	In:        Scalar, Errors: []string{connector.CodeTooLong, codeBadValue},
	Examples: []Example{
		{Field: `{from: a, max_length: 3}`, In: `{"a":"äöü"}`, Out: `"äöü"`},
		{Field: `{from: a, max_length: 3}`, In: `{"a":"äöüß"}`, Code: connector.CodeTooLong},
		{Field: `{from: a, max_length: 3}`, In: `{"a":["a"]}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		limit, ok := a.count()
		if !ok {
			return nil
		}
		short := func(x *exec, vec *vector, rows []int32) {
			for _, r := range rows {
				if len(vec.text[r]) > limit {
					x.leave(r)
				}
			}
		}
		return &step{checks: true, run: texts(short, func(x *exec, v value) (value, *fault) {
			s, ok := x.text(v)
			if !ok {
				return v, &fault{codeBadValue, "max_length takes text, not " + v.noun()}
			}
			if len(s) > limit {
				if n := runes(s); n > limit {
					return v, &fault{connector.CodeTooLong, fmt.Sprintf("%s has %d characters; %d are allowed", x.hinted(v), n, limit)}
				}
			}
			return v, nil
		})}
	},
}
