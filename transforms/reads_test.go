package transforms

import (
	"reflect"
	"testing"
)

func TestWantsAndReads(t *testing.T) {
	m, err := Compile(mustParse(t, "user.yaml", `streams:
  contacts: {fields: {name: {from: [given, family]}, note: {value: x}, city: address.city}}
  all: {fields: {name: given}, rest: custom}
  none: skip
`), Options{Preset: mustParse(t, "preset", `streams: {"*": {fields: {email: email, name: name, note: note, city: city}}}`)})
	if err != nil {
		t.Fatal(err)
	}
	want := []Wanted{{"name", []string{"given", "family"}}, {"city", []string{"address.city"}}}
	if got := m.Wants("contacts"); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, stream := range []string{"none", "other"} {
		if got := m.Wants(stream); len(got) != 0 {
			t.Errorf("%s wants %v", stream, got)
		}
	}
	for _, c := range []struct {
		stream, field string
		want          bool
	}{
		{"contacts", "family", true}, {"contacts", "address", true}, {"contacts", "email", false}, {"contacts", "score", false},
		{"all", "score", true}, {"none", "given", false}, {"other", "email", true}, {"other", "score", false},
	} {
		if got := m.Reads(c.stream, c.field); got != c.want {
			t.Errorf("%s of %s: %v, want %v", c.field, c.stream, got, c.want)
		}
	}
}
