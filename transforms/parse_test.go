package transforms

import (
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/sluicehq/sluice/connector"
)

// faults are documents and what is said about them; every line of want must be there, and no other.
var faults = []struct {
	name, doc string
	want      []string
}{
	{"empty", ``, []string{"m.yaml: the document is empty; it needs `streams:`"}},
	{"no streams", `{}`, []string{"m.yaml:1: `streams:` is missing"}},
	{"a list", `[a]`, []string{"m.yaml:1: a mapping begins with `streams:`, not with a list"}},
	{"not YAML", "streams:\n\t- x", []string{"m.yaml:2: not readable as YAML or JSON: found character that cannot start any token"}},
	{"two documents", "streams: {a: skip}\n---\nb: 1", []string{"m.yaml:3: a second document begins; a file holds one mapping"}},
	{"top key", "stream:\n  a: skip", []string{
		"m.yaml:1: stream: unknown key \"stream\" (did you mean \"streams\"?); a mapping holds `streams:` only",
		"m.yaml:1: `streams:` is missing",
	}},
	{"everything at once", `
streams:
  contacts:
    feilds: {}
    rest: kepe
    on_null: cleer
    fields:
      email: {form: mail, trim: yes please, cse: lower}
      phone: {from: tel, phone: {format: E164, regoin: CN}}
      birthday: {from: b, date: {in: ["%Y-%Q", "2006-01-02"], tz: Nowhere/City}}
      remark: {from: r, truncate: -1, max_length: ten}
      name: {from: a, value: b}
      tags: [a, b]
      empty:
      email: twice
`, []string{
		`m.yaml:4: streams.contacts.feilds: unknown key "feilds" (did you mean "fields"?); a stream takes fields, explode, where, rest, on_null, on_delete or identifiers`,
		`m.yaml:5: streams.contacts.rest: takes drop, keep or custom, not "kepe" (did you mean "keep"?)`,
		`m.yaml:6: streams.contacts.on_null: takes omit, clear or keep, not "cleer" (did you mean "clear"?)`,
		`m.yaml:8: streams.contacts.fields.email.form: unknown step "form" (did you mean "from"?)`,
		`m.yaml:8: streams.contacts.fields.email.trim: takes true or false, not "yes please"`,
		`m.yaml:8: streams.contacts.fields.email.cse: unknown step "cse" (did you mean "case"?)`,
		`m.yaml:9: streams.contacts.fields.phone.phone.regoin: unknown setting "regoin" (did you mean "region"?); it takes region or format`,
		`m.yaml:9: streams.contacts.fields.phone.phone.format: takes digits, e164 or national, not "E164" (did you mean "e164"?)`,
		`m.yaml:10: streams.contacts.fields.birthday.date.tz: "Nowhere/City" is no time zone; write one such as Asia/Shanghai or UTC, or an offset such as +08:00`,
		`m.yaml:10: streams.contacts.fields.birthday.date.in: layout "%Y-%Q": %Q is no directive`,
		`m.yaml:10: streams.contacts.fields.birthday.date.in: layout "2006-01-02": it holds no directive such as %Y; besides those there are auto, unix, unix_ms, unix_us, excel, excel_1904 or chinese`,
		`m.yaml:11: streams.contacts.fields.remark.truncate: takes a whole number from 1 on, not "-1"`,
		`m.yaml:11: streams.contacts.fields.remark.max_length: takes a whole number from 1 on, not "ten"`,
		`m.yaml:12: streams.contacts.fields.name.value: value gives the value a second time; a field has one of from, value, template, expr and name, and it comes first`,
		"m.yaml:13: streams.contacts.fields.tags: takes a source field or a mapping; for several source fields write `{from: [a, b]}`",
		"m.yaml:14: streams.contacts.fields.empty: says nothing: write the source field, such as `empty: name`, or remove the line",
		`m.yaml:15: streams.contacts.fields.email: "email" is given twice`,
	}},
	{"patterns", `
streams:
  a:
    fields:
      b: {from: x, replace: {pattern: "(", with: ""}}
      c: {from: x, replace: {pattern: "(a)", with: "$1b $2 $$"}}
      d: {from: x, replace: {text: "", with: "y"}}
      e: {from: x, replace: [{text: "y"}, {with: "y"}]}
      f: {from: x, replace: []}
      g: {from: x, extract: {pattern: "(a)", group: 2}}
      h: {from: x, extract: {group: 1}}
      i: {from: x, sort: up}
      j: {from: x, hash: {algorithm: crc32}}
      k: {from: x, hash: {salt: s}}
`, []string{
		"m.yaml:5: streams.a.fields.b.replace.pattern: not a regular expression: missing closing ): `(`",
		`m.yaml:6: streams.a.fields.c.replace.with: the pattern has no group "1b"; write ${1} where a letter follows, and $$ for a dollar sign`,
		`m.yaml:6: streams.a.fields.c.replace.with: the pattern has no group "2"; write ${1} where a letter follows, and $$ for a dollar sign`,
		`m.yaml:7: streams.a.fields.d.replace.text: the text to replace is empty`,
		`m.yaml:8: streams.a.fields.e.replace[0]: needs with: what stands in its place; "" takes matches away`,
		`m.yaml:8: streams.a.fields.e.replace[1]: takes either pattern or text`,
		`m.yaml:9: streams.a.fields.f.replace: the list is empty`,
		`m.yaml:10: streams.a.fields.g.extract.group: the pattern has no group "2"`,
		`m.yaml:11: streams.a.fields.h.extract: needs pattern`,
		`m.yaml:12: streams.a.fields.i.sort: takes asc or desc, not "up"`,
		`m.yaml:13: streams.a.fields.j.hash.algorithm: takes sha256, sha512, sha1 or md5, not "crc32"`,
		`m.yaml:14: streams.a.fields.k.hash: needs algorithm`,
	}},
	{"steps", `
streams:
  s:
    fields:
      a: {trim: true, steps: [{case: lower}]}
      b: {steps: [{case: lower, trim: true}]}
      c: {steps: {case: lower}}
      d: {from: x, steps: [{split: ","}, {from: y}]}
      e: {steps: [sort]}
`, []string{
		"m.yaml:5: streams.s.fields.a.trim: trim stands beside `steps:`; put it into the list",
		"m.yaml:6: streams.s.fields.b.steps[0]: a step has one key",
		"m.yaml:7: streams.s.fields.c.steps: takes a list of steps, each with one key, not a mapping",
		"m.yaml:8: streams.s.fields.d.steps[1].from: from gives the value a second time; a field has one of from, value, template, expr and name, and it comes first",
		"m.yaml:9: streams.s.fields.e.steps[0]: takes a mapping, not \"sort\"",
	}},
	{"templates and where", `
streams:
  s:
    where: "status = 'x'"
    fields:
      a: {template: "{x"}
      b: {template: "x}"}
      c: {exrp: "1+1"}
`, []string{
		"m.yaml:4: streams.s.where: not a condition, at character 9: got '=' where the expression should go on or end; write == to compare",
		"m.yaml:6: streams.s.fields.a.template: a field in braces is not closed or has no name; write {field}, and {{ for a brace",
		"m.yaml:7: streams.s.fields.b.template: a brace is closed that was not opened; write }} for a brace",
		`m.yaml:8: streams.s.fields.c.exrp: unknown step "exrp" (did you mean "expr"?)`,
	}},
	{"kinds", `
streams:
  s:
    fields:
      a: {from: x, steps: [{split: ","}, {split: ";"}]}
      b: {value: {k: 1}, date: "%F"}
      c: {from: x, steps: [{type: boolean}, {date: "%F"}]}
      d: {from: x, trim: true, unique: true}
      e: {from: x, trim: true, join: ","}
      f: {from: x, split: ",", max_length: 3}
      full_name: {from: x, split: ","}
      g: {from: x, trim: true, keys: {pass: "."}}
`, []string{
		"m.yaml:5: streams.s.fields.a.steps[1].split: the value is a list already: leave split out",
		"m.yaml:6: streams.s.fields.b.date: date takes text or integer or number, and object comes to it",
		"m.yaml:7: streams.s.fields.c.steps[1].date: date takes text or integer or number, and boolean comes to it",
		"m.yaml:8: streams.s.fields.d.unique: unique takes a list: put split before it",
		"m.yaml:9: streams.s.fields.e.join: join takes a list: there is nothing to join in a single value",
		"m.yaml:10: streams.s.fields.f.max_length: max_length takes text or integer or number or boolean, and list comes to it",
		"m.yaml:11: streams.s.fields.full_name: full_name is text, and the steps make list",
		"m.yaml:12: streams.s.fields.g.keys: keys takes object, and text comes to it",
	}},
	{"identifiers of a user", `streams: {s: {identifiers: [a], fields: {a: b}}}`, []string{
		"m.yaml:1: streams.s: identifiers stand in a vendor's preset only",
	}},
	{"reserved names", `streams: {s: {fields: {_extra: a, "": b}}}`, []string{
		`m.yaml:1: streams.s.fields._extra: a field cannot be named "_extra"`,
		`m.yaml:1: streams.s.fields.: a field cannot be named ""`,
	}},
	{"merge keys", "x: &x {trim: true}\nstreams: {s: {fields: {a: {<<: *x, from: b}}}}", []string{
		"m.yaml:1: x: unknown key \"x\"; a mapping holds `streams:` only",
		"m.yaml:2: streams.s.fields.a.<<: merge keys (<<) are not part of the language: write the keys out",
	}},
}

