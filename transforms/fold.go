package transforms

import (
	"strings"
	"unicode"
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
