package transforms

import (
	"strings"
	"time"

	"github.com/sluicehq/sluice/connector"
)

// autoDates are the layouts of auto, and what is tried where a mapping lists none: what cannot be taken for anything else.
// None leaves open which number is the day and which the month.
var autoDates = []string{
	"%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M",
	"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S.%f",
	"%Y-%m-%d %H:%M:%S%z", "%Y-%m-%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S %Z", "%Y-%m-%d %H:%M:%S.%f%z", "%Y%m%dT%H%M%S%z", "%Y%m%dT%H%M%S",
	"%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%a, %d %b %Y %H:%M:%S %z", layoutChinese,
}

// defaultPivot is the one of strptime: 69 is 1969, 68 is 2068.
const defaultPivot = 69

var opDate = Op{
	Name:      "date",
	Signature: `date: auto | layout | [layout, …] | {in: [layout, …], out: layout, tz: zone, out_tz: zone, pivot: year, past: true}`,
	Doc: "Reads a date or time by the first of several layouts that fits the whole text, and writes it by one. Layouts are those of strftime (`%d.%m.%Y %H:%M`, also `%z` for offsets and `%Z` for " +
		"zones such as UTC or Asia/Shanghai), or `unix`, `unix_ms` and `unix_us` for seconds, milliseconds and microseconds since 1970, `excel` and `excel_1904` for the serial numbers of spreadsheets, " +
		"`chinese` for 1976年4月12日 with a time or without, also in Chinese numerals. `in` is `auto` unless given: ISO 8601, year first, names of months, Chinese dates; it never guesses which number " +
		"is the day. `out` is `%Y-%m-%d`. `tz` (UTC unless given) is the zone of texts that name none, and the zone in which the result is written, unless `out_tz` is another; a day without a time stays that " +
		"day. Years of two digits count to the last century from `pivot` on (69 unless given; `auto` takes them only with a `pivot`); `past: true` refuses what lies in the future, and takes such a year for " +
		"one a century before. Days that do not exist are refused, and so are dates without a year, month or day, and times that the clocks of a zone skip, where the result needs the zone; of a time that they show twice the first counts. Full-width digits count as plain ones. Blank text becomes absent.",
	In: Text | Integer | Number, Out: 0, Errors: []string{connector.CodeBadDate, codeBadValue},
	Examples: []Example{
		{Field: `{from: b, date: auto}`, In: `{"b":"1976/4/12"}`, Out: `"1976-04-12"`},
		{Field: `{from: b, date: auto}`, In: `{"b":"１９７６年４月１２日"}`, Out: `"1976-04-12"`},
		{Field: `{from: b, date: {in: ["%Y-%m-%d", "%d.%m.%Y"]}}`, In: `{"b":"12.4.1976"}`, Out: `"1976-04-12"`},
		{Field: `{from: b, date: {in: [auto, "%d/%m/%Y", excel]}}`, In: `{"b":27862}`, Out: `"1976-04-12"`},
		{Field: `{from: b, date: {in: "%Y-%m-%d", out: "%Y/%m/%d"}}`, In: `{"b":"1976-04-12"}`, Out: `"1976/04/12"`},
		{Field: `{from: b, date: {in: [unix_ms], tz: Asia/Shanghai}}`, In: `{"b":198000000000}`, Out: `"1976-04-11"`},
		{Field: `{from: b, date: {in: "%Y-%m-%dT%H:%M:%S%z", tz: Asia/Shanghai, out: "%Y-%m-%d %H:%M:%S"}}`, In: `{"b":"2024-02-29T20:00:00Z"}`, Out: `"2024-03-01 04:00:00"`},
		{Field: `{from: b, date: {in: "%Y-%m-%d %H:%M", tz: Asia/Shanghai, out: "%Y-%m-%dT%H:%M:%SZ", out_tz: UTC}}`, In: `{"b":"2024-03-01 04:00"}`, Out: `"2024-02-29T20:00:00Z"`},
		{Field: `{from: b, date: {in: chinese, out: "%Y-%m-%d %H:%M"}}`, In: `{"b":"二〇二四年二月廿九日 下午3点半"}`, Out: `"2024-02-29 15:30"`},
		{Field: `{from: b, date: "%d %b %Y"}`, In: `{"b":"5 MAR 2024"}`, Out: `"2024-03-05"`},
		{Field: `{from: b, date: {in: "%d.%m.%y", pivot: 30}}`, In: `{"b":"12.4.29"}`, Out: `"2029-04-12"`},
		{Field: `{from: b, date: {in: "%d.%m.%y", past: true}}`, In: `{"b":"12.4.68"}`, Out: `"1968-04-12"`},
		{Field: `{from: b, date: {out: unix}}`, In: `{"b":"1970-01-02"}`, Out: `86400`},
		{Field: `{from: b, date: "%Y-%m-%d"}`, In: `{"b":" "}`, Out: ``},
		{Field: `{from: b, date: "%Y-%m-%d"}`, In: `{"b":"2024-02-30"}`, Code: connector.CodeBadDate},
		{Field: `{from: b, date: auto}`, In: `{"b":"1976"}`, Code: connector.CodeBadDate},
		{Field: `{from: b, date: auto}`, In: `{"b":"04/12/1976"}`, Code: connector.CodeBadDate},
		{Field: `{from: b, date: "%Y-%m-%d"}`, In: `{"b":["1976-01-01"]}`, Code: codeBadValue},
	},
	parse: parseDate,
}

