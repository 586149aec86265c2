package transforms

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	starjson "go.starlark.net/lib/json"
	"go.starlark.net/starlark"
)

var jsonDecode = starjson.Module.Members["decode"]

// starlark gives a value as the language sees it; what is missing is None.
func (x *exec) starlark(v value) (starlark.Value, error) {
	switch v.k {
	case kindText:
		return starlark.String(v.s), nil
	case kindInt:
		return starlark.MakeInt64(v.n), nil
	case kindBool:
		return starlark.Bool(v.n != 0), nil
	case kindNumber, kindArray, kindObject:
		return starlark.Call(x.thread, jsonDecode, starlark.Tuple{starlark.String(v.s)}, nil)
	case kindList:
		items := make([]starlark.Value, 0, len(x.listOf(v)))
		for _, item := range x.listOf(v) {
			s, err := x.starlark(item)
			if err != nil {
				return nil, err
			}
			items = append(items, s)
		}
		return starlark.NewList(items), nil
	}
	return starlark.None, nil
}

// resultDepth is how deep lists and objects of a result may be nested.
const resultDepth = 32

var errDeep = fmt.Errorf("gave up: the result is nested more than %d deep", resultDepth)

// result turns what an expression made into a value; None is absent.
func (x *exec) result(v starlark.Value) (value, error) {
	switch v := v.(type) {
	case starlark.NoneType:
		return value{}, nil
	case starlark.Bool:
		return boolValue(bool(v)), nil
	case starlark.String:
		if !utf8.ValidString(string(v)) {
			return value{}, errors.New("the result is a text that was cut inside a character")
		}
		return textValue(string(v)), nil
	case starlark.Int:
		if n, ok := v.Int64(); ok {
			return intValue(n), nil
		}
		return value{s: v.String(), k: kindNumber}, nil
	case starlark.Float:
		f := float64(v)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return value{}, fmt.Errorf("the result %s is no number that a field can hold", v)
		}
		return x.float(f, 64), nil
	}
	dst, err := x.appendResult(x.buf[:0], v, resultDepth)
	x.buf = dst
	if err != nil {
		return value{}, err
	}
	k := kindArray
	if dst[0] == '{' {
		k = kindObject
	}
	return value{s: x.store(dst), k: k}, nil
}

// appendResult writes a list or a dictionary, with what they hold, as JSON.
func (x *exec) appendResult(dst []byte, v starlark.Value, depth int) ([]byte, error) {
	switch {
	case depth < 0:
		return dst, errDeep
	case len(dst) > exprText:
		return dst, errLarge
	}
	switch v := v.(type) {
	case starlark.NoneType:
		return append(dst, "null"...), nil
	case *starlark.Dict:
		return x.appendDict(dst, v, depth)
	case starlark.String, starlark.Int, starlark.Float, starlark.Bool:
		one, err := x.result(v)
		if err != nil {
			return dst, err
		}
		return x.appendJSON(dst, one), nil
	case starlark.Bytes:
	case starlark.Iterable:
		dst = append(dst, '[')
		iter := v.Iterate()
		defer iter.Done()
		var item starlark.Value
		for first := true; iter.Next(&item); first = false {
			if !first {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = x.appendResult(dst, item, depth-1); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
	return dst, fmt.Errorf("the result is a %s, which a field cannot hold", v.Type())
}

func (x *exec) appendDict(dst []byte, d *starlark.Dict, depth int) ([]byte, error) {
	dst = append(dst, '{')
	for i, item := range d.Items() {
		name, ok := starlark.AsString(item[0])
		if !ok || !utf8.ValidString(name) {
			return dst, fmt.Errorf("the result has the key %s; names of members are texts", item[0])
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendString(dst, name), ':')
		var err error
		if dst, err = x.appendResult(dst, item[1], depth-1); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}
