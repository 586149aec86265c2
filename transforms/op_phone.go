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
	Signature: "phone: true | {region: CN, format: digits | e164 | national}",
	Doc: "Reads a telephone number: a leading + or 00, spaces, dashes, dots, slashes, brackets and a WhatsApp suffix such as `@c.us` mean nothing, full-width and Arabic digits count as 0 to 9. " +
		"Without `region` the digits stay what they are: no country code is added, and 5 to 20 of them pass. `region`, two letters as in CN, is where numbers without a country code belong: " +
		"then a number must be possible in its country, and comes out as E.164 `digits` with the country code, as `e164` with a + before them, or as `national`, the digits that one dials inside " +
		"the region. Where numbers come in with a + each, `e164` needs no region. The result of `digits` has lost its +, so that no step with a region may follow. The `.0` that tables put behind whole numbers goes. Blank text becomes absent. " +
		"Letters, extensions, two numbers in one field and numbers that are too short or too long are refused.",
	In: Scalar, Out: Text, Errors: []string{connector.CodeBadPhone, codeBadValue},
	Examples: []Example{
		{Field: `{from: a, phone: {format: digits}}`, In: `{"a":"+86 (138) 1234-5678"}`, Out: `"8613812345678"`},
		{Field: `{from: a, phone: true}`, In: `{"a":"0049 30/123.456"}`, Out: `"4930123456"`},
		{Field: `{from: a, phone: true}`, In: `{"a":13812345678}`, Out: `"13812345678"`},
		{Field: `{from: a, phone: true}`, In: `{"a":"8613812345678@c.us"}`, Out: `"8613812345678"`},
		{Field: `{from: a, phone: true}`, In: `{"a":"１３８１２３４５６７８"}`, Out: `"13812345678"`},
		{Field: `{from: a, phone: {region: CN}}`, In: `{"a":"138 1234 5678"}`, Out: `"8613812345678"`},
		{Field: `{from: a, phone: {region: CN, format: e164}}`, In: `{"a":"(010) 6552 9988"}`, Out: `"+861065529988"`},
		{Field: `{from: a, phone: {region: CN, format: e164}}`, In: `{"a":"+44 7700 900123"}`, Out: `"+447700900123"`},
		{Field: `{from: a, phone: {region: GB, format: national}}`, In: `{"a":"+44 7700 900123"}`, Out: `"07700900123"`},
		{Field: `{from: a, phone: true}`, In: `{"a":"13812345678.0"}`, Out: `"13812345678"`},
		{Field: `{from: a, phone: true}`, In: `{"a":"  "}`, Out: ``},
		{Field: `{from: a, phone: true}`, In: `{"a":"call me"}`, Code: connector.CodeBadPhone},
		{Field: `{from: a, phone: true}`, In: `{"a":"1.38E+10"}`, Code: connector.CodeBadPhone},
		{Field: `{from: a, phone: true}`, In: `{"a":"1234"}`, Code: connector.CodeBadPhone},
		{Field: `{from: a, phone: {region: CN}}`, In: `{"a":"138 1234 567890"}`, Code: connector.CodeBadPhone},
		{Field: `{from: a, phone: {format: e164}}`, In: `{"a":"13812345678"}`, Code: connector.CodeBadPhone},
		{Field: `{from: a, phone: {region: CN, format: national}}`, In: `{"a":"+44 7700 900123"}`, Code: connector.CodeBadPhone},
	},
	parse: parsePhone,
}

func parsePhone(a arg) *step {
	p := &phoneStep{format: phoneFormatDigits}
	if !a.isMap() {
		if !a.flag() {
			return nil
		}
		return &step{plus: plusLost, run: texts(phoneTexts, phoneDigits)}
	}
	settings := a.settings("region", "format")
	format, formatted := settings["format"]
	if formatted {
		var ok bool
		if p.format, ok = format.oneOf(phoneFormatDigits, phoneFormatE164, phoneFormatNational); !ok {
			return nil
		}
	}
	region, ok := settings["region"]
	switch {
	case ok:
		if !p.setRegion(region) {
			return nil
		}
	case !formatted:
		a.problem("says nothing: write {region: CN} with the country of numbers that name none, or {format: digits}")
		return nil
	case p.format == phoneFormatNational:
		a.problem("region is missing: write {region: CN, format: national} with the country in which the numbers are dialled")
		return nil
	case p.format == phoneFormatDigits:
		return &step{plus: plusLost, run: texts(phoneTexts, phoneDigits)}
	}
	st := &step{plus: plusWanted, run: texts(p.convertTexts, p.convert)}
	if p.format == phoneFormatDigits {
		st.plus |= plusLost
	}
	return st
}

// plus is what a step has to do with the + of telephone numbers: what has lost it cannot be told from a number of the
// region any more.
type plus uint8

const (
	plusLost   plus = 1 << iota // its numbers have none
	plusWanted                  // it goes by it
)

