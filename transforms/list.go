package transforms

import "strings"

// elements returns the items of a list; it parses the text of an array. false: the text is not an array.
func (x *exec) elements(v value) (value, bool) {
	if v.k != kindArray {
		return v, v.k == kindList
	}
	if !x.rowwise {
		if list, ok := x.plainTexts(v.s); ok {
			return list, true
		}
	}
	start := len(x.items)
	// The elements are cut first and read later: reading an escaped text needs the decoder for itself.
	x.dec.ResetBytes(bytesOf(v.s))
	iter, err := x.dec.ArrIter()
	if err != nil {
		return v, false
	}
	for iter.Next() {
		raw, err := x.dec.Raw()
		if err != nil {
			x.items = x.items[:start]
			return v, false
		}
		x.items = append(x.items, textValue(stringOf(raw)))
	}
	if iter.Err() != nil {
		x.items = x.items[:start]
		return v, false
	}
	for i := start; i < len(x.items); i++ {
		x.items[i] = x.parseJSON(x.items[i].s)
	}
	return x.listFrom(start), true
}

// listFrom makes a list of the items that were appended since start.
func (x *exec) listFrom(start int) value {
	return value{n: int64(start)<<32 | int64(len(x.items)-start), k: kindList}
}

// listOf views the elements of a kindList.
func (x *exec) listOf(v value) []value {
	start, n := v.n>>32, v.n&0xffffffff
	return x.items[start : start+n]
}

// plainTexts reads the text of an array that holds nothing but texts without escapes, as most do.
func (x *exec) plainTexts(s string) (value, bool) {
	start := len(x.items)
	if n := len(s); n < 4 || s[0] != '[' || s[n-1] != ']' || s[n-2] != '"' || strings.IndexByte(s, '\\') >= 0 {
		return value{}, false
	}
	for s = s[1:]; s[0] == '"'; {
		end := strings.IndexByte(s[1:], '"') + 1
		if end == 0 {
			break
		}
		x.items = append(x.items, textValue(s[1:end]))
		switch s = s[end+1:]; {
		case s == "]":
			return x.listFrom(start), true
		case len(s) > 1 && s[0] == ',':
			s = s[1:]
		}
		for len(s) > 1 && s[0] == ' ' {
			s = s[1:]
		}
	}
	x.items = x.items[:start]
	return value{}, false
}
