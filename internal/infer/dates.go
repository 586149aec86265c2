package infer

import (
	"fmt"
	"strconv"
	"strings"
)

// plainDates are layouts that cannot be taken for one another.
var plainDates = []string{
	"%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y年%m月%d日", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y",
	"%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z",
}

// twinDates look alike: the day first, the month first.
var twinDates = [][2]string{
	{"%d/%m/%Y", "%m/%d/%Y"}, {"%d-%m-%Y", "%m-%d-%Y"}, {"%d.%m.%Y", "%m.%d.%Y"},
	{"%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M"}, {"%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"}, {"%d.%m.%Y %H:%M", "%m.%d.%Y %H:%M"},
}

// shortDates have two digits for the year.
var shortDates = []string{"%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%y/%m/%d", "%y-%m-%d"}

// dating is how the dates of a column are read.
type dating struct {
	layouts []string
	off     bool   // a wrong choice would change dates: the line waits for its reader
	why     string // "": there is one way to read them
}

// date finds the layouts that fit all values.
func (c *Column) date(year int) dating {
	if c.all(isNumber) {
		if d, ok := c.numericDate(); ok {
			return d
		}
	}
	var d dating
	left := c
	for _, layout := range plainDates {
		if rest := left.without(layout); len(rest.Values) < len(left.Values) {
			d.layouts = append(d.layouts, layout)
			left = rest
		}
	}
	for _, twins := range twinDates {
		left = left.readTwins(twins, &d)
	}
	if len(left.Values) == 0 {
		d.doubtYears(c, year)
		return d
	}
	for _, layout := range shortDates {
		if left.fitsDate(layout) {
			return dating{append(d.layouts, layout), true, "years have two digits and the order of day, month and year is a guess; say which it is"}
		}
	}
	if len(d.layouts) == 0 {
		return dating{nil, true, "no layout that is known here fits its values; write one behind `date:`"}
	}
	d.why = also(d.why, fmt.Sprintf("%s fit none of these layouts", c.share(len(left.Values))))
	return d
}

// numericDate reads numbers: days, as Excel writes dates, or time since 1970.
func (c *Column) numericDate() (dating, bool) {
	between := func(lo, hi float64) bool {
		return c.all(func(s string) bool { f, err := strconv.ParseFloat(s, 64); return err == nil && f >= lo && f <= hi })
	}
	switch {
	case between(1, 60_000):
		d := dating{[]string{"excel"}, false, "it holds numbers, which are taken for days as Excel counts them; compare one with the sheet"}
		if !c.fits("date: {in: [excel]}") {
			d.off, d.why = true, "it holds numbers, which look like days as Excel counts them: format the column as text or YYYY-MM-DD in Excel, then save it again"
			d.layouts = nil
		}
		return d, true
	case c.fitsDate("%Y%m%d"):
		return dating{}, false
	case between(-5e9, 5e9):
		return dating{[]string{"unix"}, false, "it holds numbers, which are taken for seconds since 1970; set `tz` to the zone in which they are midnight"}, true
	}
	return dating{[]string{"unix_ms"}, false, "it holds numbers, which are taken for milliseconds since 1970; set `tz` to the zone in which they are midnight"}, true
}

// readTwins takes the values that either layout reads.
func (c *Column) readTwins(twins [2]string, d *dating) *Column {
	a, b := c.without(twins[0]), c.without(twins[1])
	na, nb := len(c.Values)-len(a.Values), len(c.Values)-len(b.Values)
	if na == 0 && nb == 0 {
		return c
	}
	dayFirst := len(a.Values) < len(b.Values)
	both := a.without(twins[1])
	switch {
	case na == nb && len(both.Values) == len(a.Values):
		d.layouts, d.off = append(d.layouts, twins[0]), true
		d.why = also(d.why, fmt.Sprintf("day first (%s) and month first (%s) both fit all values; take the # away once you know which it is", twins[0], twins[1]))
	case len(both.Values) < min(len(a.Values), len(b.Values)):
		d.layouts, d.off = append(d.layouts, twins[0]), true
		d.why = also(d.why, fmt.Sprintf("some values have the day first (%s) and some the month (%s): no layout reads both rightly, mend them at their source", twins[0], twins[1]))
		return both
	case dayFirst:
		d.layouts = append(d.layouts, twins[0])
	default:
		d.layouts = append(d.layouts, twins[1])
		return b
	}
	return a
}

func (c *Column) fitsDate(layout string) bool { return c.fits("date: {in: [" + quoted(layout) + "]}") }

// without leaves the values that a layout does not read.
func (c *Column) without(layout string) *Column {
	if len(c.Values) == 0 {
		return c
	}
	rest := &Column{Name: c.Name}
	if t := c.try("date: {in: [" + quoted(layout) + "]}"); t.known && t.refused == 0 {
		return rest
	} else if t.refused == len(c.Values) {
		return c
	}
	for i := range c.Values {
		one := &Column{Values: c.Values[i : i+1], raw: c.raw[i : i+1]}
		if !one.fitsDate(layout) {
			rest.Values, rest.raw = append(rest.Values, c.Values[i]), append(rest.raw, c.raw[i])
		}
	}
	return rest
}

// doubtYears: a birthday is no date of the last few years, and none to come.
func (d *dating) doubtYears(c *Column, year int) {
	recent := c.count(func(s string) bool {
		for y := year - 5; y < year+30; y++ {
			if strings.Contains(s, strconv.Itoa(y)) {
				return true
			}
		}
		return false
	})
	if 2*recent > len(c.Values) {
		d.off, d.why = true, also(d.why, "most of its dates are of the last years or to come, as no birthdays of customers are")
	}
}

// also joins two remarks.
func also(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + "; " + b
}
