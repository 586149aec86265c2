package socialepoch

import (
	"bytes"

	"github.com/sluicehq/sluice/internal/rows"
)

// followUp is what an agent wrote, as parts of the document it came in.
type followUp struct {
	text     []byte   // unescaped
	urls     [][]byte // JSON strings
	document []byte   // the JSON, mended; nil: it is plain text
	repaired bool
}

// readFollow reads the content of a follow-up: a JSON document, one that lost its closing brackets, or plain text. w is
// for its use.
func readFollow(w *rows.Walker, content []byte) (f followUp) {
	if i := rows.SkipSpace(content, 0); i == len(content) || content[i] != '{' {
		f.text = content
		return f
	}
	doc, repaired, ok := repair(w, content)
	if !ok {
		f.text = content
		return f
	}
	f.document, f.repaired = doc, repaired
	var data, text []byte
	for ok := w.Open(doc); ok && w.Next(); {
		switch string(w.Key()) {
		case "data":
			data = w.Value()
		case "text":
			text = w.Value()
		}
	}
	var urls []byte
	switch {
	case len(data) > 0 && data[0] == '{':
		for ok := w.Open(data); ok && w.Next(); {
			switch string(w.Key()) {
			case "text":
				text = w.Value()
			case "url":
				urls = w.Value()
			}
		}
	case len(data) > 0 && data[0] == '"':
		text = data
	}
	if present(text) {
		f.text = rows.AppendUnquoted(nil, text)
	}
	f.urls = urlsOf(w, urls)
	return f
}

// urlsOf reads a list of addresses, or a single one.
func urlsOf(w *rows.Walker, value []byte) (urls [][]byte) {
	if present(value) && value[0] == '"' {
		return [][]byte{value}
	}
	if len(value) == 0 || value[0] != '[' {
		return nil
	}
	for ok := w.Open(value); ok && w.Next(); {
		if v := w.Value(); present(v) && v[0] == '"' {
			urls = append(urls, v)
		}
	}
	return urls
}

// repair closes what a JSON document leaves open: a string, lists and objects, each as it was opened. Brackets inside
// strings do not count; line breaks in them, which JSON forbids, are escaped. It returns the text itself where nothing was
// missing, and false where the result is no JSON all the same.
func repair(w *rows.Walker, text []byte) (mended []byte, repaired, ok bool) {
	if whole(w, text) {
		return text, false, true
	}
	out := make([]byte, 0, len(text)+8)
	var open []byte // the brackets that close what is open, the innermost last
	inString := false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inString && c == '\\' && i+1 < len(text):
			out = append(out, c)
			i++
			c = text[i]
		case inString && c < ' ':
			out = appendControl(out, c)
			continue
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			open = append(open, c+2) // } and ] are two places behind { and [
		case c == '}' || c == ']':
			if len(open) == 0 || open[len(open)-1] != c {
				return nil, false, false
			}
			open = open[:len(open)-1]
		}
		out = append(out, c)
	}
	if inString {
		out = append(out, '"')
	}
	if trimmed := bytes.TrimRight(out, " \t\r\n"); !inString && len(open) > 0 && len(trimmed) > 0 && trimmed[len(trimmed)-1] == ',' {
		out = trimmed[:len(trimmed)-1] // it was cut behind a member
	}
	for i := len(open) - 1; i >= 0; i-- {
		out = append(out, open[i])
	}
	return out, true, whole(w, out)
}

func appendControl(dst []byte, c byte) []byte {
	quoted := rows.AppendQuoted(nil, []byte{c})
	return append(dst, quoted[1:len(quoted)-1]...)
}

// whole reports whether text is a JSON object or array.
func whole(w *rows.Walker, text []byte) bool {
	for ok := w.Open(text); ok && w.Next(); {
	}
	return w.Whole()
}

// present reports whether a value is there and neither null nor the empty text: the vendor writes all three for "nothing".
func present(value []byte) bool {
	return len(value) > 0 && string(value) != "null" && string(value) != `""`
}
