package transforms

import (
	"errors"
	"strings"
	"testing"
)

// TestSalvage: what is wrong with the words of a document does not hide what is wrong with its columns.
func TestSalvage(t *testing.T) {
	preset, err := Parse("preset", []byte("streams: {\"*\": {fields: {mail: {from: email, required: true}, num: phone}}}"))
	if err != nil {
		t.Fatal(err)
	}
	doc := `streams:
  people:
    where: "status ="
    explode: {fld: x}
    rset: drop
    fields:
      email: {from: mail, trimm: true}
      phone: [a, b]
      full_nam: {from: name, cas: lower}
      remark:
      tags: {from: t, split: ",", truncate: 3}
      company: {expr: "foo("}
`
	spec, err := SalvageText("m.yaml", []byte(doc))
	if spec == nil || err == nil {
		t.Fatalf("%v %v", spec, err)
	}
	_, more := Compile(spec, Options{Preset: preset})
	var words, columns Problems
	if !errors.As(err, &words) || !errors.As(more, &columns) {
		t.Fatalf("%v\n%v", err, more)
	}
	for i, want := range []string{":3: streams.people.where", ":4: streams.people.explode", ":4: streams.people.explode", ":5: streams.people.rset", ":7: streams.people.fields.email.trimm", ":8: streams.people.fields.phone",
		":9: streams.people.fields.full_nam.cas", ":10: streams.people.fields.remark", ":12: streams.people.fields.company.expr"} {
		if i >= len(words) || !strings.HasPrefix(words[i].String(), "m.yaml"+want) {
			t.Errorf("fault %d is not at %s:\n%v", i, want, words)
		}
	}
	text := columns.Error()
	if !strings.Contains(text, "m.yaml:9: streams.people.fields.full_nam: full_nam is no column") || !strings.Contains(text, "m.yaml:11: streams.people.fields.tags.truncate") {
		t.Errorf("got %s", text)
	}
	for _, p := range columns {
		if strings.Contains(p.Message, "required") || p.Column == 0 {
			t.Errorf("%s (column %d)", p, p.Column)
		}
	}
	if spec, err := SalvageText("m.yaml", []byte("streams: {a: {fields: {email: e}}}")); spec == nil || err != nil {
		t.Errorf("a sound document: %v %v", spec, err)
	}
	if spec, err := SalvageText("m.yaml", []byte("streams: {")); spec != nil || err == nil {
		t.Errorf("no document: %v %v", spec, err)
	}
}

func TestUnfit(t *testing.T) {
	spec, err := Parse("m.yaml", []byte("streams:\n  contact: {fields: {email: e}}\n  \"lead_*\": skip\n"))
	if err != nil {
		t.Fatal(err)
	}
	for stream, want := range map[string]bool{"contact": false, "lead_x": false, "contacts": true} {
		if err := spec.Unfit(stream); err != nil != want || want && !strings.Contains(err.Error(), "m.yaml:2: ") {
			t.Errorf("%s: %v", stream, err)
		}
	}
	var none *Spec
	if err := none.Unfit("x"); err != nil {
		t.Error(err)
	}
}

// FuzzSalvage: whatever is left of a document that has faults can be compiled without a panic.
func FuzzSalvage(f *testing.F) {
	f.Add("streams: {a: {fields: {b: [c], d: , e: {value: 1, from: x}, f: {steps: x}}, explode: [1], where: [1]}, b: 1}")
	f.Add("streams: {a: {fields: {b: {each: 1, map: 2, date: {in: 3}}, null: {}}}}")
	f.Fuzz(func(t *testing.T, doc string) {
		spec, err := SalvageText("m.yaml", []byte(doc))
		if spec == nil {
			if err == nil {
				t.Error("neither a document nor a fault")
			}
			return
		}
		if _, again := Parse("m.yaml", []byte(doc)); (again == nil) != (err == nil) {
			t.Errorf("Parse says %v, Salvage %v", again, err)
		}
		_, _ = Compile(spec, Options{})
	})
}
