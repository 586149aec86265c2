package transforms

import (
	"strings"
	"testing"
	"time"

	"github.com/itchyny/timefmt-go"
	"github.com/sluicehq/sluice/connector"
	"pgregory.net/rapid"
)

// dateOf makes the step of a date argument.
func dateOf(t testing.TB, arg string) *exec {
	t.Helper()
	m, err := Compile(mustParse(t, "m", "streams: {s: {fields: {d: {from: d, date: "+arg+"}}}}"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := build(m.opts, m.user, "s", m.user.match("s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return newExec(b.graph)
}

// run feeds one value through the only step of the graph.
func (x *exec) one(v value) (value, []connector.RowResult) {
	x.sel, x.rejects = append(x.sel[:0], 0), nil
	x.dead[0] = false
	n := x.g.nodes[0]
	x.node = n
	vec := &newVectors(1)[0]
	vec.set(0, v)
	for _, st := range n.steps[1:] {
		st.run(x, vec, vec)
	}
	return vec.at(0), x.rejects
}

func TestDates(t *testing.T) {
	for _, c := range []struct{ arg, in, want string }{
		{`"%Y-%m-%d"`, "2024-02-29", "2024-02-29"},
		{`"%Y-%m-%d"`, "2023-02-29", "!"},
		{`"%Y-%m-%d"`, "2024-02-30", "!"},
		{`"%Y-%m-%d"`, "1900-02-29", "!"},
		{`"%Y-%m-%d"`, "2000-02-29", "2000-02-29"},
		{`"%Y-%m-%d"`, "2024-04-31", "!"},
		{`"%Y-%m-%d"`, "2024-00-10", "!"},
		{`"%Y-%m-%d"`, "2024-13-10", "!"},
		{`"%Y-%m-%d"`, "0000-01-01", "!"},
		{`"%Y-%m-%d"`, "2024-1-5", "2024-01-05"},
		{`"%Y-%m-%d"`, " 2024-01-05\t", "2024-01-05"},
		{`"%Y-%m-%d"`, "2024-01-05T00:00:00Z", "!"},
		{`"%Y-%m-%d"`, "24-01-05", "!"},
		{`"%Y-%m-%d"`, "٢٠٢٤-01-05", "!"},
		{`"%d.%m.%Y"`, "30.2.2024", "!"},
		{`"%d.%m.%y"`, "5.3.68", "2068-03-05"},
		{`"%d.%m.%y"`, "5.3.69", "1969-03-05"},
		{`"%Y年%m月%d日"`, "1976年4月12日", "1976-04-12"},
		{`"%d %b %Y"`, "30 Feb 2024", "!"},
		{`"%d %b %Y"`, "5 mAr 2024", "2024-03-05"},
		{`"%B %d, %Y"`, "September 5, 2024", "2024-09-05"},
		{`"%a %b %e %H:%M:%S %Y"`, "Tue Mar  5 04:05:06 2024", "2024-03-05"},
		{`{in: "%c", out: "%H:%M:%S"}`, "Tue Mar  5 04:05:06 2024", "04:05:06"},
		{`{in: "%m/%d/%Y %I:%M %p", out: "%Y-%m-%d %H:%M"}`, "3/5/2024 12:07 am", "2024-03-05 00:07"},
		{`{in: "%m/%d/%Y %I:%M %p", out: "%Y-%m-%d %H:%M"}`, "3/5/2024 12:07 PM", "2024-03-05 12:07"},
		{`{in: "%Y-%j"}`, "2024-366", "2024-12-31"},
		{`{in: "%Y-%j"}`, "2023-366", "!"},
		{`{in: "%G-W%V-%u"}`, "2024-W01-1", "2024-01-01"},
		{`{in: ["%d/%m/%Y", "%m/%d/%Y"]}`, "12/31/2024", "2024-12-31"},
		{`{in: "%Y-%m-%dT%H:%M:%S%z"}`, "2024-03-01T04:00:00+08:00", "2024-02-29"},
		{`{in: "%Y-%m-%dT%H:%M:%S%z", tz: Asia/Shanghai}`, "2024-03-01T04:00:00+0800", "2024-03-01"},
		{`{in: "%Y-%m-%dT%H:%M:%S.%f%z", out: "%s"}`, "1970-01-01T00:00:01.5Z", "1"},
		{`{in: "%Y-%m-%d %H:%M", tz: America/Sao_Paulo}`, "2018-11-04 00:00", "2018-11-04"},
		{`{in: "%Y-%m-%d", out: "%A, %d %B %Y"}`, "2024-02-29", "Thursday, 29 February 2024"},
		{`{in: "%Y-%m-%d", out: "%Y-%m-%dT%H:%M:%S%z", tz: Asia/Shanghai}`, "2024-02-29", "2024-02-29T00:00:00+0800"},
		{`unix`, "0", "1970-01-01"},
		{`unix`, "-86400", "1969-12-31"},
		{`unix`, "1709164800.75", "2024-02-29"},
		{`unix`, "99999999999999", "!"},
		{`unix`, "1e9", "!"},
		{`{in: [unix_ms], tz: Asia/Shanghai}`, "1709164800000", "2024-02-29"},
		{`{in: [unix_ms], tz: Asia/Shanghai}`, "253402300799999", "!"},
		{`{in: [unix_ms]}`, "253402300799999", "9999-12-31"},
		{`{in: "%Y-%m-%d", out: unix}`, "2024-02-29", "1709164800"},
		{`{in: "%Y-%m-%d %H:%M:%S", out: unix_ms, tz: Asia/Shanghai}`, "2024-02-29 08:00:00", "1709164800000"},
		{`{in: "%Y-%m-%d"}`, "", ""},
		// clocks that skip or repeat an hour, or a day
		{`{in: "%Y-%m-%d %H:%M", tz: America/New_York, out: "%Y-%m-%dT%H:%M:%S%z"}`, "2024-03-10 02:30", "!"},
		{`{in: "%Y-%m-%d %H:%M", tz: America/New_York, out: "%Y-%m-%dT%H:%M:%S%z"}`, "2024-03-10 03:00", "2024-03-10T03:00:00-0400"},
		{`{in: "%Y-%m-%d %H:%M", tz: America/New_York, out: unix}`, "2024-03-10 02:00", "!"},
		{`{in: "%Y-%m-%d %H:%M", tz: Europe/Berlin, out_tz: UTC, out: "%Y-%m-%d %H:%M"}`, "2024-03-31 02:30", "!"},
		{`{in: "%Y-%m-%d %H:%M", tz: Europe/Berlin, out: "%Y-%m-%d"}`, "2024-03-31 02:30", "2024-03-31"},
		{`{in: "%Y-%m-%d %H:%M", tz: America/New_York, out: "%H:%M%z"}`, "2024-11-03 01:30", "01:30-0400"},
		{`{in: "%Y-%m-%d %H:%M", tz: Europe/Berlin, out: "%H:%M%z"}`, "2024-10-27 02:30", "02:30+0200"},
		{`{in: "%Y-%m-%d %H:%M", tz: Europe/Berlin, out: "%H:%M%z"}`, "2024-10-27 03:00", "03:00+0100"},
		{`{in: "%Y-%m-%d", tz: America/Sao_Paulo, out: "%Y-%m-%dT%H:%M:%S%z"}`, "2018-11-04", "2018-11-04T01:00:00-0200"},
		{`{in: "%Y-%m-%d %H:%M:%S", tz: America/Sao_Paulo, out: unix}`, "2018-11-04 00:00:00", "1541300400"},
		{`{in: excel, tz: America/Sao_Paulo, out: "%FT%T%z"}`, "43408", "2018-11-04T01:00:00-0200"},
		{`{in: chinese, tz: America/Sao_Paulo, out_tz: UTC, out: "%F %T"}`, "2018年11月4日 00:30", "!"},
		{`{in: "%Y-%m-%d", tz: Pacific/Apia, out: unix}`, "2011-12-30", "!"},
		{`{in: "%Y-%m-%d", tz: Pacific/Apia, out: "%Y-%m-%d"}`, "2011-12-30", "2011-12-30"},
		{`{in: "%G-W%V-%u", tz: America/Sao_Paulo, out: "%F%z"}`, "2018-W44-7", "2018-11-04-0200"},
		{`{in: "%Y-%m-%d %H:%M %Z"}`, "2024-03-31 02:30 Europe/Berlin", "!"},
		{`{out: "%Y"}`, "20240229", "2024"},
		{`{out: "%Y"}`, "2024/02/29", "2024"},
		{`{out: "%d.%m.%Y"}`, "2024-02-29T23:59:59.999Z", "29.02.2024"},
	} {
		x := dateOf(t, c.arg)
		v, rejects := x.one(textValue(c.in))
		got, _ := x.text(v)
		if len(rejects) > 0 {
			got = "!"
		}
		if got != c.want {
			t.Errorf("date %s of %q: %q %v, want %q", c.arg, c.in, got, rejects, c.want)
		}
	}
}

func TestDateMessages(t *testing.T) {
	x := dateOf(t, `["%Y-%m-%d", "%d.%m.%Y"]`)
	_, rejects := x.one(textValue("31.2.2024"))
	if len(rejects) != 1 || rejects[0].Message != `date: "##.#.####" is a day that does not exist` {
		t.Errorf("got %v", rejects)
	}
	_, rejects = x.one(textValue("a private text that is longer than forty characters"))
	if len(rejects) != 1 || rejects[0].Message != `date: "a p…ers" fits none of the layouts %Y-%m-%d, %d.%m.%Y` {
		t.Errorf("got %v", rejects)
	}
}

// TestLayoutsAgree holds our reader and writer against the library, for every moment that exists.
func TestLayoutsAgree(t *testing.T) {
	layouts := []string{"%Y-%m-%d", "%d.%m.%Y", "%Y%m%d%H%M%S", "%m/%d/%Y %I:%M:%S %p", "%e %B %Y, %k:%M", "%Y-%j %T", "%a %b %e %H:%M:%S %Y", "%FT%T%z", "%d-%b-%Y", "%FT%R%:z"}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom(layouts).Draw(t, "layout")
		zone := time.FixedZone("", rapid.IntRange(-12*60, 14*60).Draw(t, "offset")*60)
		at := time.Unix(rapid.Int64Range(-62135510400, maxUnix-86400).Draw(t, "unix"), 0).In(zone)
		layout, why := parseLayout(text)
		if why != "" {
			t.Fatal(why)
		}
		written := timefmt.Format(at, text)
		if ours := string(layout.append(nil, at)); ours != written {
			t.Fatalf("%s: wrote %q, the library %q", text, ours, written)
		}
		got, problem := layout.parse(written, zone)
		want, err := timefmt.ParseInLocation(written, text, zone)
		if problem != dateOK || err != nil || !got.t.Equal(want) {
			t.Fatalf("%s of %q: got %v (%v), the library %v (%v)", text, written, got.t, problem, want, err)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"2024-02-29", "30.2.2024", "1709164800000", "5 Mar 2024", "2024-03-01T04:00:00.5+08:00", "", " ", "-1.5", "99991231", "一九七六年四月十二日", "76年4月12号（周一）下午３点半", "27862.75", "60", "1976", "2024-01-01 00:00:00 Asia/Shanghai"} {
		f.Add(s)
	}
	const arg = `{in: ["%Y-%m-%d", "%d.%m.%Y", "%d %b %Y", "%Y-%m-%dT%H:%M:%S.%f%z", "%Y%m%d", "%I:%M %p %j %Y", "%G-W%V", auto, "%d/%m/%y", "%F %T %Z", unix, unix_ms, unix_us, excel, excel_1904], tz: America/Sao_Paulo}`
	x := dateOf(f, arg)
	f.Fuzz(func(t *testing.T, s string) {
		v, rejects := x.one(textValue(s))
		if len(rejects) > 0 || v.missing() {
			return
		}
		again, rejects := x.one(v)
		if len(rejects) > 0 || again.s != v.s {
			t.Fatalf("date of %q is %q, and of that %q %v", s, v.s, again.s, rejects)
		}
		if _, err := time.Parse("2006-01-02", v.s); err != nil || strings.TrimSpace(v.s) != v.s {
			t.Fatalf("date of %q is %q: %v", s, v.s, err)
		}
		x.arena = x.arena[:0]
	})
}