func TestFaults(t *testing.T) {
	for _, c := range faults {
		t.Run(c.name, func(t *testing.T) {
			spec, err := Parse("m.yaml", []byte(c.doc))
			if err == nil {
				_, err = Compile(spec, Options{})
			}
			checkFaults(t, err, c.want)
		})
	}
}

func TestFaultsAgainstPreset(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		want      []string
	}{
		{"an unknown target", `streams: {s: {fields: {ful_name: a, email: b, full_name: c}}}`, []string{
			"m.yaml:1: streams.s.fields.ful_name: ful_name is no column of contacts (did you mean \"full_name\"?); set `rest: custom` to send it as a custom field, or write custom.ful_name",
		}},
		{"required and identifiers lead nowhere", `streams: {s: {fields: {gender: b}}}`, []string{
			"m.yaml:1: streams.s: full_name is required, and no field of the mapping leads to it: map full_name, first_name or last_name",
			"m.yaml:1: streams.s: no field of the mapping leads to wa or email: every row would be refused",
		}},
		{"a clash with the preset is shown in the user's field", `streams: {s: {fields: {full_name: a, email: b, custom: {value: text}, gender: {from: c, split: ","}}}}`, []string{
			"m.yaml:1: streams.s.fields.gender: gender is text, and the steps make list",
			"m.yaml:1: streams.s.fields.gender: map takes text or integer or number or boolean, and list comes to it",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile(mustParse(t, "m.yaml", c.doc), Options{Preset: mustParse(t, "preset", dialect)})
			checkFaults(t, err, c.want)
		})
	}
}

