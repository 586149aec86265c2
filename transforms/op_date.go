package transforms

import (
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// Layouts beside those of strftime.
const (
	layoutUnix   = "unix"
	layoutUnixMS = "unix_ms"
)

// defaultDates are tried where a mapping lists no layouts: what cannot be taken for anything else.
var defaultDates = []string{"%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"}

var opDate = Op{
	Name:      "date",
	Signature: `date: layout | [layout, …] | {in: [layout, …], out: layout, tz: zone}`,
	Doc: "Reads a date or time by the first of several layouts that fits the whole text, and writes it by one. Layouts are those of strftime (`%d.%m.%Y %H:%M`), or `unix` " +
		"and `unix_ms` for seconds and milliseconds since 1970. `in` is ISO 8601, year first, unless given; `out` is `%Y-%m-%d`. `tz` (UTC unless given) is the zone of texts that " +
		"name none, and the zone in which the result is written. Days that do not exist are refused. Blank text becomes absent.",
	In: Text | Integer | Number, Out: 0, Errors: []string{connector.CodeBadDate, codeBadValue},
	Examples: []Example{
		{Field: `{from: b, date: {in: ["%Y-%m-%d", "%d.%m.%Y"]}}`, In: `{"b":"12.4.1976"}`, Out: `"1976-04-12"`},
		{Field: `{from: b, date: {in: "%Y-%m-%d", out: "%Y/%m/%d"}}`, In: `{"b":"1976-04-12"}`, Out: `"1976/04/12"`},
		{Field: `{from: b, date: {in: [unix_ms], tz: Asia/Shanghai}}`, In: `{"b":198000000000}`, Out: `"1976-04-11"`},
		{Field: `{from: b, date: {in: "%Y-%m-%dT%H:%M:%S%z", tz: Asia/Shanghai, out: "%Y-%m-%d %H:%M:%S"}}`, In: `{"b":"2024-02-29T20:00:00Z"}`, Out: `"2024-03-01 04:00:00"`},
		{Field: `{from: b, date: "%d %b %Y"}`, In: `{"b":"5 MAR 2024"}`, Out: `"2024-03-05"`},
		{Field: `{from: b, date: {out: unix}}`, In: `{"b":"1970-01-02"}`, Out: `86400`},
		{Field: `{from: b, date: "%Y-%m-%d"}`, In: `{"b":" "}`, Out: ``},
		{Field: `{from: b, date: "%Y-%m-%d"}`, In: `{"b":"2024-02-30"}`, Code: connector.CodeBadDate},
		{Field: `{from: b, date: "%Y-%m-%d"}`, In: `{"b":"1976"}`, Code: connector.CodeBadDate},
		{Field: `{from: b, date: "%Y-%m-%d"}`, In: `{"b":["1976-01-01"]}`, Code: codeBadValue},
	},
	parse: parseDate,
}

// dateStep is a date step made ready.
type dateStep struct {
	in   []dateLayout
	out  dateLayout
	zone *time.Location
	iso  bool // the first layout in and the layout out are %Y-%m-%d

	fixedIn  []fixedLayout // of in and out, for the column kernel
	fixedOut fixedLayout
	same     []bool // of in: it is the layout out
}

func parseDate(a arg) *step {
	d := &dateStep{zone: time.UTC}
	in, layouts := a, defaultDates
	out := "%Y-%m-%d"
	given := !a.isMap()
	if a.isMap() {
		settings := a.settings("in", "out", "tz")
		if in, given = settings["in"]; !given {
			in = a
		}
		if o, ok := settings["out"]; ok {
			out, _ = o.str()
		}
		if tz, ok := settings["tz"]; ok {
			if name, ok := tz.str(); ok {
				zone, err := time.LoadLocation(name)
				if err != nil || name == "" || name == "Local" {
					tz.problem("%q is no time zone; write one such as Asia/Shanghai or UTC", shorten(name))
				} else {
					d.zone = zone
				}
			}
		}
	}
	if given {
		layouts = in.strs()
	}
	for _, text := range layouts {
		layout, err := parseLayout(text)
		if err != "" {
			in.problem("layout %q: %s", shorten(text), err)
		}
		d.in = append(d.in, layout)
	}
	layout, err := parseLayout(out)
	if err != "" {
		a.problem("out %q: %s", shorten(out), err)
	}
	d.out = layout
	d.iso = len(layouts) > 0 && layouts[0] == "%Y-%m-%d" && out == layouts[0]
	for i := range d.in {
		d.fixedIn = append(d.fixedIn, fixed(&d.in[i]))
		d.same = append(d.same, d.in[i].text == d.out.text)
	}
	d.fixedOut = fixed(&d.out)
	kinds := Text
	if d.out.unit != 0 {
		kinds = Integer
	}
	return &step{out: always(kinds), run: texts(d.convertTexts, d.convert)}
}

func (d *dateStep) convert(x *exec, v value) (value, *fault) {
	s, ok := x.text(v)
	if !ok || v.k == kindBool {
		return v, &fault{codeBadValue, "date takes text or a number, not " + v.noun()}
	}
	if d.iso && isISODate(s) {
		return v, nil
	}
	if s = strings.TrimSpace(s); s == "" {
		return value{}, nil
	}
	t, ok := d.read(s)
	if !ok {
		return v, &fault{connector.CodeBadDate, "date: " + x.shown(v) + " " + d.why(s)}
	}
	if d.out.unit != 0 {
		perSecond := int64(1000 / d.out.unit)
		return intValue(t.Unix()*perSecond + int64(t.Nanosecond())*perSecond/int64(time.Second)), nil
	}
	return textValue(x.keep(d.out.append(x.room(32), t))), nil
}

// read tries the layouts in their order. A text without a zone stays the wall clock that it is, unless the result must
// be an instant: some days have no midnight in some zones.
func (d *dateStep) read(s string) (time.Time, bool) {
	zone := time.UTC
	if d.out.zoned {
		zone = d.zone
	}
	for i := range d.in {
		t, problem := d.in[i].parse(s, zone)
		if problem != dateOK {
			continue
		}
		if d.in[i].zoned {
			t = t.In(d.zone)
		}
		if y := t.Year(); y >= 1 && y <= 9999 {
			return t, true
		}
	}
	return time.Time{}, false
}

// why tells a day that does not exist from a text of another form.
func (d *dateStep) why(s string) string {
	var texts []string
	for i := range d.in {
		if _, problem := d.in[i].parse(s, d.zone); problem == dateNoDay {
			return "is a day that does not exist"
		}
		texts = append(texts, d.in[i].text)
	}
	return "fits none of the layouts " + strings.Join(texts, ", ")
}

// isISODate reports whether s is a day that exists, written 2006-01-31: then nothing is left to do.
func isISODate(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	year, month, day := 0, int(s[5]-'0')*10+int(s[6]-'0'), int(s[8]-'0')*10+int(s[9]-'0')
	for i := range len(s) {
		if i == 4 || i == 7 {
			continue
		}
		if s[i]-'0' > 9 {
			return false
		}
		if i < 4 {
			year = year*10 + int(s[i]-'0')
		}
	}
	return year > 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysIn(year, month)
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
