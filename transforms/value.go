package transforms

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
	"unsafe"
)

// kind is what a value is at run time.
type kind uint8

const (
	kindAbsent kind = iota
	kindNull
	kindText   // s
	kindInt    // n
	kindNumber // s: the exact JSON number
	kindBool   // n is 0 or 1
	kindList   // elements exec.items[n>>32 : n>>32 + n&0xffffffff]
	kindArray  // s: the text of a JSON array, not looked into yet
	kindObject // s: the text of a JSON object
)

// value is one cell. Its text aliases the input's buffers, the arena of the exec, or a constant of the plan.
type value struct {
	s string
	n int64
	k kind
}

func (v value) missing() bool { return v.k <= kindNull }

// empty reports whether the value carries nothing at all: absent, null or "".
func (v value) empty() bool { return v.k <= kindNull || v.k == kindText && v.s == "" }

func textValue(s string) value { return value{s: s, k: kindText} }
func intValue(n int64) value   { return value{n: n, k: kindInt} }

func boolValue(b bool) value {
	if b {
		return value{n: 1, k: kindBool}
	}
	return value{k: kindBool}
}

// Kinds is a set of the kinds of values that a step takes or makes.
type Kinds uint8

// The kinds of values, as the compiler knows them.
const (
	Text Kinds = 1 << iota
	Integer
	Number
	Boolean
	List
	Object

	Scalar = Text | Integer | Number | Boolean
	Any    = Scalar | List | Object
)

func (k Kinds) String() string {
	switch k {
	case Any:
		return "any"
	case 0:
		return "nothing"
	}
	var names []string
	for i, name := range [...]string{"text", "integer", "number", "boolean", "list", "object"} {
		if k&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}

// kinds returns the compiler's kind of a run-time value; 0 for a missing one.
func (v value) kinds() Kinds {
	return [...]Kinds{0, 0, Text, Integer, Number, Boolean, List, List, Object}[v.k]
}

// bytesOf views a string as bytes that must not be written.
func bytesOf(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// stringOf views bytes that will not be written any more as a string.
func stringOf(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// fault is why a step refuses a value.
type fault struct{ code, message string }

// shownRunes is how much of a value may stand in a message: enough to find it, too little to be a copy of it.
const shownRunes = 40

// shown quotes a value for a message, shortened.
func (x *exec) shown(v value) string {
	switch v.k {
	case kindAbsent:
		return "nothing"
	case kindNull:
		return "null"
	case kindText:
		return strconv.Quote(shorten(v.s))
	}
	return shorten(string(x.appendJSON(nil, v)))
}

// hinted is shown for values that tell of a person, such as numbers and free text: its two ends, enough to know it by beside
// the row itself. Numbers of seven or eight digits are whole ones in some countries, so that of these less is shown.
func (x *exec) hinted(v value) string {
	s, ok := x.text(v)
	n := runes(s)
	if !ok || n < 7 {
		return x.shown(v)
	}
	end := 2
	if n > 9 {
		end = 3
	}
	all := []rune(s)
	return strconv.Quote(string(all[:end]) + "…" + string(all[n-end:]))
}

// shape is shown for a date, which may be somebody's birthday: how it is written, with each digit as #.
func (x *exec) shape(v value) string {
	s, ok := x.text(v)
	masked := strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return '#'
		}
		return r
	}, s)
	if !ok || masked == s || runes(s) > shapeRunes { // free text
		return x.hinted(v)
	}
	return strconv.Quote(masked)
}

// shapeRunes is how long a text may be that is shown by its shape.
const shapeRunes = 40

func shorten(s string) string { return shortenTo(s, shownRunes) }

func shortenTo(s string, limit int) string {
	n := 0
	for i := range s {
		if n == limit {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// runes counts characters; text is mostly ASCII, where bytes are characters.
func runes(s string) int { return utf8.RuneCountInString(s) }

// text gives a scalar as text; false for lists, objects and missing values.
func (x *exec) text(v value) (string, bool) {
	switch v.k {
	case kindText, kindNumber:
		return v.s, true
	case kindInt:
		return x.keep(strconv.AppendInt(x.room(20), v.n, 10)), true
	case kindBool:
		if v.n != 0 {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// noun names the kind of a value in a message.
func (v value) noun() string {
	return [...]string{"nothing", "null", "text", "an integer", "a number", "a boolean", "a list", "a list", "an object"}[v.k]
}
