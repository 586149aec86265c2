package rows

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/go-faster/jx"
)

// token says what a value is. The zero token is a value that is not there.
type token uint8

const (
	tokAbsent token = iota
	tokNull
	tokFalse
	tokTrue
	tokNumber
	tokString  // without escapes: the text is the token without its quotes
	tokEscaped // a string with escapes
	tokNested  // an object or an array
	tokBad     // not JSON, or not text
)

// maxDepth is the nesting that encoding/json allows, and jx too.
const maxDepth = 10_000

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// scanString returns the position, from i on, of the first byte that ends the plain run of a string: a quote, a
// backslash or a control character; len(b) if there is none. high tells of bytes beyond ASCII before it.
//
// Eight bytes are looked at in one step: (x-ones)&^x has the high bit of each byte that is zero, and perhaps of bytes
// above such a one; only the lowest is used. The bytes looked for are ASCII, so x and w have the same high bits.
func scanString(b []byte, i int) (end int, high bool) {
	var beyond uint64
	for ; i+8 <= len(b); i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		stop := ((quote - ones) | (slash - ones) | (w - ones*' ')) &^ w & highs
		if stop != 0 {
			at := bits.TrailingZeros64(stop) &^ 7
			return i + at/8, (beyond|w&(1<<at-1))&highs != 0
		}
		beyond |= w
	}
	for ; i < len(b); i++ {
		c := b[i]
		if c < ' ' || c == '"' || c == '\\' {
			break
		}
		beyond |= uint64(c)
	}
	return i, beyond&highs != 0
}

// scanPlain returns the end of the string that starts at i, or -1 if it has escapes or is broken.
func scanPlain(b []byte, i int) int {
	j, high := scanString(b, i+1)
	if j >= len(b) || b[j] != '"' || high && !utf8.Valid(b[i+1:j]) {
		return -1
	}
	return j + 1
}

// scanNumber returns the end of the JSON number that starts at i, or -1.
func scanNumber(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	switch {
	case i < len(b) && b[i] == '0':
		i++
	default:
		if i = digits(b, i); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i] == '.' {
		if i = digits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i = digits(b, i)
	}
	return i
}

// digits returns the end of the digits that start at i, or -1 if there are none.
func digits(b []byte, i int) int {
	start := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && b[i] <= ' ' && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// scanValue finds the end of the value that starts at i and what it is; tokBad if it is no value, or one whose text is
// not UTF-8. jx reads what is nested or escaped.
func scanValue(d *jx.Decoder, b []byte, i int) (end int, tok token) {
	if i >= len(b) {
		return i, tokBad
	}
	switch b[i] {
	case '"':
		if end = scanPlain(b, i); end >= 0 {
			return end, tokString
		}
		return scanRaw(d, b, i, tokEscaped)
	case '{', '[':
		if end = scanFlat(b, i); end >= 0 {
			return end, tokNested
		}
		return scanRaw(d, b, i, tokNested)
	case 't':
		tok = tokTrue
	case 'f':
		tok = tokFalse
	case 'n':
		tok = tokNull
	default:
		tok = tokNumber
	}
	if end = scanScalar(b, i); end < 0 {
		return i, tokBad
	}
	return end, tok
}

// scanFlat returns the end of the object or array that starts at i, or -1 if it nests further, has escapes or is broken.
// Most nested values are lists of a few plain strings, for which asking jx would take longer than the whole row.
func scanFlat(b []byte, i int) int {
	object := b[i] == '{'
	last := b[i] + 2 // } and ] are two places behind { and [
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == last {
		return i + 1
	}
	for {
		if object {
			if i >= len(b) || b[i] != '"' {
				return -1
			}
			if i = scanPlain(b, i); i < 0 {
				return -1
			}
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return -1
			}
			i = skipSpace(b, i+1)
		}
		if i = scanScalar(b, i); i < 0 {
			return -1
		}
		i = skipSpace(b, i)
		switch {
		case i >= len(b):
			return -1
		case b[i] == last:
			return i + 1
		case b[i] != ',':
			return -1
		}
		i = skipSpace(b, i+1)
	}
}

// scanScalar returns the end of the plain string, number or literal that starts at i, or -1.
func scanScalar(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return scanPlain(b, i)
	case 't':
		return scanLiteral(b, i, "true")
	case 'f':
		return scanLiteral(b, i, "false")
	case 'n':
		return scanLiteral(b, i, "null")
	}
	return scanNumber(b, i)
}

func scanLiteral(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return -1
	}
	return i + len(word)
}

// scanRaw lets jx find the end of the value at i.
func scanRaw(d *jx.Decoder, b []byte, i int, tok token) (int, token) {
	d.ResetBytes(b[i:])
	raw, err := d.Raw()
	// jx counts from here, encoding/json from the object around.
	if err != nil || !utf8.Valid(raw) || loneSurrogate(raw) >= 0 || deep(raw, maxDepth-1) {
		return i, tokBad
	}
	return i + len(raw), tok
}

// loneSurrogate returns the position of the first escape in valid JSON that is half a surrogate pair without the other
// half, or -1.
func loneSurrogate(b []byte) int {
	for i := 0; ; {
		n := bytes.IndexByte(b[i:], '\\')
		if n < 0 {
			return -1
		}
		i += n
		if b[i+1] != 'u' {
			i += 2
			continue
		}
		r := hex4(b[i+2:])
		switch {
		case r&^0x7ff != 0xd800:
			i += 6
		case r < 0xdc00 && len(b) >= i+12 && b[i+6] == '\\' && b[i+7] == 'u' && hex4(b[i+8:])&^0x3ff == 0xdc00:
			i += 12
		default:
			return i
		}
	}
}

// hex4 reads four hexadecimal digits that are known to be such.
func hex4(b []byte) (r uint32) {
	for _, c := range b[:4] {
		digit := uint32(c - '0')
		if c > '9' {
			digit = uint32(c|0x20) - 'a' + 10
		}
		r = r<<4 | digit
	}
	return r
}

// deep reports whether JSON, perhaps broken, is nested deeper than levels.
func deep(b []byte, levels int) bool {
	if len(b) <= levels { // too short for so many brackets
		return false
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			if depth++; depth > levels {
				return true
			}
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
		}
	}
	return false
}
