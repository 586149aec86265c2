package rows

import (
	"github.com/go-faster/jx"
)

// Walker walks the members of a JSON object, or the elements of an array, one level deep, and decodes nothing. It accepts
// the language that [Builder] accepts; what it hands out are parts of the text. It is for one goroutine; the zero value is
// ready.
//
//	for ok := w.Open(text); ok && w.Next(); {
//		switch string(w.Key()) { … w.Value() … }
//	}
//	if !w.Whole() { … not JSON, or neither an object nor an array … }
type Walker struct {
	dec        jx.Decoder
	text       []byte
	at         int
	last       byte // what closes the text
	part       bool // more may follow behind it
	state      walkState
	key, value extent // of the member at hand; places, since slices would cost a write barrier each
	unescaped  []byte // the key, where the text does not hold it as it is
}

// extent is a place in the text.
type extent struct{ from, to int }

type walkState uint8

const (
	walkBroken walkState = iota // the zero Walker has read nothing whole
	walkFirst
	walkOn
	walkDone
)

// Open begins with text, and reports whether that is an object or an array.
func (w *Walker) Open(text []byte) bool {
	w.part = false
	return w.open(text, skipSpace(text, 0))
}

// OpenAt begins with what stands at i of text, and reports whether that is an object or an array. Behind it anything may
// follow: once it was walked whole, End is where it ends.
func (w *Walker) OpenAt(text []byte, i int) bool {
	w.part = true
	return w.open(text, i)
}

func (w *Walker) open(text []byte, i int) bool {
	w.text, w.key, w.value, w.unescaped, w.state = text, extent{}, extent{}, nil, walkBroken
	if i >= len(text) || text[i] != '{' && text[i] != '[' {
		return false
	}
	w.at, w.last, w.state = i+1, text[i]+2, walkFirst // } and ] are two places behind { and [
	return true
}

// Next moves to the next member or element; false at the end, and where the text is broken.
func (w *Walker) Next() bool {
	if w.state != walkFirst && w.state != walkOn {
		return false
	}
	if w.state == walkOn && w.last == '}' && w.usual() {
		return true
	}
	i := skipSpace(w.text, w.at)
	switch {
	case i >= len(w.text):
		return w.stop(walkBroken)
	case w.text[i] == w.last:
		w.at = i + 1
		if !w.part && skipSpace(w.text, w.at) < len(w.text) {
			return w.stop(walkBroken)
		}
		return w.stop(walkDone)
	case w.state == walkFirst:
		w.state = walkOn
	case w.text[i] != ',':
		return w.stop(walkBroken)
	default:
		i = skipSpace(w.text, i+1)
	}
	if w.last == '}' {
		if i = w.readKey(i); i < 0 {
			return w.stop(walkBroken)
		}
	}
	end, tok := scanValue(&w.dec, w.text, i)
	if tok == tokBad {
		return w.stop(walkBroken)
	}
	w.value, w.at = extent{i, end}, end
	return true
}

// usual moves to the next member where that is written as most are: no blanks, a key of plain ASCII, a plain string or a
// scalar. It does nothing and is false where it is written otherwise.
func (w *Walker) usual() bool {
	text, i := w.text, w.at+2
	if i > len(text) || text[i-2] != ',' || text[i-1] != '"' {
		return false
	}
	key, high := scanString(text, i)
	from := key + 2
	if high || from >= len(text) || text[key] != '"' || text[key+1] != ':' {
		return false
	}
	var end int
	if text[from] == '"' { // as most are
		end = scanPlain(text, from)
	} else {
		end = scanScalar(text, from)
	}
	if end < 0 {
		return false
	}
	if w.unescaped != nil {
		w.unescaped = nil
	}
	w.key, w.value, w.at = extent{i, key}, extent{from, end}, end
	return true
}

// readKey reads the key at i and returns where its value starts, or -1.
func (w *Walker) readKey(i int) int {
	if i >= len(w.text) || w.text[i] != '"' {
		return -1
	}
	end := scanPlain(w.text, i)
	w.unescaped = nil
	if end >= 0 {
		w.key = extent{i + 1, end - 1}
	} else {
		var tok token
		if end, tok = scanRaw(&w.dec, w.text, i, tokEscaped); tok == tokBad {
			return -1
		}
		w.unescaped = []byte(unquote(w.text[i:end]))
	}
	if end = skipSpace(w.text, end); end >= len(w.text) || w.text[end] != ':' {
		return -1
	}
	return skipSpace(w.text, end+1)
}

func (w *Walker) stop(s walkState) bool {
	w.state, w.key, w.value, w.unescaped = s, extent{}, extent{}, nil
	return false
}

// Key returns the member's key, without quotes and escapes; nil in an array. It is good until the text changes.
func (w *Walker) Key() []byte {
	if w.unescaped != nil {
		return w.unescaped
	}
	return w.text[w.key.from:w.key.to]
}

// Value returns the value as it is written, quotes and escapes included.
func (w *Walker) Value() []byte { return w.text[w.value.from:w.value.to] }

// At returns where the value stands in the text.
func (w *Walker) At() (from, to int) { return w.value.from, w.value.to }

// Whole reports whether the text was walked to its end and is valid JSON.
func (w *Walker) Whole() bool { return w.state == walkDone }

// End is the place behind an object or array that was walked whole.
func (w *Walker) End() int { return w.at }

// Span returns the end of the value that starts at i, found by brackets and quotes alone: what lies between them need not
// be JSON. It returns i where no value starts, and -1 where the value has no end.
func Span(text []byte, i int) int {
	for depth := 0; i < len(text); {
		switch c := text[i]; c {
		case '"':
			if i = closingQuote(text, i); i < 0 || depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return i
			}
		}
		if i++; i == len(text) && depth > 0 {
			return -1
		}
	}
	return i
}

// closingQuote returns the place behind the string that starts at i, or -1.
func closingQuote(text []byte, i int) int {
	for i++; ; {
		if i, _ = scanString(text, i); i >= len(text) {
			return -1
		}
		switch text[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
		i++
	}
}

// SkipSpace returns the position, from i on, of the first byte that is not white space; len(text) if there is none.
func SkipSpace(text []byte, i int) int { return skipSpace(text, i) }

// AppendQuoted is AppendString for a text in bytes.
func AppendQuoted(dst, text []byte) []byte { return appendText(dst, text) }

// AppendUnquoted appends the text of a JSON string that a Walker gave; of any other value, the value as it is written.
func AppendUnquoted(dst, value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return append(dst, value...)
	}
	if end, _ := scanString(value, 1); end == len(value)-1 {
		return append(dst, value[1:end]...)
	}
	var d jx.Decoder
	d.ResetBytes(value)
	out, err := d.StrAppend(dst)
	if err != nil { // no string of a Walker's
		return append(dst, value...)
	}
	return out
}
