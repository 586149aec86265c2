package transforms

import (
	"strconv"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

var opJoin = Op{
	Name:      "join",
	Signature: `join: ","`,
	Doc:       "Joins the elements of a list to one text; missing elements are left out. A single value becomes its own text. A list in a list is refused, and so is an element that holds the separator: whoever splits the text would read it as two.",
	In:        List, Out: Text, Errors: []string{codeBadValue, connector.CodeSeparator},
	Examples: []Example{
		{Field: `{from: tags, join: ","}`, In: `{"tags":["a",null,2,true]}`, Out: `"a,2,true"`},
		{Field: `{from: tags, join: ","}`, In: `{"tags":"a"}`, Out: `"a"`},
		{Field: `{from: tags, join: ","}`, In: `{"tags":[]}`, Out: `""`},
		{Field: `{from: tags, join: ","}`, In: `{"tags":[["a"]]}`, Code: codeBadValue},
		{Field: `{from: tags, join: ","}`, In: `{"tags":["a,b","c"]}`, Code: connector.CodeSeparator},
	},
	parse: func(a arg) *step {
		sep, ok := a.str()
		if !ok {
			return nil
		}
		return &step{
			passes: Scalar, why: "join takes a list: there is nothing to join in a single value",
			run: values(func(x *exec, v value) (value, *fault) { return x.join(v, sep) }),
		}
	},
}

func (x *exec) join(v value, sep string) (value, *fault) {
	if s, ok := x.text(v); ok {
		return textValue(s), nil
	}
	list, ok := x.elements(v)
	if !ok {
		return v, &fault{codeBadValue, "join takes a list, not " + v.noun()}
	}
	dst, first := x.buf[:0], true
	for _, item := range x.listOf(list) {
		if item.missing() {
			continue
		}
		if !first {
			dst = append(dst, sep...)
		}
		first = false
		switch item.k {
		case kindText, kindNumber:
			if sep != "" && strings.Contains(item.s, sep) {
				x.buf = dst
				return v, &fault{connector.CodeSeparator, x.shown(item) + " holds the separator " + strconv.Quote(sep)}
			}
			dst = append(dst, item.s...)
		case kindInt:
			dst = strconv.AppendInt(dst, item.n, 10)
		case kindBool:
			dst = strconv.AppendBool(dst, item.n != 0)
		default:
			x.buf = dst
			return v, &fault{codeBadValue, "join takes a list of texts; one of its elements is " + item.noun()}
		}
	}
	x.buf = dst
	return textValue(x.store(dst)), nil
}
