package transforms

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluicehq/sluice/connector"
)

// Lengths of a telephone number in digits: the shortest subscriber numbers in use, and more than E.164's 15 for
// numbers that carry a trunk or carrier prefix.
const (
	minPhoneDigits = 5
	maxPhoneDigits = 20
)

var opPhone = Op{
	Name:      "phone",
	Signature: "phone: {format: digits}",
	Doc: "Brings a telephone number to its digits: takes off a leading + or 00, spaces, dashes, dots, slashes, brackets and a WhatsApp suffix such as `@c.us`; " +
		"full-width and Arabic digits become 0 to 9. The number is not changed otherwise: no country code is added. Blank text becomes absent. Letters, other signs " +
		"and fewer than 5 or more than 20 digits are refused.",
	In: Scalar, Out: Text, Errors: []string{connector.CodeBadPhone, codeBadValue},
	Examples: []Example{
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":"+86 (138) 1234-5678"}`, Out: `"8613812345678"`},
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":"0049 30/123.456"}`, Out: `"4930123456"`},
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":13812345678}`, Out: `"13812345678"`},
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":"8613812345678@c.us"}`, Out: `"8613812345678"`},
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":"１３８１２３４５６７８"}`, Out: `"13812345678"`},
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":"  "}`, Out: ``},
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":"call me"}`, Code: connector.CodeBadPhone},
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":"1.38E+10"}`, Code: connector.CodeBadPhone},
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":"1234"}`, Code: connector.CodeBadPhone},
	},
	parse: func(a arg) *step {
		if !a.isMap() {
			a.problem("takes {format: digits}, not %s", a.noun())
			return nil
		}
		format, ok := a.settings("format")["format"]
		if !ok {
			a.problem("format is missing: write {format: digits}")
			return nil
		}
		if _, ok := format.oneOf("digits"); !ok {
			return nil
		}
		return &step{run: texts(phoneTexts, phoneDigits)}
	},
}

func phoneDigits(x *exec, v value) (value, *fault) {
	if v.k == kindNumber || v.k == kindBool || v.k == kindInt && v.n < 0 {
		return v, badPhone(x, v, "is not a telephone number")
	}
	s, ok := x.text(v)
	if !ok {
		return v, &fault{codeBadValue, "phone takes text, not " + v.noun()}
	}
	if plainDigits(s) && !strings.HasPrefix(s, "00") {
		return phoneLength(x, v, s)
	}
	s = strings.TrimSpace(s)
	if number, host, ok := strings.Cut(s, "@"); ok && (host == "c.us" || host == "s.whatsapp.net") {
		s = number
	}
	if s == "" {
		return value{}, nil
	}
	dst, plus, started := x.room(len(s)), false, false
	for i, c := range s {
		if b := s[i]; b >= '0' && b <= '9' { // most signs of most numbers
			dst, started = append(dst, b), true
			continue
		}
		if c == ' ' || c == '-' {
			continue
		}
		d, isDigit := digitOf(c)
		switch {
		case isDigit:
			dst, started = append(dst, d), true
		case (c == '+' || c == '＋') && !plus && !started:
			plus = true
		case !phonePunctuation(c):
			return v, badPhone(x, v, "holds "+quoteRune(c))
		}
	}
	if !plus && len(dst) > 2 && dst[0] == '0' && dst[1] == '0' {
		dst = dst[2:]
		return phoneLength(x, v, x.store(dst))
	}
	return phoneLength(x, v, x.keep(dst))
}

// phoneTexts reads the numbers that are a plus and ASCII digits with spaces and dashes between them.
func phoneTexts(x *exec, vec *vector, rows []int32) {
	for _, r := range rows {
		s := vec.text[r]
		digits, n, ok := x.room(len(s))[:len(s)], 0, true
		plus := s != "" && s[0] == '+'
		for i := range len(s) {
			c := s[i]
			digits[n] = c
			if c-'0' <= 9 {
				n++
			} else if c != ' ' && c != '-' && !(c == '+' && i == 0) {
				ok = false
				break
			}
		}
		switch {
		case !ok || n < minPhoneDigits || n > maxPhoneDigits || !plus && digits[0] == '0' && digits[1] == '0':
			x.leave(r)
		case n < len(s):
			vec.text[r] = x.keep(digits[:n])
		}
	}
}

func badPhone(x *exec, v value, why string) *fault {
	return &fault{connector.CodeBadPhone, "phone: " + x.shown(v) + " " + why}
}

func quoteRune(c rune) string { return "the sign '" + string(c) + "'" }

func phoneLength(x *exec, v value, digits string) (value, *fault) {
	switch n := len(digits); {
	case n < minPhoneDigits:
		return v, badPhone(x, v, "has too few digits")
	case n > maxPhoneDigits:
		return v, badPhone(x, v, "has too many digits")
	}
	return textValue(digits), nil
}

func plainDigits(s string) bool {
	for i := range len(s) {
		if s[i]-'0' > 9 {
			return false
		}
	}
	return s != ""
}

// digitOf reads ASCII, full-width and Arabic digits.
func digitOf(c rune) (byte, bool) {
	if c < utf8.RuneSelf {
		return byte(c), c >= '0' && c <= '9'
	}
	for _, zero := range [...]rune{'０', '٠', '۰'} {
		if c >= zero && c <= zero+9 {
			return byte('0' + c - zero), true
		}
	}
	return 0, false
}

// phonePunctuation: what people put between digits. A comma or semicolon would join two numbers into one.
func phonePunctuation(c rune) bool {
	if c < utf8.RuneSelf {
		return strings.ContainsRune(" \t-.()/[]", c)
	}
	return unicode.IsSpace(c) || unicode.Is(unicode.Pd, c) || unicode.Is(unicode.Cf, c) || strings.ContainsRune("（）．／・·−\uFE0F", c)
}
