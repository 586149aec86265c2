package transforms

import "strings"

// fixedLayout is a layout of plain digits whose every directive has its full width, such as %d.%m.%Y: each part has its
// place, so that a day can be read and written without a walk over directives. It knows only texts of exactly that form.
type fixedLayout struct {
	width    int // of the text; 0: the layout is of another kind
	literals []fixedLiteral
	at       [6]int // where year, month, day, hour, minute and second begin; -1: nowhere
}

type fixedLiteral struct {
	at   int
	sign byte
}

const (
	partYear = iota
	partMonth
	partDay
	partHour
	partMinute
	partSecond
)

// fixedParts are a day and a time of day.
type fixedParts [6]int

func fixed(l *dateLayout) (f fixedLayout) {
	if !l.plain || l.unit != 0 || l.zoned || len(l.tokens) == 0 || l.blankEnds() {
		return f
	}
	f.at = [6]int{-1, -1, -1, -1, -1, -1}
	width := 0
	for _, t := range l.tokens {
		if t.directive == 0 {
			f.literals = append(f.literals, fixedLiteral{width, t.literal})
			width++
			continue
		}
		part := map[byte]int{'Y': partYear, 'm': partMonth, 'd': partDay, 'H': partHour, 'M': partMinute, 'S': partSecond}[t.directive]
		if f.at[part] >= 0 {
			return fixedLayout{}
		}
		f.at[part] = width
		if width += 2; part == partYear {
			width += 2
		}
	}
	if f.at[partYear] < 0 || f.at[partMonth] < 0 || f.at[partDay] < 0 {
		return fixedLayout{}
	}
	f.width = width
	return f
}

// blankEnds: texts lose the blanks around them before they are read.
func (l *dateLayout) blankEnds() bool {
	first, last := l.tokens[0], l.tokens[len(l.tokens)-1]
	blank := func(t layoutToken) bool { return t.directive == 0 && t.literal <= ' ' }
	return blank(first) || blank(last) || strings.TrimSpace(l.text) != l.text
}

// read takes a text apart; false: it has another form, or is no time that exists.
func (f *fixedLayout) read(s string, p *fixedParts) bool {
	if len(s) != f.width || f.width == 0 {
		return false
	}
	for _, l := range f.literals {
		if s[l.at] != l.sign {
			return false
		}
	}
	year := f.at[partYear]
	century, years := twoDigits(s, year), twoDigits(s, year+2)
	p[partYear] = century*100 + years
	p[partMonth], p[partDay] = twoDigits(s, f.at[partMonth]), twoDigits(s, f.at[partDay])
	p[partHour], p[partMinute], p[partSecond] = 0, 0, 0
	bad := century | years
	for part := partHour; part <= partSecond; part++ {
		if f.at[part] >= 0 {
			p[part] = twoDigits(s, f.at[part])
		}
		bad |= p[part]
	}
	return bad|p[partMonth]|p[partDay] >= 0 && p.exists()
}

// exists reports whether the calendar and the clock have the time.
func (p *fixedParts) exists() bool {
	return p[partYear] > 0 && p[partMonth] >= 1 && p[partMonth] <= 12 && p[partDay] >= 1 &&
		(p[partDay] <= 28 || p[partDay] <= daysIn(p[partYear], p[partMonth])) &&
		p[partHour] <= 23 && p[partMinute] <= 59 && p[partSecond] <= 59
}

// write fills a text of the layout's width.
func (f *fixedLayout) write(dst []byte, p *fixedParts) {
	for _, l := range f.literals {
		dst[l.at] = l.sign
	}
	year := f.at[partYear]
	putTwo(dst[year:], p[partYear]/100)
	putTwo(dst[year+2:], p[partYear]%100)
	for part := partMonth; part <= partSecond; part++ {
		if f.at[part] >= 0 {
			putTwo(dst[f.at[part]:], p[part])
		}
	}
}

// twoDigits reads two digits; a number below zero: they are none.
func twoDigits(s string, at int) int {
	tens, ones := uint(s[at])-'0', uint(s[at+1])-'0'
	if tens > 9 || ones > 9 {
		return -1
	}
	return int(tens*10 + ones)
}

func putTwo(dst []byte, n int) {
	_ = dst[1]
	dst[0], dst[1] = byte('0'+n/10), byte('0'+n%10)
}

// convertTexts is the column kernel of texts in fixed layouts, written in one; whatever else comes is left.
func (d *dateStep) convertTexts(x *exec, vec *vector, rows []int32) {
	if d.fixedOut.width == 0 || d.past || d.outZone != nil {
		for _, r := range rows {
			x.leave(r)
		}
		return
	}
	var p fixedParts
	for _, r := range rows {
		switch at := d.fixedFit(vec.text[r], &p); {
		case at < 0:
			x.leave(r)
		case !d.same[at]:
			out := x.room(d.fixedOut.width)[:d.fixedOut.width]
			d.fixedOut.write(out, &p)
			vec.text[r] = x.keep(out)
		}
	}
}

// fixedFit finds the first layout that fits a text and reads it; -1: it is not for the column kernel to say.
func (d *dateStep) fixedFit(s string, p *fixedParts) int {
	for i := range d.fixedIn {
		if d.fixedIn[i].read(s, p) {
			return i
		}
		// The text may have this layout's form in another way, as 1.2.2024 has, and must then be read so.
		if i+1 == len(d.fixedIn) || d.fits(i, s) {
			return -1
		}
	}
	return -1
}

// fits reports whether the layout reads the text, blanks around it or not.
func (d *dateStep) fits(i int, s string) bool {
	if s == "" || maybeSpace(s[0]) || maybeSpace(s[len(s)-1]) {
		return true
	}
	_, problem := d.in[i].parse(s, d.zone)
	return problem == dateOK
}
