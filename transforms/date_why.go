package transforms

import (
	"regexp"
	"strings"
	"sync"
)

// dateShapes tell of texts that fit no layout what they lack or look like. The advice that only helps where auto is the one
// that does not know them is hint.
var dateShapes = sync.OnceValue(func() []dateShape {
	return []dateShape{
		{regexp.MustCompile(`^0000[-/.]00[-/.]00( 00:00(:00)?)?$`), "", "is what databases write for no date. Make it null at its source, or write `replace: {pattern: \"^0000.*\", with: \"\"}` beside the step to leave it out"},
		{regexp.MustCompile(`^\d{4}([-/.])\d{1,2}([-/.])\d{1,2}$`), "", "is a day that does not exist"},
		{regexp.MustCompile(`^\d{4}年?$`), "names a year without month and day", ""},
		{regexp.MustCompile(`^(\d{4}[-/.]\d{1,2}|\d{4}年 ?\d{1,2}月?|\d{1,2}[-/.]\d{4}|\p{L}{3,9}\.? \d{4})$`), "names a month without a day", ""},
		{regexp.MustCompile(`^(\d{1,2}[-/.]\d{1,2}\.?|\d{1,2}月 ?\d{1,2}[日号號]?|\d{1,2}\.? \p{L}{3,9}|\p{L}{3,9} \d{1,2})$`), "names a day without a year", ""},
		{regexp.MustCompile(`^\d{1,2}:\d{2}(:\d{2})?$`), "is a time without a day", ""},
		{regexp.MustCompile(`^\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b`), "", "leaves open which number is the day, which the month. Say it with a layout, as in `date: \"%d/%m/%Y\"`"},
		{regexp.MustCompile(`^\d{5}(\.\d+)?$`), "", "looks like the serial number of a spreadsheet. If it is, write `date: excel`"},
		{regexp.MustCompile(`^\d{10}(\.\d+)?$`), "", "looks like seconds since 1970. If it is, write `date: unix`"},
		{regexp.MustCompile(`^\d{13}$`), "", "looks like milliseconds since 1970. If it is, write `date: unix_ms`"},
		{regexp.MustCompile(`\d (CST|EST|IST|BST|PST|CET|[A-Z]{3,4})$`), "", "names its zone by letters that several zones share. Mend it at its source, to an offset such as +08:00"},
	}
})

type dateShape struct {
	shape     *regexp.Regexp
	why, hint string
}

// why tells what is wrong with a text that no layout reads.
func (d *dateStep) why(s string, problem dateProblem) string {
	switch problem {
	case dateNoDay:
		return "is a day that does not exist"
	case dateSkipped:
		return "is a time that the clocks of its zone skip. Mend it at its source, or set `tz` to the zone that it was written in"
	case dateFuture:
		return "lies in the future"
	case dateShortYear:
		return "has a year of two digits. Say which century it is, as in `date: {pivot: 30}`, where 30 is 1930 and 29 is 2029"
	case dateSerialYear:
		return "may be a year as well as a serial number of the year 1905. Mend it at its source: a date needs year, month and day"
	}
	for _, one := range dateShapes() {
		if d.counts && isNumber(s) {
			break
		}
		if one.shape.MatchString(s) {
			if one.why != "" {
				return one.why + ". A date needs year, month and day"
			}
			if d.auto {
				return one.hint
			}
		}
	}
	if d.auto && len(d.written) == 1 {
		return "has no form that can be read for certain. Say its layout, as in `date: \"%d.%m.%Y\"`"
	}
	return "fits none of the layouts " + strings.Join(d.written, ", ")
}
