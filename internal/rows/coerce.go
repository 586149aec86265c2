package rows

import (
	"bytes"
	"math"
	"strconv"

	"github.com/go-faster/jx"

	"github.com/sluicehq/sluice/connector"
)

// check fits every cell to its column, or refuses the row.
func (b *Builder) check(obj []byte) *Refusal {
	for i := range b.cols {
		v := &b.cells[i]
		if v.tok <= tokNull {
			continue
		}
		if v.tok == tokString && b.cols[i].kind == kindText { // by far the most frequent
			v.start, v.end = v.start+1, v.end-1
			continue
		}
		why := ""
		switch b.cols[i].kind {
		case kindText:
			why = b.fitText(v, obj)
		case kindInt:
			why = b.fitInt(v, obj)
		case kindBool:
			why = b.fitBool(v, obj)
		case kindNumber:
			why = b.fitNumber(v, obj)
		case kindList:
			why = b.fitList(v, obj)
		}
		if why != "" {
			return &Refusal{Code: connector.CodeBadType, Field: b.cols[i].name, Message: why}
		}
	}
	return nil
}

// unescape makes v span the text of its string.
func (b *Builder) unescape(v *cell, obj []byte) []byte {
	switch v.tok {
	case tokString:
		v.start, v.end = v.start+1, v.end-1
		return obj[v.start:v.end]
	case tokEscaped:
		b.dec.ResetBytes(obj[v.start:v.end])
		v.start, v.scratch = uint32(len(b.scratch)), true
		b.scratch, _ = b.dec.StrAppend(b.scratch) // read before, so it cannot fail
		v.end = uint32(len(b.scratch))
		return b.scratch[v.start:v.end]
	}
	return obj[v.start:v.end]
}

func (b *Builder) fitText(v *cell, obj []byte) string {
	if v.tok == tokNested {
		return "the column is text, the value an object or array"
	}
	b.unescape(v, obj)
	return ""
}

// fitInt takes a number that is an integer, however written, and a text that is an integer's own spelling: a text such
// as "007" means more than its number.
func (b *Builder) fitInt(v *cell, obj []byte) string {
	var ok, whole bool
	switch v.tok {
	case tokNumber:
		v.num, whole, ok = parseInt(obj[v.start:v.end])
	case tokString, tokEscaped:
		t := b.unescape(v, obj)
		if scanNumber(t, 0) != len(t) {
			return "the column is an integer, the value a text that is none"
		}
		var spelling [20]byte
		v.num, whole, ok = parseInt(t)
		if whole && ok && string(strconv.AppendInt(spelling[:0], v.num, 10)) != string(t) {
			return "the column is an integer, the value a text with another spelling of one"
		}
	default:
		return "the column is an integer, the value " + v.tok.noun()
	}
	switch {
	case !whole:
		return "the column is an integer, the value a number with a fraction"
	case !ok:
		return "the integer is beyond 64 bits; declare the field as number, which keeps every digit"
	}
	return ""
}

func (b *Builder) fitBool(v *cell, obj []byte) string {
	switch v.tok {
	case tokTrue, tokFalse:
		return ""
	case tokString, tokEscaped:
		switch string(b.unescape(v, obj)) {
		case "true":
			v.tok = tokTrue
			return ""
		case "false":
			v.tok = tokFalse
			return ""
		}
	}
	return "the column is a boolean, the value " + v.tok.noun()
}

func (b *Builder) fitNumber(v *cell, obj []byte) string {
	switch v.tok {
	case tokNumber:
		return ""
	case tokString, tokEscaped:
		if t := b.unescape(v, obj); scanNumber(t, 0) == len(t) {
			return ""
		}
		return "the column is a number, the value a text that is none"
	}
	return "the column is a number, the value " + v.tok.noun()
}

func (t token) noun() string {
	switch t {
	case tokNumber:
		return "a number"
	case tokString, tokEscaped:
		return "a text"
	case tokTrue, tokFalse:
		return "a boolean"
	}
	return "an object or array"
}

// parseInt returns the value of a JSON number. whole: it has no fraction, as in 12, 12.0, 1.2e1 and 120e-1; ok: it fits.
func parseInt(num []byte) (n int64, whole, ok bool) {
	i, neg := 0, num[0] == '-'
	if neg {
		i++
	}
	if len(num)-i <= 18 { // the usual case: digits that cannot overflow
		j := i
		for ; j < len(num) && num[j]-'0' <= 9; j++ {
			n = n*10 + int64(num[j]-'0')
		}
		if j == len(num) {
			if neg {
				n = -n
			}
			return n, true, true
		}
	}
	return parseDecimal(num[i:], neg)
}

// parseDecimal is parseInt, for what has a dot, an exponent or many digits, without the sign.
func parseDecimal(num []byte, neg bool) (n int64, whole, ok bool) {
	exp := 0
	if e := bytes.IndexAny(num, "eE"); e >= 0 {
		exp = exponent(num[e+1:])
		num = num[:e]
	}
	front, back, _ := bytes.Cut(num, []byte{'.'})
	left := len(front) + exp // digits that stand before the point once the exponent is applied
	limit := uint64(math.MaxInt64)
	if neg {
		limit++
	}
	v := uint64(0)
	for _, part := range [2][]byte{front, back} {
		for _, c := range part {
			d := uint64(c - '0')
			switch left--; {
			case left < 0 && d != 0:
				return 0, false, false
			case left < 0:
			case v > (limit-d)/10:
				return 0, true, false
			default:
				v = v*10 + d
			}
		}
	}
	for ; left > 0 && v != 0; left-- {
		if v > limit/10 {
			return 0, true, false
		}
		v *= 10
	}
	if neg {
		v = -v
	}
	return int64(v), true, true
}

// exponent reads an exponent, cut to what no text can make up for by its number of digits.
func exponent(b []byte) int {
	const most = 1 << 40
	exp, err := strconv.Atoi(string(b))
	switch {
	case err == nil:
		return max(-most, min(most, exp))
	case b[0] == '-':
		return -most
	}
	return most
}

// unquote returns the text of a valid JSON string.
func unquote(token []byte) string {
	s, _ := jx.DecodeBytes(token).Str()
	return s
}
