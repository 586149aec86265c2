package rows

import (
	"unicode/utf8"
	"unsafe"
)

// AppendString appends s as a JSON string with no more escapes than JSON demands: <, > and & stay as they are. Bytes that
// are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	return appendText(dst, unsafe.Slice(unsafe.StringData(s), len(s)))
}

func appendText(dst, s []byte) []byte {
	dst = append(dst, '"')
	for {
		end, high := scanString(s, 0)
		if high && !utf8.Valid(s[:end]) {
			dst = appendValidUTF8(dst, s[:end])
		} else {
			dst = append(dst, s[:end]...)
		}
		if end == len(s) {
			return append(dst, '"')
		}
		dst = appendEscape(dst, s[end])
		s = s[end+1:]
	}
}

// appendEscape appends the escape of a quote, a backslash or a control character.
func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\b':
		return append(dst, `\b`...)
	case '\f':
		return append(dst, `\f`...)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
