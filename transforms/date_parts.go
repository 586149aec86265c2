package transforms

import (
	"strings"
	"sync"
	"time"
)

// dateParts collects what the directives of a layout read.
type dateParts struct {
	year, month, day, yearDay int
	hour, minute, second      int
	nanos                     int
	half                      int // 1: am, 2: pm
	twelve                    bool
	pivot                     int  // years of two digits from here on are of the last century
	short                     bool // the year had two digits
	timed                     bool // chinese: a time of day was there
	zone                      *time.Location
	offset                    int
	hasOffset                 bool
}

// read takes one directive's part off the front of s.
func (d *dateParts) read(directive byte, s string) (string, bool) {
	switch directive {
	case 'Y':
		return readInt(s, 4, 4, 1, 9999, &d.year)
	case 'y':
		rest, ok := readInt(s, 2, 2, 0, 99, &d.year)
		d.shortYear()
		return rest, ok
	case 'm':
		return readInt(s, 1, 2, 1, 12, &d.month)
	case 'd', 'e':
		return readInt(strings.TrimPrefix(s, " "), 1, 2, 1, 31, &d.day)
	case 'j':
		return readInt(s, 1, 3, 1, 366, &d.yearDay)
	case 'H', 'k':
		return readInt(strings.TrimPrefix(s, " "), 1, 2, 0, 23, &d.hour)
	case 'I', 'l':
		d.twelve = true
		return readInt(strings.TrimPrefix(s, " "), 1, 2, 1, 12, &d.hour)
	case 'M':
		return readInt(s, 1, 2, 0, 59, &d.minute)
	case 'S':
		return readInt(s, 1, 2, 0, 59, &d.second)
	case 'f':
		return d.readFraction(s)
	case 'p', 'P':
		return readName(s, []string{"am", "pm"}, 2, &d.half)
	case 'b':
		return readName(s, monthNames, 3, &d.month)
	case 'B':
		return readName(s, monthNames, 0, &d.month)
	case 'a', 'A':
		ignored, width := 0, 0
		if directive == 'a' {
			width = 3
		}
		return readName(s, dayNames, width, &ignored)
	case 'z':
		return d.readOffset(s)
	case 'Z':
		return d.readZone(s)
	}
	return s, false
}

var (
	monthNames = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}
	dayNames   = []string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}
)

// readInt reads between least and most digits, of a number in [low, high].
func readInt(s string, least, most, low, high int, into *int) (string, bool) {
	n, i := 0, 0
	for i < len(s) && i < most && s[i]-'0' <= 9 {
		n = n*10 + int(s[i]-'0')
		i++
	}
	*into = n
	return s[i:], i >= least && n >= low && n <= high
}

// readName reads one of the names, or its first width letters where width is not 0, in any case; into counts from 1.
func readName(s string, names []string, width int, into *int) (string, bool) {
	for i, name := range names {
		if width > 0 {
			name = name[:width]
		}
		if len(s) >= len(name) && strings.EqualFold(s[:len(name)], name) {
			*into = i + 1
			return s[len(name):], true
		}
	}
	return s, false
}

// readFraction reads up to nine digits of a second.
func (d *dateParts) readFraction(s string) (string, bool) {
	i, scale := 0, int(time.Second)/10
	d.nanos = 0
	for ; i < len(s) && i < 9 && s[i]-'0' <= 9; i++ {
		d.nanos += int(s[i]-'0') * scale
		scale /= 10
	}
	return s[i:], i > 0
}

// readOffset reads Z, +08, +0800, +08:00.
func (d *dateParts) readOffset(s string) (string, bool) {
	d.hasOffset = true
	if s == "" {
		return s, false
	}
	if s[0] == 'Z' || s[0] == 'z' {
		return s[1:], true
	}
	sign := 1
	switch s[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return s, false
	}
	hours, minutes := 0, 0
	s, ok := readInt(s[1:], 2, 2, 0, 23, &hours)
	if !ok {
		return s, false
	}
	if rest := strings.TrimPrefix(s, ":"); rest != "" && rest[0]-'0' <= 9 {
		if s, ok = readInt(rest, 2, 2, 0, 59, &minutes); !ok {
			return s, false
		}
	}
	d.offset = sign * (hours*60 + minutes) * 60
	return s, true
}