func checkFaults(t *testing.T, err error, want []string) {
	t.Helper()
	if connector.KindOf(err) != connector.KindConfig {
		t.Fatalf("got %v, want a Config error", err)
	}
	var got []string
	for _, p := range problemsOf(err) {
		got = append(got, p.String())
	}
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("got:\n%s\nwant:\n%s", g, w)
	}
}

func TestParseTakes(t *testing.T) {
	for name, doc := range map[string]string{
		"JSON with surrogate pairs and tabs": "{\n\t\"streams\": {\"s\": {\"fields\": {\"a\": {\"value\": \"\\ud83d\\ude00\"}, \"b\": {\"from\": [\"x\", \"y\"]}}}}\n}",
		"a pipeline file":                    "from: {file: x}\ntransforms:\n  streams:\n    s: {fields: {a: {value: 😀}, b: {from: [x, y]}}}\nto: {nxlink: {}}",
		"a byte order mark":                  "\uFEFFstreams: {s: {fields: {a: {value: 😀}, b: {from: [x, y]}}}}",
		"anchors":                            "streams:\n  t: {fields: &f {a: {value: 😀}, b: {from: [x, y]}}}\n  s: {fields: *f}",
	} {
		spec, err := Parse("m", []byte(doc))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m, err := Compile(spec, Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rec := rawRecord(t, memory.DefaultAllocator, m.Fields("s"), `{"y":1}`)
		e, err := m.Explain("s", rec, 0)
		if err != nil || len(e.Fields) != 2 || e.Fields[0].Value != `"😀"` || e.Fields[1].Value != "1" {
			t.Errorf("%s: %+v %v", name, e, err)
		}
	}
}

func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 12; i++ {
		prev := "*a" + string(rune('a'+i-2))
		if i == 1 {
			prev = "*a0"
		}
		b.WriteString("a" + string(rune('a'+i-1)) + ": &a" + string(rune('a'+i-1)) + " [" + strings.Repeat(prev+", ", 9) + prev + "]\n")
	}
	b.WriteString("streams: {s: {fields: {f: {value: *ak}}}}\n")
	if _, err := Parse("m", []byte(b.String())); err == nil || !strings.Contains(err.Error(), "unfolds to more than") {
		t.Errorf("got %v, want the document refused", err)
	}
}

func TestDidYouMean(t *testing.T) {
	words := []string{"truncate", "max_length", "from", "email"}
	for written, want := range map[string]string{"truncat": "truncate", "maxlength": "max_length", "form": "from", "EMAIL": "email", "xyz": "", "": ""} {
		got := didYouMean(written, words)
		if want == "" && got != "" || want != "" && !strings.Contains(got, want) {
			t.Errorf("didYouMean(%q) = %q, want %q", written, got, want)
		}
	}
}

// TestPlacesOfJSON: faults of a mapping in JSON have line and column, as those in YAML have.
func TestPlacesOfJSON(t *testing.T) {
	const doc = "{\"streams\":\n  {\"s\": {\n\t\"wehre\" : \"a\", \"fields\": {\"ä\":{\"trimm\":true},\"b\": {\"from\":[\"x\", 1],\"tags\": 7}}}}}"
	_, err := Parse("m.json", []byte(doc))
	want := map[string][2]int{"streams.s.wehre": {3, 2}, "streams.s.fields.ä.trimm": {3, 33}, "streams.s.fields.b.tags": {3, 77}}
	for _, p := range problemsOf(err) {
		at, ok := want[p.Path]
		if !ok || p.Line != at[0] || p.Column != at[1] {
			t.Errorf("%s stands at %d:%d, want %v", p, p.Line, p.Column, at)
		}
		delete(want, p.Path)
	}
	if len(want) > 0 {
		t.Errorf("nothing is said of %v", want)
	}
}
