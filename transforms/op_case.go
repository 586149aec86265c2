package transforms

import (
	"unicode"
	"unicode/utf8"
)

var opCase = Op{
	Name:      "case",
	Signature: "case: lower | upper | title",
	Doc:       "Changes letters to lower or upper case; `title` makes the first letter of each word upper case and the others lower case.",
	In:        Scalar, Out: Text, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: a, case: lower}`, In: `{"a":"A@B.CN"}`, Out: `"a@b.cn"`},
		{Field: `{from: a, case: upper}`, In: `{"a":"straße"}`, Out: `"STRAßE"`},
		{Field: `{from: a, case: title}`, In: `{"a":"JEAN-luc o'neil"}`, Out: `"Jean-Luc O'neil"`},
	},
	parse: func(a arg) *step {
		word, ok := a.oneOf("lower", "upper", "title")
		if !ok {
			return nil
		}
		change := caseOf(word)
		return &step{run: scalarKernel("case", func(x *exec, s string) (value, *fault) {
			return textValue(change(x, s)), nil
		})}
	},
}

// caseOf returns the change of a text.
func caseOf(word string) func(x *exec, s string) string {
	switch word {
	case "lower":
		return func(x *exec, s string) string {
			return x.swapCase(s, 'A', func(c rune, _ bool) rune { return unicode.ToLower(c) })
		}
	case "upper":
		return func(x *exec, s string) string {
			return x.swapCase(s, 'a', func(c rune, _ bool) rune { return unicode.ToUpper(c) })
		}
	}
	return func(x *exec, s string) string {
		return x.mapLetters(s, func(c rune, inWord bool) rune {
			if inWord {
				return unicode.ToLower(c)
			}
			return unicode.ToTitle(c)
		})
	}
}

// swapCase changes ASCII text byte by byte: the 26 letters from first on change case. Other text takes the slow way.
func (x *exec) swapCase(s string, first byte, letter func(rune, bool) rune) string {
	at := -1
	for i := range len(s) {
		c := s[i]
		if c >= utf8.RuneSelf {
			return x.mapLetters(s, letter)
		}
		if at < 0 && c-first < 26 {
			at = i
		}
	}
	if at < 0 {
		return s
	}
	dst := append(x.room(len(s)), s...)
	for i := at; i < len(dst); i++ {
		if dst[i]-first < 26 {
			dst[i] ^= 'a' - 'A'
		}
	}
	return x.keep(dst)
}

// mapLetters changes each character of s; text that stays as it is stays where it is.
func (x *exec) mapLetters(s string, letter func(rune, bool) rune) string {
	inWord := false
	for i, c := range s {
		if letter(c, inWord) != c {
			dst := append(x.room(len(s)+utf8.UTFMax), s[:i]...)
			for _, c := range s[i:] {
				dst = utf8.AppendRune(dst, letter(c, inWord))
				inWord = wordRune(c)
			}
			return x.keep(dst)
		}
		inWord = wordRune(c)
	}
	return s
}

// wordRune: an apostrophe within a word does not begin a new one.
func wordRune(c rune) bool {
	return unicode.IsLetter(c) || unicode.IsDigit(c) || unicode.IsMark(c) || c == '\'' || c == '’'
}
