package infer

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestLongText: of a text that is longer than any name or number only the beginning is looked at, cut between characters.
func TestLongText(t *testing.T) {
	s := &Sample{}
	text, err := json.Marshal(map[string]any{"a": "x" + strings.Repeat("张", 1<<14), "b": "short"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add(text); err != nil {
		t.Fatal(err)
	}
	c := s.Column("a")
	if n := len(c.Values[0]); n > maxText || n < maxText-utf8.UTFMax || !utf8.ValidString(c.Values[0]) {
		t.Errorf("%d bytes are kept", n)
	}
	var again string
	if err := json.Unmarshal(c.raw[0], &again); err != nil || again != c.Values[0] {
		t.Errorf("the value as it came is another than its text: %v", err)
	}
	if got := s.Column("b").Values[0]; got != "short" {
		t.Errorf("got %q", got)
	}
	if s.Bytes != len(text) {
		t.Errorf("%d bytes counted of %d", s.Bytes, len(text))
	}
}
