package transforms

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
)

// told writes an explanation as lines.
func toldLines(e Explanation) string {
	var b strings.Builder
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "%s preset=%v line=%d from=%v\n", f.Field, f.Preset, f.Line, f.From)
		for _, s := range f.Steps {
			fmt.Fprintf(&b, "  %s %s -> %s\n", s.Op, s.Args, s.Value)
		}
		if f.Rejected != nil {
			fmt.Fprintf(&b, "  refused: %s %s\n", f.Rejected.Code, f.Rejected.Message)
		}
		fmt.Fprintf(&b, "  = %s\n", f.Value)
	}
	return b.String()
}

func TestExplain(t *testing.T) {
	m, err := Compile(mustParse(t, "m.yaml", `streams:
  s:
    where: "status != 'x'"
    fields:
      full_name: {template: "{first} {last}", trim: true}
      whatsapp: {from: [mobile, tel]}
      gender: {from: sex, map: {F: female}}
      birthday: {from: born, date: "%d.%m.%Y"}
`), Options{Preset: mustParse(t, "preset", dialect)})
	if err != nil {
		t.Fatal(err)
	}
	rec := rawRecord(t, memory.DefaultAllocator, m.Fields("s"),
		`{"first":"Ann","mobile":null,"tel":"+86 138 1234","sex":"M","born":"31.2.2024"}`, `{"status":"x"}`, `{"first":"A","_sdc_deleted_at":"now"}`)
	e, err := m.Explain("s", rec, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := `full_name preset=false line=5 from=[{first "Ann"}]
  template {first} {last} -> "Ann "
  trim true -> "Ann"
  = "Ann"
whatsapp preset=false line=6 from=[{mobile null} {tel "+86 138 1234"}]
  from ["mobile","tel"] -> "+86 138 1234"
  type text -> "+86 138 1234"
  = "+86 138 1234"
gender preset=false line=7 from=[{sex "M"}]
  from sex -> "M"
  map {"F":"female"} -> 
  refused: unmapped_value map does not list "M"
  = 
birthday preset=false line=8 from=[{born "31.2.2024"}]
  from born -> "31.2.2024"
  date %d.%m.%Y -> 
  refused: bad_date date: "##.#.####" is a day that does not exist
  = 
full_name preset=true line=5 from=[{full_name "Ann"}]
  name {"part":"full"} -> "Ann"
  max_length 10 -> "Ann"
  = "Ann"
wa preset=true line=6 from=[{whatsapp "+86 138 1234"}]
  from ["whatsapp","wa"] -> "+86 138 1234"
  phone {"format":"digits"} -> "861381234"
  = "861381234"
gender preset=true line=8 from=[]
  from gender -> 
  map {"male":1,"female":0,"unknown":null} -> 
  = 
birthday preset=true line=9 from=[]
  from birthday -> 
  date %Y-%m-%d -> 
  = 
`
	if got := toldLines(e); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	if len(e.Rejected) != 2 || e.Rejected[0].Code != connector.CodeUnmapped || e.Rejected[1].Code != connector.CodeBadDate {
		t.Errorf("rejected %v; want both faults", e.Rejected)
	}
	for _, row := range []int{1, 2} {
		if e, err := m.Explain("s", rec, row); err != nil || !e.Filtered || len(e.Fields) != 0 {
			t.Errorf("row %d: %+v %v; want it filtered", row, e, err)
		}
	}
	if _, err := m.Explain("s", rec, 3); err == nil {
		t.Error("a row beyond the record is explained")
	}
}

func TestKey(t *testing.T) {
	for _, c := range []struct{ doc, preset, in, want string }{
		{"", dialect, `{"whatsapp":"+86 138 1234"}`, "+86 138 1234"},
		{"", dialect, `{"email":" a@b ","whatsapp":null}`, " a@b "},
		{"", dialect, `{"wa":"12345"}`, "12345"},
		{`streams: {s: {fields: {full_name: n, whatsapp: {from: [m, t], phone: {format: digits}}}}}`, dialect, `{"t":"+86 138 1234"}`, "861381234"},
		{`streams: {s: {fields: {full_name: n, whatsapp: {from: [m, t], phone: {format: digits}}}}}`, dialect, `{"t":"call me"}`, "call me"},
		{`streams: {s: {fields: {full_name: n, wa: m, phone: {from: p, trim: true}}}}`, dialect, `{"m":"12345","p":" 7 "}`, "7"},
		{`streams: {s: {fields: {full_name: n, wa: m}}}`, dialect, `{"m":"12345"}`, "12345"},
		{"", "", `{"phone":7}`, "7"},
		{"", dialect, `{}`, ""},
	} {
		o := Options{Identifiers: []string{"phone", "whatsapp", "email"}}
		if c.preset != "" {
			o.Preset = mustParse(t, "preset", c.preset)
		}
		m, err := Compile(mustParse(t, "m", c.doc), o)
		if err != nil {
			t.Fatal(err)
		}
		rec := rawRecord(t, memory.DefaultAllocator, m.Fields("s"), c.in)
		plans, err := m.Plans("s", rec.Schema())
		if err != nil {
			t.Fatal(err)
		}
		if got := plans[0].Key(rec, 0); got != c.want {
			t.Errorf("%s of %s: key %q, want %q", c.doc, c.in, got, c.want)
		}
		if got := plans[0].Key(rec, 1); got != "" {
			t.Errorf("the key of a row beyond the record is %q", got)
		}
	}
}
