package transforms

import (
	"strings"
	"time"

	"github.com/itchyny/timefmt-go"
)

// dateLayout is a strftime layout made ready. The directives that people use are read here: the library takes the 30th
// of February for the 1st of March, and a date read for every row must not allocate. Week-based layouts, which have no
// day of a month, go to the library, and so does everything that is written but for plain digits.
type dateLayout struct {
	text   string
	tokens []layoutToken
	plain  bool // tokens alone can write it
	lib    bool // the library reads it
	zoned  bool // it speaks of an instant, not of a wall clock
	unit   int  // unix: 1000 (milliseconds a unit); unix_ms: 1; 0: a strftime layout
}

// layoutToken is a directive, or a literal byte where directive is 0.
type layoutToken struct{ directive, literal byte }

type dateProblem uint8

const (
	dateOK dateProblem = iota
	dateForm
	dateNoDay
)

// Compound directives and what they stand for.
var compound = map[byte]string{
	'F': "%Y-%m-%d", 'T': "%H:%M:%S", 'X': "%H:%M:%S", 'R': "%H:%M", 'D': "%m/%d/%y", 'x': "%m/%d/%y",
	'r': "%I:%M:%S %p", 'c': "%a %b %e %H:%M:%S %Y", 'v': "%e-%b-%Y", 'h': "%b",
}

const (
	ownDirectives  = "YymdejHkIlMSfpPbBaAz"
	weekDirectives = "GgVUWuws"
)

// parseLayout reads a layout; the text says what is wrong with it, "" if nothing is.
func parseLayout(text string) (dateLayout, string) {
	l := dateLayout{text: text, plain: true}
	switch text {
	case layoutUnix:
		l.unit, l.zoned = 1000, true
		return l, ""
	case layoutUnixMS:
		l.unit, l.zoned = 1, true
		return l, ""
	case "":
		return l, "it is empty"
	}
	if !strings.Contains(text, "%") {
		return l, "it holds no directive such as %Y; besides those there are unix and unix_ms"
	}
	if why := l.scan(text); why != "" {
		return l, why
	}
	seen := ""
	for _, t := range l.tokens {
		if t.directive != 0 {
			seen += string(t.directive)
		}
	}
	l.zoned = strings.ContainsAny(seen, "zs")
	if l.lib && strings.ContainsAny(seen, "de") {
		return l, "a day of the month beside a week or a second count cannot be checked"
	}
	return l, ""
}

func (l *dateLayout) scan(text string) string {
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			l.tokens = append(l.tokens, layoutToken{literal: text[i]})
			continue
		}
		if i++; i == len(text) {
			return "it ends in a single %"
		}
		c := text[i]
		if c == ':' && i+1 < len(text) && text[i+1] == 'z' {
			i++
			c = 'z'
			l.plain = false
		}
		switch {
		case c == '%', c == 'n', c == 't':
			l.tokens = append(l.tokens, layoutToken{literal: map[byte]byte{'%': '%', 'n': '\n', 't': '\t'}[c]})
		case compound[c] != "":
			if why := l.scan(compound[c]); why != "" {
				return why
			}
		case strings.IndexByte(ownDirectives, c) >= 0:
			l.tokens = append(l.tokens, layoutToken{directive: c})
			l.plain = l.plain && strings.IndexByte("YmdHMS", c) >= 0
		case strings.IndexByte(weekDirectives, c) >= 0:
			l.tokens = append(l.tokens, layoutToken{directive: c})
			l.lib, l.plain = true, false
		default:
			return "%" + string(rune(c)) + " is no directive"
		}
	}
	return ""
}

// parse reads the whole of s; zone is that of a text which names none.
func (l *dateLayout) parse(s string, zone *time.Location) (time.Time, dateProblem) {
	if l.unit != 0 {
		return parseUnix(s, int64(l.unit))
	}
	if l.lib {
		t, err := timefmt.ParseInLocation(s, l.text, zone)
		if err != nil {
			return t, dateForm
		}
		return t, dateOK
	}
	d := dateParts{year: 1900, month: 1, day: 1, zone: zone}
	for _, t := range l.tokens {
		var ok bool
		if t.directive == 0 {
			if s == "" || s[0] != t.literal {
				return time.Time{}, dateForm
			}
			s = s[1:]
			continue
		}
		if s, ok = d.read(t.directive, s); !ok {
			return time.Time{}, dateForm
		}
	}
	if s != "" {
		return time.Time{}, dateForm
	}
	return d.time()
}

// maxUnix is the last second of the year 9999.
const maxUnix = 253402300799

// parseUnix reads a count of seconds or milliseconds, with a fraction or without.
func parseUnix(s string, unit int64) (time.Time, dateProblem) {
	whole, fraction, dotted := strings.Cut(s, ".")
	n, ok := parseInt(whole)
	if !ok || dotted && !plainDigits(fraction) {
		return time.Time{}, dateForm
	}
	if limit := (maxUnix + 1) * 1000 / unit; n > limit || n < -limit {
		return time.Time{}, dateForm
	}
	nanos := int64(0)
	for i, scale := 0, unit*int64(time.Millisecond)/10; i < len(fraction) && scale > 0; i, scale = i+1, scale/10 {
		nanos += int64(fraction[i]-'0') * scale
	}
	if strings.HasPrefix(whole, "-") {
		nanos = -nanos
	}
	if unit == 1 {
		return checkYear(time.UnixMilli(n).Add(time.Duration(nanos)))
	}
	return checkYear(time.Unix(n, nanos))
}

func checkYear(t time.Time) (time.Time, dateProblem) {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return t, dateForm
	}
	return t, dateOK
}

// append writes the time.
func (l *dateLayout) append(dst []byte, t time.Time) []byte {
	if !l.plain {
		return timefmt.AppendFormat(dst, t, l.text)
	}
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	for _, token := range l.tokens {
		switch token.directive {
		case 0:
			dst = append(dst, token.literal)
		case 'Y':
			dst = appendDigits(dst, year, 4)
		case 'm':
			dst = appendDigits(dst, int(month), 2)
		case 'd':
			dst = appendDigits(dst, day, 2)
		case 'H':
			dst = appendDigits(dst, hour, 2)
		case 'M':
			dst = appendDigits(dst, minute, 2)
		case 'S':
			dst = appendDigits(dst, second, 2)
		}
	}
	return dst
}

func appendDigits(dst []byte, n, width int) []byte {
	for scale := [...]int{1, 10, 100, 1000}[width-1]; scale > 0; scale /= 10 {
		dst = append(dst, byte('0'+n/scale%10))
	}
	return dst
}
