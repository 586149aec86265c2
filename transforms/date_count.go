package transforms

import (
	"strings"
	"time"
)

// Layouts beside those of strftime.
const (
	layoutAuto      = "auto"
	layoutUnix      = "unix"
	layoutUnixMS    = "unix_ms"
	layoutUnixUS    = "unix_us"
	layoutExcel     = "excel"
	layoutExcel1904 = "excel_1904"
	layoutChinese   = "chinese"
)

var namedLayouts = []string{layoutAuto, layoutUnix, layoutUnixMS, layoutUnixUS, layoutExcel, layoutExcel1904, layoutChinese}

// Days of spreadsheets: serial number 0 in days since 1970. In the 1900 system that is the 30th of December 1899 for all
// days from March 1900 on; before them it counts a 29th of February 1900, which was not.
const (
	excelZero     = -25569
	excelZero1904 = -24107
	excelLeapDay  = 60
	lastDay       = 2932896 // the last day of the year 9999, in days since 1970
)

// maxUnix is the last second of the year 9999.
const maxUnix = 253402300799

// parseUnix reads a count of units of so many nanoseconds since 1970, with a fraction or without.
func parseUnix(s string, unit int64) (time.Time, dateProblem) {
	whole, fraction, dotted := strings.Cut(s, ".")
	n, ok := parseInt(whole)
	if !ok || dotted && !plainDigits(fraction) {
		return time.Time{}, dateForm
	}
	perSecond := int64(time.Second) / unit
	if limit := (maxUnix + 1) * perSecond; n > limit || n < -limit {
		return time.Time{}, dateForm
	}
	nanos := int64(0)
	for i, scale := 0, unit/10; i < len(fraction) && scale > 0; i, scale = i+1, scale/10 {
		nanos += int64(fraction[i]-'0') * scale
	}
	if strings.HasPrefix(whole, "-") {
		nanos = -nanos
	}
	return checkYear(time.Unix(n/perSecond, n%perSecond*unit+nanos))
}

func checkYear(t time.Time) (time.Time, dateProblem) {
	if y := t.UTC().Year(); y < 1 || y > 9999 {
		return t, dateForm
	}
	return t, dateOK
}

// parseSerial reads a day of a spreadsheet; its fraction is the time of day, exact to a millisecond.
func parseSerial(s string, zero int64, zone *time.Location) (r reading, problem dateProblem) {
	whole, fraction, dotted := strings.Cut(s, ".")
	n, ok := parseInt(whole)
	if !ok || n < 0 || n > lastDay-zero || strings.HasPrefix(whole, "-") || dotted && !plainDigits(fraction) {
		return r, dateForm
	}
	const digits, dayMS = 11, 24 * 60 * 60 * 1000 // more digits would overflow, and say less than a microsecond
	part, scale := int64(0), int64(1)
	for i := 0; i < digits; i++ {
		if part *= 10; i < len(fraction) {
			part += int64(fraction[i] - '0')
		}
		scale *= 10
	}
	ms := (part*dayMS + scale/2) / scale
	if n, ms = n+ms/dayMS, ms%dayMS; n > lastDay-zero {
		return r, dateForm
	}
	switch {
	case zero == excelZero && n == excelLeapDay:
		return r, dateNoDay
	case zero == excelZero && n == 0:
		return r, dateForm // a time without a day
	case n >= 1900 && n <= 2100 && ms == 0:
		return r, dateSerialYear // somebody typed a year into a column of dates
	case zero == excelZero && n < excelLeapDay:
		n++
	}
	r.timed = ms != 0
	day := time.Unix((n+zero)*24*60*60, 0).UTC()
	clock := time.Duration(ms) * time.Millisecond
	r.t, problem = inZone(day.Add(clock), zone)
	return r, problem
}
