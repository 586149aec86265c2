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
	plain  bool  // tokens alone can write it
	lib    bool  // the library reads it
	zoned  bool  // it speaks of an instant, not of a wall clock
	timed  bool  // it has a time of day
	unit   int64 // unix, unix_ms, unix_us: nanoseconds a unit; 0: another layout
	serial int64 // excel, excel_1904: the day of serial number 0, in days since 1970; 0: another layout
	han    bool  // chinese
	parts  datePart
	pivot  int // the first year of two digits that is one of the last century
	// Years of two digits are refused: auto guesses no century.
	fullYear bool
}

// datePart is a set of what a layout says of a day.
type datePart uint8

const (
	dateYear datePart = 1 << iota
	dateMonth
	dateDay
	wholeDate = dateYear | dateMonth | dateDay
)

// layoutToken is a directive, or a literal byte where directive is 0.
type layoutToken struct{ directive, literal byte }

type dateProblem uint8

// What can be wrong with a text, the more telling the greater.
const (
	dateOK dateProblem = iota
	dateForm
	dateSerialYear
	dateShortYear
	dateNoDay
	dateSkipped
	dateFuture
)

// reading is what a layout made of a text.
type reading struct {
	t     time.Time
	short bool // the year had two digits
	timed bool // the text names a time of day
}

// Compound directives and what they stand for.
var compound = map[byte]string{
	'F': "%Y-%m-%d", 'T': "%H:%M:%S", 'X': "%H:%M:%S", 'R': "%H:%M", 'D': "%m/%d/%y", 'x': "%m/%d/%y",
	'r': "%I:%M:%S %p", 'c': "%a %b %e %H:%M:%S %Y", 'v': "%e-%b-%Y", 'h': "%b",
}

const (
	ownDirectives  = "YymdejHkIlMSfpPbBaAzZ"
	weekDirectives = "GgVUWuws"
)

// parseLayout reads a layout; the text says what is wrong with it, "" if nothing is.
func parseLayout(text string) (dateLayout, string) {
	l := dateLayout{text: text, plain: true, pivot: defaultPivot, parts: wholeDate, timed: true}
	switch text {
	case layoutUnix, layoutUnixMS, layoutUnixUS:
		l.unit, l.zoned = map[string]int64{layoutUnix: 1e9, layoutUnixMS: 1e6, layoutUnixUS: 1e3}[text], true
		return l, ""
	case layoutExcel, layoutExcel1904:
		l.serial = map[string]int64{layoutExcel: excelZero, layoutExcel1904: excelZero1904}[text]
		return l, ""
	case layoutChinese:
		l.han = true
		return l, ""
	case "":
		return l, "it is empty"
	}
	if !strings.Contains(text, "%") {
		return l, "it holds no directive such as %Y; besides those there are " + orList(namedLayouts)
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
	l.zoned = strings.ContainsAny(seen, "zsZ")
	l.timed = strings.ContainsAny(seen, "HkIlMSfsTr")
	l.parts = partsOf(seen)
	if l.lib && strings.ContainsAny(seen, "deZ") {
		return l, "a day of the month or a zone's name beside a week or a second count cannot be checked"
	}
	return l, ""
}

// partsOf tells what directives say of a day.
func partsOf(directives string) (parts datePart) {
	for _, one := range []struct {
		directives string
		part       datePart
	}{{"Yy", dateYear}, {"mbB", dateMonth}, {"de", dateDay}, {"j", dateMonth | dateDay}, {weekDirectives, wholeDate}} {
		if strings.ContainsAny(directives, one.directives) {
			parts |= one.part
		}
	}
	return parts
}

// needs is what a text must say for the layout to be written.
func (l *dateLayout) needs() (parts datePart) {
	for _, t := range l.tokens {
		switch {
		case strings.IndexByte("zajA"+weekDirectives, t.directive) >= 0 && t.directive != 0:
			return wholeDate
		case t.directive != 0:
			parts |= partsOf(string(rune(t.directive)))
		}
	}
	if l.unit != 0 {
		return wholeDate
	}
	return parts
}

func (p datePart) String() string {
	var names []string
	for i, name := range [...]string{"year", "month", "day"} {
		if p&(1<<i) != 0 {
			names = append(names, "no "+name)
		}
	}
	return strings.Join(names, " and ")
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
func (l *dateLayout) parse(s string, zone *time.Location) (reading, dateProblem) {
	r := reading{timed: l.timed}
	var problem dateProblem
	switch {
	case l.unit != 0:
		r.t, problem = parseUnix(s, l.unit)
		return r, problem
	case l.serial != 0:
		return parseSerial(s, l.serial, zone)
	case l.lib:
		t, err := timefmt.ParseInLocation(s, l.text, time.UTC)
		if r.t = t; err != nil {
			return r, dateForm
		}
		if !l.zoned {
			r.t, problem = inZone(t, zone)
		}
		return r, problem
	}
	d := dateParts{year: 1900, month: 1, day: 1, zone: zone, pivot: l.pivot}
	if l.han {
		if !d.readHan(s) {
			return r, dateForm
		}
		r.timed = d.timed
	} else if !l.readTokens(s, &d) {
		return r, dateForm
	}
	if r.short = d.short; d.short && l.fullYear {
		return r, dateShortYear
	}
	r.t, problem = d.time()
	return r, problem
}

func (l *dateLayout) readTokens(s string, d *dateParts) (ok bool) {
	for _, t := range l.tokens {
		if t.directive == 0 {
			if s == "" || s[0] != t.literal {
				return false
			}
			s = s[1:]
			continue
		}
		if s, ok = d.read(t.directive, s); !ok {
			return false
		}
	}
	return s == ""
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
