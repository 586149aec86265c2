package transforms

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicehq/sluice/connector"
	"pgregory.net/rapid"
)

// TestDirtyDates: dates as users have them; what begins with ! is the reason of a refusal.
func TestDirtyDates(t *testing.T) {
	for _, c := range []struct{ arg, in, want string }{
		// auto
		{`auto`, "1976-04-12", "1976-04-12"}, {`auto`, "1976.4.12", "1976-04-12"}, {`auto`, "\ufeff1976/4/12 00:00", "1976-04-12"}, {`auto`, "12 April 1976", "1976-04-12"},
		{`auto`, "Apr 12, 1976", "1976-04-12"}, {`auto`, "1976-04-12 08:00:00 Asia/Shanghai", "1976-04-12"}, {`auto`, "１９７６－０４－１２", "1976-04-12"}, {`auto`, "1976年4月12日", "1976-04-12"},
		{`auto`, "2024-02-29T23:30:00.123456-0500", "2024-03-01"}, {`{in: auto, tz: "+08:00"}`, "2024-02-29T23:30:00Z", "2024-03-01"},
		{`auto`, "1976", "!names a year without month and day. A date needs year, month and day"}, {`auto`, "1976-04", "!names a month without a day. A date needs year, month and day"},
		{`auto`, "1976年4月", "!names a month without a day. A date needs year, month and day"}, {`auto`, "April 1976", "!names a month without a day. A date needs year, month and day"},
		{`auto`, "04-12", "!names a day without a year. A date needs year, month and day"}, {`auto`, "4月12日", "!names a day without a year. A date needs year, month and day"},
		{`auto`, "12:30", "!is a time without a day. A date needs year, month and day"}, {`auto`, "2024-02-30", "!is a day that does not exist"}, {`auto`, "2023年2月29日", "!is a day that does not exist"},
		{`auto`, "04/12/1976", "!leaves open which number is the day, which the month. Say it with a layout, as in `date: \"%d/%m/%Y\"`"},
		{`auto`, "12.04.1976", "!leaves open which number is the day, which the month. Say it with a layout, as in `date: \"%d/%m/%Y\"`"},
		{`auto`, "27862", "!looks like the serial number of a spreadsheet. If it is, write `date: excel`"}, {`auto`, "1709164800", "!looks like seconds since 1970. If it is, write `date: unix`"},
		{`auto`, "1709164800000", "!looks like milliseconds since 1970. If it is, write `date: unix_ms`"}, {`auto`, "next Tuesday", "!has no form that can be read for certain. Say its layout, as in `date: \"%d.%m.%Y\"`"},
		{`auto`, "2024-01-01 00:00:00 CST", "!names its zone by letters that several zones share. Mend it at its source, to an offset such as +08:00"},
		{`auto`, "76年4月12日", "!has a year of two digits. Say which century it is, as in `date: {pivot: 30}`, where 30 is 1930 and 29 is 2029"}, {`{pivot: 30}`, "76年4月12日", "1976-04-12"},
		{`auto`, "2024-03-05T00:00Z", "2024-03-05"}, {`{in: auto, tz: Asia/Shanghai}`, "2024-03-05T00:00+08:00", "2024-03-05"}, {`auto`, "20240305T040506Z", "2024-03-05"}, {`auto`, "20240305T040506", "2024-03-05"},
		{`auto`, "0000-00-00 00:00:00", "!is what databases write for no date. Make it null at its source, or write `replace: {pattern: \"^0000.*\", with: \"\"}` beside the step to leave it out"},
		{`{in: auto}, replace: {pattern: "^0000.*", with: ""}`, "0000-00-00 00:00:00", ""}, {`{in: auto}, replace: {pattern: "^0000.*", with: ""}`, "2024-01-02", "2024-01-02"},
		{`auto`, "2024-13-10", "!is a day that does not exist"}, {`"%d.%m.%Y"`, "2024-13-10", "!fits none of the layouts %d.%m.%Y"}, {`excel`, "0.5", "!fits none of the layouts excel"}, {`"%d.%m.%Y"`, "12.04", "!names a day without a year. A date needs year, month and day"},
		{`{in: "%Y-%m-%d %H:%M", tz: Europe/Berlin, out: unix}`, "2024-03-31 02:30", "!is a time that the clocks of its zone skip. Mend it at its source, or set `tz` to the zone that it was written in"},
		// Chinese
		{`chinese`, "一九七六年四月十二日", "1976-04-12"}, {`chinese`, "二〇二四年十二月三十一日", "2024-12-31"}, {`chinese`, "1976 年 4 月 12 号", "1976-04-12"}, {`chinese`, "七六年〇四月〇二日", "1976-04-02"},
		{`chinese`, "76年4月12日", "1976-04-12"}, {`chinese`, "24年4月12日", "2024-04-12"}, {`{in: chinese, pivot: 20}`, "24年4月12日", "1924-04-12"}, {`chinese`, "1976年13月1日", "!is a day that does not exist"},
		{`chinese`, "1976年4月0日", "!is a day that does not exist"}, {`chinese`, "197年4月1日", "!fits none of the layouts chinese"}, {`chinese`, "1976年4月12日星期一", "1976-04-12"},
		{`{in: chinese, out: "%F %T"}`, "1976年4月12日（周一）下午３时５分６秒", "1976-04-12 15:05:06"}, {`{in: chinese, out: "%F %T"}`, "1976年4月12日 上午12:30", "1976-04-12 00:30:00"},
		{`{in: chinese, out: "%F %T"}`, "1976年4月12日下午十二点半", "1976-04-12 12:30:00"}, {`{in: chinese, out: "%F %T"}`, "1976年4月12日 15:04:05", "1976-04-12 15:04:05"}, {`{in: chinese, out: "%F %T"}`, "1976年4月12日晚上8点整", "1976-04-12 20:00:00"},
		{`chinese`, "1976年4月12日晚上12点", "!fits none of the layouts chinese"}, {`chinese`, "1976年4月12日上午15点", "!fits none of the layouts chinese"}, {`chinese`, "1976年4月12日 25:00", "!fits none of the layouts chinese"},
		// Spreadsheets
		{`excel`, "1", "1900-01-01"}, {`excel`, "59", "1900-02-28"}, {`excel`, "60", "!is a day that does not exist"}, {`excel`, "61", "1900-03-01"}, {`excel`, "27862", "1976-04-12"}, {`excel`, "27862.0", "1976-04-12"},
		{`{in: excel, out: "%F %T"}`, "45321.75", "2024-01-30 18:00:00"}, {`{in: excel, out: "%F %T"}`, "45321.7083333333", "2024-01-30 17:00:00"}, {`{in: excel, out: "%F %T"}`, "45321.99999999999", "2024-01-31 00:00:00"},
		{`excel`, "2958465", "9999-12-31"}, {`excel`, "2958466", "!fits none of the layouts excel"}, {`excel`, "-1", "!fits none of the layouts excel"}, {`excel`, "0.123", "!fits none of the layouts excel"},
		{`excel`, "1976", "!may be a year as well as a serial number of the year 1905. Mend it at its source: a date needs year, month and day"}, {`excel`, "1976.5", "1905-05-29"},
		{`excel_1904`, "0", "1904-01-01"}, {`excel_1904`, "26400", "1976-04-12"}, {`excel_1904`, "60", "1904-03-01"},
		// Counts, zones and centuries
		{`unix_us`, "1709164800000000", "2024-02-29"}, {`{in: unix_ms, out: unix_us}`, "1709164800123.5", "1709164800123500"}, {`{in: unix_us, out: unix_ms}`, "-1500", "-2"},
		{`{in: "%F %H:%M %Z", out: "%F %T%z"}`, "2024-01-01 08:00 Asia/Shanghai", "2024-01-01 00:00:00+0000"}, {`{in: "%F %H:%M %Z"}`, "2024-01-01 08:00 Nowhere/City", "!fits none of the layouts %F %H:%M %Z"},
		{`{in: "%F %H:%M", tz: Asia/Shanghai, out_tz: America/New_York, out: "%F %H:%M%z"}`, "2024-01-01 08:00", "2023-12-31 19:00-0500"},
		{`{in: "%F", tz: Asia/Shanghai, out_tz: America/New_York, out: "%F %H:%M%z"}`, "2024-01-01", "2024-01-01 00:00-0500"}, {`{in: [excel], tz: Asia/Shanghai, out_tz: UTC}`, "45292", "2024-01-01"},
		{`{in: [excel], tz: Asia/Shanghai, out_tz: UTC}`, "45292.25", "2023-12-31"},
		{`{in: "%d.%m.%y", pivot: 1}`, "1.2.00", "2000-02-01"}, {`{in: "%d.%m.%y", pivot: 100}`, "1.2.99", "2099-02-01"},
	} {
		x := dateOf(t, c.arg)
		v, rejects := x.one(textValue(c.in))
		got, _ := x.text(v)
		if len(rejects) > 0 {
			_, got, _ = strings.Cut(rejects[0].Message, `" `)
			got = "!" + got
			if rejects[0].Code != connector.CodeBadDate {
				t.Errorf("date %s of %q is refused as %s", c.arg, c.in, rejects[0].Code)
			}
		}
		if got != c.want {
			t.Errorf("date %s of %q: %q, want %q", c.arg, c.in, got, c.want)
		}
	}
}

