package transforms

import (
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
)

// TestReuse: fields whose steps are the same are evaluated once, and only those.
func TestReuse(t *testing.T) {
	const doc = `
streams:
  s:
    fields:
      trimmed: {from: c, trim: true}
      same: {trim: true, from: [c]}
      longer: {from: c, trim: true, case: lower}
      other: {from: d, trim: true}
      softer: {from: c, trim: true, on_error: null}
      number: {from: c, map: {1: a}}
      text: {from: c, map: {"1": a}}
      defaulted: {from: c, map: {1: a}, default: b}
      one: {value: 1}
      one_text: {value: "1"}
      both: {template: "{c}{d}"}
      both_again: {template: "{c}{d}"}
      swapped: {template: "{d}{c}"}
`
	m, err := Compile(mustParse(t, "m", doc), Options{})
	if err != nil {
		t.Fatal(err)
	}
	rec := rawRecord(t, memory.DefaultAllocator, []string{"c", "d"}, `{"c":" A ","d":1}`)
	defer rec.Release()
	p, err := m.plan("s", rec.Schema())
	if err != nil {
		t.Fatal(err)
	}
	slots, done := map[string]int{}, map[string]int{}
	for _, n := range p.g.nodes {
		slots[n.name], done[n.name] = n.slot, n.done
	}
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"trimmed", "same", true}, {"trimmed", "other", false}, {"trimmed", "softer", false}, {"trimmed", "longer", false}, {"number", "text", false},
		{"number", "defaulted", false}, {"one", "one_text", false}, {"both", "both_again", true}, {"both", "swapped", false},
	} {
		if got := slots[c.a] == slots[c.b]; got != c.same {
			t.Errorf("%s and %s share one vector: %t, want %t", c.a, c.b, got, c.same)
		}
	}
	if done["defaulted"] != 1 {
		t.Errorf("defaulted goes on after %d steps of number, which refuses what defaulted takes in", done["defaulted"])
	}
	if done["longer"] != 2 {
		t.Errorf("longer goes on after %d steps of trimmed, want 2: the source and the trim", done["longer"])
	}
	e, err := m.Explain("s", rec, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range e.Fields {
		if want := map[string]int{"same": 2, "longer": 3}[f.Field]; want > 0 && len(f.Steps) != want {
			t.Errorf("the explanation of %s has %d steps, want %d: %v", f.Field, len(f.Steps), want, f.Steps)
		}
	}
}