// plusLess reports whether the last of the steps that reads telephone numbers takes the + off.
func plusLess(steps []*step) bool {
	var last plus
	for _, st := range steps {
		if st.plus != 0 {
			last = st.plus
		}
	}
	return last&plusLost != 0
}

// phoneDigits is the definition of a step without a region.
func phoneDigits(x *exec, v value) (value, *fault) {
	if v.k == kindText && plainDigits(v.s) && !strings.HasPrefix(v.s, "00") {
		return phoneLength(x, v, v.s)
	}
	d, bad := x.dialled(v)
	if bad != nil || d.blank {
		return value{}, bad
	}
	return phoneLength(x, v, d.digits)
}

// dialled is a telephone number without what people put around its digits.
type dialled struct {
	digits string // without a leading + or 00
	abroad bool   // there was one: the country code comes first
	blank  bool   // there is nothing
}

// dialled takes a number apart.
func (x *exec) dialled(v value) (d dialled, bad *fault) {
	if whole, ok := wholeNumber(v); ok {
		v = textValue(whole)
	}
	if v.k == kindNumber || v.k == kindBool || v.k == kindInt && v.n < 0 {
		return d, badPhone(x, v, "is not a telephone number")
	}
	s, ok := x.text(v)
	if !ok {
		return d, &fault{codeBadValue, "phone takes text, not " + v.noun()}
	}
	s = strings.TrimSpace(s)
	if number, host, ok := strings.Cut(s, "@"); ok && (host == "c.us" || host == "s.whatsapp.net") {
		s, d.abroad = number, true
	}
	if s == "" {
		return dialled{blank: true}, nil
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
		digit, isDigit := digitOf(c)
		switch {
		case isDigit:
			dst, started = append(dst, digit), true
		case (c == '+' || c == '＋') && !plus && !started:
			plus = true
		case !phonePunctuation(c):
			return d, badPhone(x, v, whyNoPhone(s, i, c, len(dst)))
		}
	}
	if !plus && len(dst) > 2 && dst[0] == '0' && dst[1] == '0' {
		return dialled{digits: x.store(dst[2:]), abroad: true}, nil
	}
	d.digits, d.abroad = x.keep(dst), d.abroad || plus
	return d, nil
}

// wholeNumber takes off the .0 that tables write behind the numbers of a column which has gaps: read as a dot between
// digits it would make the number longer.
func wholeNumber(v value) (string, bool) {
	if v.k != kindText && v.k != kindNumber {
		return "", false
	}
	whole, ok := strings.CutSuffix(trimBlank(v.s), ".0")
	return whole, ok && plainDigits(whole)
}

// extensions are how people write that further digits are to be dialled after the call is taken.
var extensions = []string{"ext", "x", "#", ";ext", ",", "转", "轉", "分机", "分機", "доб"}

// whyNoPhone tells why the sign c, which stands at i after some digits, cannot be part of a number.
func whyNoPhone(s string, i int, c rune, digits int) string {
	mantissa, exponent, ok := strings.Cut(strings.ToUpper(s), "E+")
	if ok && plainDigits(exponent) && plainDigits(strings.Replace(mantissa, ".", "", 1)) {
		return "was rounded by a spreadsheet and has lost digits. Set the column's format to text there and export it again"
	}
	rest := strings.ToLower(s[i:])
	for _, word := range extensions {
		if tail, ok := strings.CutPrefix(rest, word); ok && digits >= minPhoneDigits && plainDigits(strings.Trim(tail, " .:=")) && len(tail) <= 8 {
			return "has an extension, which a CRM cannot dial. Take it off, with a `replace` before the step"
		}
	}
	return "holds the sign '" + string(c) + "'"
}

// phoneTexts reads the numbers that are a plus and ASCII digits with spaces and dashes between them.
func phoneTexts(x *exec, vec *vector, rows []int32) {
	for _, r := range rows {
		s := vec.text[r]
		digits, ok := plainDialled(s, x.room(len(s))[:len(s)])
		n := len(digits)
		switch {
		case !ok || n < minPhoneDigits || n > maxPhoneDigits || s[0] != '+' && digits[0] == '0' && digits[1] == '0':
			x.leave(r)
		case n < len(s):
			vec.text[r] = x.keep(digits)
		}
	}
}

// plainDialled copies the digits of a number that holds nothing else but a plus before them and spaces and dashes.
func plainDialled(s string, digits []byte) ([]byte, bool) {
	n := 0
	for i := range len(s) {
		c := s[i]
		digits[n] = c
		if c-'0' <= 9 {
			n++
		} else if c != ' ' && c != '-' && !(c == '+' && i == 0) {
			return nil, false
		}
	}
	return digits[:n], true
}

func badPhone(x *exec, v value, why string) *fault {
	return &fault{connector.CodeBadPhone, "phone: " + x.hinted(v) + " " + why}
}

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
