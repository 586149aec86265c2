package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/transforms"
)

// TestReferenceIsWhole: every step and every key that the parser takes stands in the reference, with an example for each
// code that a step refuses with.
func TestReferenceIsWhole(t *testing.T) {
	page := string(transformsPage())
	for _, op := range transforms.Ops() {
		if !strings.Contains(page, "\n### "+op.Name+"\n") || op.Doc == "" || op.Signature == "" || len(op.Examples) == 0 {
			t.Errorf("%s: the reference lacks its section, text, form or examples", op.Name)
		}
	}
	_, err := transforms.Parse("p", []byte("streams: {s: {nothing: 1}}"))
	if err == nil {
		t.Fatal("a key that is none was taken")
	}
	_, list, ok := strings.Cut(err.Error(), "a stream takes ")
	if !ok {
		t.Fatalf("the message lists no keys: %v", err)
	}
	keys := regexp.MustCompile(`[a-z_]+`).FindAllString(list, -1)
	if len(keys) < 6 {
		t.Fatalf("only the keys %v", keys)
	}
	for _, k := range keys {
		if k != "or" && !strings.Contains(page, "| `"+k+"` | `"+k+": ") {
			t.Errorf("the reference lacks the key %s of a stream", k)
		}
	}
}

// TestCode: what stands in a table neither ends its cell nor its code.
func TestCode(t *testing.T) {
	for in, want := range map[string]string{
		`{trim: true}`: "`{trim: true}`",
		`a|b`:          "`a\\|b`",
		"a`b":          "``a`b``",
		"`":            "`` ` ``",
		"a\nb":         "`a b`",
	} {
		if got := code(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}