func TestDateFaults(t *testing.T) {
	for arg, problem := range map[string]string{
		`"%Y"`:                                "it says no month and no day, which the result needs",
		`"%m-%d"`:                             "it says no year, which",
		`{in: "%Y-%m", out: unix}`:            "it says no day",
		`{in: auto, out: excel}`:              "for reading alone",
		`{in: auto, out: auto}`:               "for reading alone",
		`{in: auto, out: "%F %Z"}`:            "names of zones are for reading alone",
		`{in: auto, tz: "+25:00"}`:            "is no time zone",
		`{in: auto, pivot: 101}`:              "first year of two digits",
		`{in: auto, past: 1}`:                 "takes true or false",
		`{in: auto, century: 19}`:             `unknown setting "century"`,
		`{in: "%V %G %Z"}`:                    "cannot be checked",
		`{in: ["%Y-%m-%d", serial], tz: UTC}`: "it holds no directive",
	} {
		if _, err := Parse("m", []byte("streams: {s: {fields: {d: {from: d, date: "+arg+"}}}}")); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %s", arg, err, problem)
		}
	}
	for _, arg := range []string{`{in: "%Y", out: "%Y"}`, `{in: "%H:%M", out: "%H:%M:%S"}`, `{in: "%Y-%j"}`, `{in: "%G-W%V-%u"}`} {
		dateOf(t, arg)
	}
}