// dateStep is a date step made ready.
type dateStep struct {
	in      []dateLayout
	written []string // in, as the mapping has it
	out     dateLayout
	zone    *time.Location
	outZone *time.Location // nil: zone
	pivot   int            // 0: not given
	past    bool
	auto    bool // auto is among the layouts
	counts  bool // so is one of numbers, which look like anything
	iso     bool // the first layout in and the layout out are %Y-%m-%d

	fixedIn  []fixedLayout // of in and out, for the column kernel
	fixedOut fixedLayout
	same     []bool // of in: it is the layout out
}

func parseDate(a arg) *step {
	d := &dateStep{zone: time.UTC}
	in, layouts := a, []string{layoutAuto}
	given := !a.isMap()
	d.out, _ = parseLayout("%Y-%m-%d")
	if a.isMap() {
		settings := a.settings("in", "out", "tz", "out_tz", "pivot", "past")
		if in, given = settings["in"]; !given {
			in = a
		}
		d.setOut(settings)
		if n, ok := settings["pivot"]; ok {
			if d.pivot, ok = n.count(); ok && d.pivot > 100 {
				n.problem("takes the first year of two digits that is one of the last century, such as 30, not %d", d.pivot)
			}
		}
		if past, ok := settings["past"]; ok {
			d.past = past.flag()
		}
	}
	if given {
		layouts = in.strs()
	}
	for _, text := range layouts {
		d.addLayout(in, text)
	}
	d.written = layouts
	d.iso = len(d.in) > 0 && d.in[0].text == "%Y-%m-%d" && d.out.text == d.in[0].text && !d.past
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

// setOut reads what concerns the result.
func (d *dateStep) setOut(settings map[string]arg) {
	if tz, ok := settings["tz"]; ok {
		d.zone = zoneOf(tz)
	}
	if tz, ok := settings["out_tz"]; ok {
		d.outZone = zoneOf(tz)
	}
	o, ok := settings["out"]
	if !ok {
		return
	}
	text, ok := o.str()
	if !ok {
		return
	}
	layout, err := parseLayout(text)
	switch {
	case text == layoutAuto || layout.serial != 0 || layout.han:
		err = "it is for reading alone; write a layout such as %Y-%m-%d or %Y年%m月%d日"
	case strings.Contains(text, "%Z"):
		err = "names of zones are for reading alone; %z writes the offset"
	}
	if err != "" {
		o.problem("out %q: %s", shorten(text), err)
	}
	d.out = layout
}

// zoneOf reads a zone by its name or its offset.
func zoneOf(a arg) *time.Location {
	name, ok := a.str()
	if !ok {
		return time.UTC
	}
	if t, err := time.Parse("-07:00", name); err == nil {
		_, offset := t.Zone()
		return time.FixedZone(name, offset)
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "" || name == "Local" {
		a.problem("%q is no time zone; write one such as Asia/Shanghai or UTC, or an offset such as +08:00", shorten(name))
		return time.UTC
	}
	return zone
}

// addLayout appends a layout to those that are tried; auto stands for several.
func (d *dateStep) addLayout(a arg, text string) {
	if text == layoutAuto {
		d.auto = true
		for _, one := range autoDates {
			layout, _ := parseLayout(one)
			layout.fullYear = d.pivot == 0
			d.appendLayout(layout)
		}
		return
	}
	layout, err := parseLayout(text)
	if missing := d.out.needs() &^ layout.parts; err == "" && missing != 0 {
		err = "it says " + missing.String() + ", which the result needs"
	}
	if err != "" {
		a.problem("layout %q: %s", shorten(text), err)
	}
	d.appendLayout(layout)
}

func (d *dateStep) appendLayout(layout dateLayout) {
	if d.pivot != 0 {
		layout.pivot = d.pivot
	}
	d.counts = d.counts || layout.unit != 0 || layout.serial != 0
	d.in = append(d.in, layout)
}

func (d *dateStep) convert(x *exec, v value) (value, *fault) {
	s, ok := x.text(v)
	if !ok || v.k == kindBool {
		return v, &fault{codeBadValue, "date takes text or a number, not " + v.noun()}
	}
	if d.iso && isISODate(s) {
		return v, nil
	}
	if s = trimBlank(s); s == "" {
		return value{}, nil
	}
	t, problem := d.read(s)
	if problem != dateOK && hasWide(s) {
		s = x.narrowed(s)
		t, problem = d.read(s)
	}
	if problem != dateOK {
		return v, &fault{connector.CodeBadDate, "date: " + x.shape(v) + " " + d.why(s, problem)}
	}
	if d.out.unit != 0 {
		return intValue(t.Unix()*(int64(time.Second)/d.out.unit) + int64(t.Nanosecond())/d.out.unit), nil
	}
	return textValue(x.keep(d.out.append(x.room(32), t))), nil
}

// read tries the layouts in their order. A text without a zone stays the wall clock that it is, unless the result must
// be an instant or the wall clock of another zone: some days have no midnight in some zones.
func (d *dateStep) read(s string) (time.Time, dateProblem) {
	to, worst := d.zone, dateForm
	if d.outZone != nil {
		to = d.outZone
	}
	for i := range d.in {
		l, from := &d.in[i], time.UTC
		if d.outZone != nil && l.timed {
			from = d.zone
		} else if d.out.zoned {
			from = to
		}
		r, problem := l.parse(s, from)
		if problem == dateOK && d.past {
			problem = r.pull(d.zone)
		}
		if problem != dateOK {
			worst = max(worst, problem)
			continue
		}
		switch {
		case l.zoned, d.outZone != nil && r.timed:
			r.t = r.t.In(to)
		case d.out.zoned: // a day without a time, read in the zone of times
			if r.t, problem = inZone(sameClock(r.t), to); problem != dateOK {
				worst = max(worst, problem)
				continue
			}
		}
		if y := r.t.Year(); y >= 1 && y <= 9999 {
			return r.t, dateOK
		}
	}
	return time.Time{}, worst
}

// pull takes a day of the future a century back where its year had two digits, and refuses it otherwise.
func (r *reading) pull(zone *time.Location) dateProblem {
	now := time.Now().In(zone)
	today := now.Year()*10000 + int(now.Month())*100 + now.Day()
	year, month, day := r.t.Date()
	if year*10000+int(month)*100+day <= today {
		return dateOK
	}
	if !r.short {
		return dateFuture
	}
	if r.t = r.t.AddDate(-100, 0, 0); r.t.Day() != day {
		return dateNoDay
	}
	return dateOK
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
