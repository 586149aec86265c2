package transforms

import (
	"encoding/binary"
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
		changed := func(x *exec, vec *vector, rows []int32) {
			for _, r := range rows {
				vec.text[r] = change(x, vec.text[r])
			}
		}
		return &step{run: texts(changed, scalar("case", func(x *exec, s string) (value, *fault) {
			return textValue(change(x, s)), nil
		}))}
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

// swapCase changes ASCII text eight bytes at a time: the 26 letters from first on change case. Other text takes the slow
// way.
func (x *exec) swapCase(s string, first byte, letter func(rune, bool) rune) string {
	b, n := bytesOf(s), len(s)
	if n < 8 {
		return x.swapShort(s, first, letter)
	}
	last := n - 8 // the last word overlaps the one before it
	seen, hits := word(b[last:]), lettersIn(word(b[last:]), first)
	for i := 0; i < last; i += 8 {
		w := word(b[i:])
		seen, hits = seen|w, hits|lettersIn(w, first)
	}
	if seen&highBits != 0 {
		return x.mapLetters(s, letter)
	}
	if hits == 0 {
		return s
	}
	dst := x.room(n)[:n]
	for i := 0; i < last; i += 8 {
		w := word(b[i:])
		binary.LittleEndian.PutUint64(dst[i:], w^lettersIn(w, first)>>2)
	}
	w := word(b[last:])
	binary.LittleEndian.PutUint64(dst[last:], w^lettersIn(w, first)>>2)
	return x.keep(dst)
}

// swapShort is swapCase for texts of less than a word.
func (x *exec) swapShort(s string, first byte, letter func(rune, bool) rune) string {
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

// highBits has the highest bit of each byte of a word.
const highBits = 0x8080808080808080

func word(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// lettersIn sets the highest bit of each byte of an ASCII word that is one of the 26 letters from first on. Two bits
// lower is the bit by which upper and lower case differ.
func lettersIn(w uint64, first byte) uint64 {
	const ones = highBits >> 7
	w &^= highBits // other bytes must not carry into their neighbours
	from, beyond := w+ones*uint64(0x80-first), w+ones*uint64(0x80-first-26)
	return from &^ beyond & highBits
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
