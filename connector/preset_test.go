package connector_test

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

func TestPresetTemplate(t *testing.T) {
	type data struct {
		Text string
		Map  map[string]string
	}
	p := connector.MustPreset("a: {{yaml .Text}}\nb: {{yaml .Map}}\n")
	for _, c := range []struct {
		data data
		want string
	}{
		{data{}, "a: \"\"\nb: {}\n"},
		{data{"<it's> \"x\": \n- 1", map[string]string{"k & v": "#"}}, "a: \"<it's> \\\"x\\\": \\n- 1\"\nb: {\"k & v\":\"#\"}\n"},
	} {
		got, err := p.Render(c.data)
		if err != nil || string(got) != c.want {
			t.Errorf("got %q, %v; want %q", got, err, c.want)
		}
	}
	if _, err := p.Render(struct{ Text string }{}); err == nil || !strings.HasPrefix(err.Error(), "preset: ") {
		t.Errorf("a member that is not there: %v", err)
	}
	if _, err := connector.MustPreset("{{yaml .}}").Render(func() {}); err == nil {
		t.Error("a function was written as YAML")
	}
}

func TestOneOf(t *testing.T) {
	if err := connector.OneOf("mode", "b", "a", "b"); err != nil {
		t.Error(err)
	}
	err := connector.OneOf("mode", "B", "a", "b")
	if err == nil || err.Error() != `mode is "B". Use one of a, b` || connector.KindOf(err) != connector.KindConfig {
		t.Errorf("got %v", err)
	}
}

func TestKeyHash(t *testing.T) {
	seen := map[uint64]string{}
	for _, kind := range []byte{0, 'p', 'e'} {
		for _, text := range []string{"", "a", "b", "ab", "ba", "8613800138000"} {
			h := connector.NewKeyHash(kind).Text(text)
			name := string(kind) + text
			if other, taken := seen[h.Sum()]; taken {
				t.Errorf("%q and %q hash alike", name, other)
			}
			seen[h.Sum()] = name
			if h.Byte('x') != connector.NewKeyHash(kind).Text(text+"x") {
				t.Errorf("%q: byte by byte is another hash than as a text", name)
			}
		}
	}
	// The same in every process and on every machine.
	if got := connector.NewKeyHash(0).Text("a").Sum(); got != 0x82a2a958a9bece5b {
		t.Errorf("the hash of a is %#x", got)
	}
}
