package transforms

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// narrow gives the ASCII sign of a full-width one, and a plain blank for the ideographic one.
func narrow(c rune) rune {
	switch {
	case c >= '！' && c <= '～':
		return c - '！' + '!'
	case c == '\u3000':
		return ' '
	}
	return c
}

// hasWide reports whether narrow would change a sign of the text.
func hasWide(s string) bool {
	for _, c := range s {
		if narrow(c) != c {
			return true
		}
	}
	return false
}

// narrowed writes full-width signs as their ASCII ones.
func (x *exec) narrowed(s string) string {
	dst := x.room(len(s))
	for _, c := range s {
		dst = utf8.AppendRune(dst, narrow(c))
	}
	return x.keep(dst)
}

// trimBlank takes off blanks at both ends, and the invisible signs that spreadsheets and messengers leave there.
func trimBlank(s string) string {
	if s == "" || !maybeSpace(s[0]) && !maybeSpace(s[len(s)-1]) {
		return s
	}
	return strings.TrimFunc(s, isBlank)
}

func isBlank(c rune) bool {
	switch {
	case c == '\u200b', c == '\u200e', c == '\u200f', c == '\u2060', c == '\ufeff':
		return true
	case c >= '\u202a' && c <= '\u202e', c >= '\u2066' && c <= '\u2069':
		return true
	}
	return unicode.IsSpace(c)
}