// shortYear finds the century of a year of two digits.
func (d *dateParts) shortYear() {
	d.short = true
	if d.year < d.pivot {
		d.year += 100
	}
	d.year += 1900
}

// zones are those found by readZone, by name. The tz database has some hundreds, so that it stays small.
var zones sync.Map

// readZone reads Z, UTC, GMT or a name such as Asia/Shanghai. CST and the like mean several zones each, and are none.
func (d *dateParts) readZone(s string) (string, bool) {
	end := 0
	for end < len(s) && (isLetter(s[end]) || s[end]-'0' <= 9 || strings.IndexByte("/_+-", s[end]) >= 0) {
		end++
	}
	switch name := s[:end]; {
	case name == "Z", name == "UTC", name == "GMT":
		d.hasOffset = true
	case !strings.Contains(name, "/"):
		return s, false
	default:
		zone, ok := zones.Load(name)
		if !ok {
			found, err := time.LoadLocation(name)
			if err != nil {
				return s, false
			}
			zone, _ = zones.LoadOrStore(strings.Clone(name), found)
		}
		d.zone = zone.(*time.Location)
	}
	return s[end:], true
}

// time puts the parts together and refuses days that the calendar does not have.
func (d *dateParts) time() (time.Time, dateProblem) {
	if d.twelve {
		d.hour %= 12
		if d.half == 2 {
			d.hour += 12
		}
	}
	if d.yearDay > 0 {
		d.month, d.day = 1, d.yearDay
		if d.yearDay == 366 && daysIn(d.year, 2) == 28 {
			return time.Time{}, dateNoDay
		}
	} else if d.month < 1 || d.month > 12 || d.day < 1 || d.day > daysIn(d.year, d.month) {
		return time.Time{}, dateNoDay
	}
	if d.hasOffset {
		t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.second, d.nanos, time.UTC)
		return checkYear(t.Add(-time.Duration(d.offset) * time.Second))
	}
	return inZone(time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, d.second, d.nanos, time.UTC), d.zone)
}

// inZone reads the wall clock of a time in UTC as that of a zone. Of a clock that shows it twice the first time counts. A
// day whose midnight the clocks skip begins when they go on; any other time that they skip never was.
func inZone(wall time.Time, zone *time.Location) (time.Time, dateProblem) {
	if zone == time.UTC {
		return wall, dateOK
	}
	year, month, day := wall.Date()
	hour, minute, second := wall.Clock()
	t := time.Date(year, month, day, hour, minute, second, wall.Nanosecond(), zone)
	shown := sameClock(t)
	change, end := t.ZoneBounds()
	if shown.Equal(wall) {
		return earlier(t, change, wall), dateOK
	}
	if shown.Before(wall) {
		change = end
	}
	if midnight := hour == 0 && minute == 0 && second == 0 && wall.Nanosecond() == 0; midnight && sameClock(change).Sub(wall) < 24*time.Hour {
		return change.In(zone), dateOK
	}
	return t, dateSkipped
}

// earlier gives the first of the two times at which the clocks of a zone show the same where they were put back at change,
// between the two: the package time leaves open which of them it finds.
func earlier(t, change, wall time.Time) time.Time {
	if change.IsZero() {
		return t
	}
	_, offset := change.Add(-1).Zone()
	if first := wall.Add(-time.Duration(offset) * time.Second); first.Before(change) {
		return first.In(t.Location())
	}
	return t
}

// sameClock is the time at which a clock in UTC shows what the time's own clock does.
func sameClock(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.Add(time.Duration(offset) * time.Second).UTC()
}