// TestPast: a birthday of two digits is never in the future, and one of four is refused there.
func TestPast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the clock stands at the 1st of January 2000
		for in, want := range map[string]string{
			"1.1.00": "2000-01-01", "2.1.00": "1900-01-02", "29.2.00": "!is a day that does not exist", "1.1.30": "1930-01-01", "31.12.99": "1999-12-31",
			"2000-01-01": "2000-01-01", "2000-01-02": "!lies in the future", "2199-12-31": "!lies in the future",
		} {
			x := dateOf(t, `{in: ["%Y-%m-%d", "%d.%m.%y"], past: true}`)
			v, rejects := x.one(textValue(in))
			got := v.s
			if len(rejects) > 0 {
				_, got, _ = strings.Cut(rejects[0].Message, `" `)
				got = "!" + got
			}
			if got != want {
				t.Errorf("%s: %s, want %s", in, got, want)
			}
		}
	})
}

// TestDatesRoundTrip: a moment written in any way that a layout writes, or that people do, is read as that moment.
func TestDatesRoundTrip(outer *testing.T) {
	auto, chinese, serial, count := dateOf(outer, `{in: auto, out: "%F %T"}`), dateOf(outer, `{in: chinese, out: "%F %T"}`), dateOf(outer, `{in: excel, out: "%F %T"}`), dateOf(outer, `{in: unix_us, out: "%F %T"}`)
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	rapid.Check(outer, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-2203891200, maxUnix).Draw(t, "at"), 0).UTC() // from March 1900 on
		want := at.Format(time.DateTime)
		check := func(x *exec, text string) {
			if v, rejects := x.one(textValue(text)); len(rejects) > 0 || v.s != want {
				t.Fatalf("%q: %q %v, want %q", text, v.s, rejects, want)
			}
		}
		for _, layout := range []string{time.DateTime, "2006/1/2 15:04:05", "2006-01-02T15:04:05", "2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05.000", "2006-01-02 15:04:05 -0700", "2006年1月2日 15:04:05", "Mon, 02 Jan 2006 15:04:05 -0700"} {
			check(auto, at.Format(layout))
		}
		half, hour := "上午", at.Hour()
		if hour >= 12 {
			half, hour = "下午", hour-12
		}
		if hour == 0 {
			hour = 12
		}
		check(chinese, fmt.Sprintf("%s %s%d点%s分%02d秒", han(at), half, hour, hanOf(at.Minute()), at.Second()))
		days := int64(at.Sub(epoch) / (24 * time.Hour))
		if at.Year() > 2150 { // the difference of far moments does not fit a Duration
			days = (at.Unix() - epoch.Unix()) / 86400
		}
		if clock := at.Hour()*3600 + at.Minute()*60 + at.Second(); days < 1900 || days > 2100 || clock > 0 {
			check(serial, fmt.Sprintf("%d.%011d", days, int64(clock)*100_000_000_000/86400+1))
		}
		check(count, fmt.Sprint(at.UnixMicro()))
	})
}

// han writes a day in Chinese numerals.
func han(at time.Time) string {
	year := ""
	for _, c := range fmt.Sprintf("%04d", at.Year()) {
		year += string([]rune("〇一二三四五六七八九")[c-'0'])
	}
	return year + "年" + hanOf(int(at.Month())) + "月" + hanOf(at.Day()) + "日"
}

// hanOf writes a number below 60 as it is spoken.
func hanOf(n int) string {
	digits := []rune("〇一二三四五六七八九")
	text := ""
	if n >= 20 {
		text = string(digits[n/10])
	}
	if n >= 10 {
		text += "十"
	}
	if n%10 > 0 || n == 0 {
		text += string(digits[n%10])
	}
	return text
}
