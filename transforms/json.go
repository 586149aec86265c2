package transforms

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/go-faster/jx"
)

// parseJSON reads a JSON value as far as its kind needs: text is unescaped only where it holds an escape, lists and
// objects stay text. The column that it comes from holds valid JSON; text that is not gives a null value.
func (x *exec) parseJSON(s string) value {
	s = trimJSON(s)
	if s == "" {
		return value{}
	}
	switch c := s[0]; {
	case c == '"':
		if len(s) >= 2 && s[len(s)-1] == '"' && strings.IndexByte(s[1:len(s)-1], '\\') < 0 {
			return textValue(s[1 : len(s)-1])
		}
		x.dec.ResetBytes(bytesOf(s))
		b, err := x.dec.StrAppend(x.room(len(s)))
		if err != nil {
			return value{k: kindNull}
		}
		return textValue(x.keep(b))
	case c == '{':
		return value{s: s, k: kindObject}
	case c == '[':
		return value{s: s, k: kindArray}
	case s == "true", s == "false":
		return boolValue(c == 't')
	case c == '-' || c >= '0' && c <= '9':
		return parseNumber(s)
	}
	return value{k: kindNull}
}

// parseNumber gives an integer where the text is one of 64 bits, else the exact text.
func parseNumber(s string) value {
	if n, ok := parseInt(s); ok {
		return intValue(n)
	}
	return value{s: s, k: kindNumber}
}

// parseInt reads plain decimal digits with an optional minus: no sign +, no blanks, no overflow. "-0" is no integer:
// it would not come back as it was.
func parseInt(s string) (int64, bool) {
	digits := strings.TrimPrefix(s, "-")
	if len(digits) == 0 || len(digits) > 19 || s == "-0" {
		return 0, false
	}
	if len(digits) == 19 {
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	}
	var n int64
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, false
		}
		n = n*10 + int64(d)
	}
	if len(digits) < len(s) {
		n = -n
	}
	return n, true
}

func trimJSON(s string) string {
	for s != "" && s[0] <= ' ' {
		s = s[1:]
	}
	for s != "" && s[len(s)-1] <= ' ' {
		s = s[:len(s)-1]
	}
	return s
}

// isNumber reports whether s is a JSON number.
func isNumber(s string) bool {
	if s == "" || s[0] != '-' && (s[0] < '0' || s[0] > '9') || s[len(s)-1] <= ' ' {
		return false
	}
	return json.Valid(bytesOf(s))
}

// member finds a member of an object, or an element of a list where the name is a number.
func (x *exec) member(v value, name string) value {
	switch v.k {
	case kindObject:
		return x.objectMember(v.s, name)
	case kindList, kindArray:
		i, ok := parseInt(name)
		if !ok || i < 0 {
			return value{}
		}
		list, ok := x.elements(v)
		if items := x.listOf(list); ok && i < int64(len(items)) {
			return items[i]
		}
	}
	return value{}
}

func (x *exec) objectMember(object, name string) value {
	x.dec.ResetBytes(bytesOf(object))
	iter, err := x.dec.ObjIter()
	if err != nil {
		return value{}
	}
	for iter.Next() {
		hit := string(iter.Key()) == name
		raw, err := x.dec.Raw()
		if err != nil {
			return value{}
		}
		if hit {
			return x.parseJSON(stringOf(raw))
		}
	}
	return value{}
}

// member of an object, raw.
type member struct{ key, raw string }

// membersOf cuts an object into its members, appended to x.members; false: the text is not an object.
func (x *exec) membersOf(object string) ([]member, bool) {
	x.members = x.members[:0]
	x.dec.ResetBytes(bytesOf(object))
	iter, err := x.dec.ObjIter()
	if err != nil {
		return nil, false
	}
	for iter.Next() {
		key := stringOf(iter.Key())
		raw, err := x.dec.Raw()
		if err != nil {
			return nil, false
		}
		x.members = append(x.members, member{key, trimJSON(stringOf(raw))})
	}
	return x.members, iter.Err() == nil
}

// appendString appends s as a JSON string, escaping no more than it must.
func appendString(dst []byte, s string) []byte {
	w := jx.Writer{Buf: dst}
	w.Str(s)
	return w.Buf
}

// appendJSON appends the value as JSON; a missing one is null.
func (x *exec) appendJSON(dst []byte, v value) []byte {
	switch v.k {
	case kindText:
		return appendString(dst, v.s)
	case kindInt:
		return strconv.AppendInt(dst, v.n, 10)
	case kindBool:
		return strconv.AppendBool(dst, v.n != 0)
	case kindNumber, kindArray, kindObject:
		return append(dst, v.s...)
	case kindList:
		dst = append(dst, '[')
		for i, item := range x.listOf(v) {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = x.appendJSON(dst, item)
		}
		return append(dst, ']')
	}
	return append(dst, "null"...)
}
