package rows

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func walk(text string) (members []string, whole bool) {
	var w Walker
	for ok := w.Open([]byte(text)); ok && w.Next(); {
		members = append(members, string(w.Key())+"="+string(w.Value()))
	}
	return members, w.Whole()
}

func TestWalker(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{}`, ""}, {`[]`, ""}, {" [ ] \n", ""},
		{` { "a" : 1 , "b":{"c":[2,"}"]} , "\u0061":"x\"y" } `, `a=1|b={"c":[2,"}"]}|a="x\"y"`},
		{`[1,"two",[3],{"four":4},null,true]`, `=1|="two"|=[3]|={"four":4}|=null|=true`},
	} {
		got, whole := walk(tt.text)
		if !whole || strings.Join(got, "|") != tt.want {
			t.Errorf("%s: got %v, whole %v, want %s", tt.text, got, whole, tt.want)
		}
	}
	for _, bad := range []string{
		"", "1", `"a"`, "{", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1}", `{"a":1,}`, `{"a"}`, `{"a":}`, `{a:1}`, `{"a":1]`, `{"a":1}x`, "[01]",
		"[\"\xff\"]", `["\ud800"]`, "[\"\n\"]", `{"a\q":1}`, `{"a:1}`,
	} {
		if got, whole := walk(bad); whole {
			t.Errorf("%q is read whole: %v", bad, got)
		}
	}
	var zero Walker
	if zero.Next() || zero.Whole() {
		t.Error("the zero Walker walks")
	}
}

// What stands in the middle of a text is walked to its own end.
func TestWalkerAt(t *testing.T) {
	const text = `[{"a":[1]} ,{"b":2}x,{"c":]`
	var w Walker
	for _, tc := range []struct {
		at, end int
		whole   bool
	}{{1, 10, true}, {12, 19, true}, {6, 9, true}, {21, 0, false}, {0, 0, false}, {11, 0, false}, {len(text), 0, false}} {
		for ok := w.OpenAt([]byte(text), tc.at); ok && w.Next(); {
		}
		if w.Whole() != tc.whole || tc.whole && w.End() != tc.end {
			t.Errorf("at %d: whole %v, end %d, want %v, %d", tc.at, w.Whole(), w.End(), tc.whole, tc.end)
		}
	}
}

func TestSpan(t *testing.T) {
	for _, tt := range []struct {
		text string
		want string // "-": no end
	}{
		{`{"a":"}\"]"},1`, `{"a":"}\"]"}`}, {`[[1],[2]]]`, `[[1],[2]]`}, {`"a,b",`, `"a,b"`}, {`12,`, `12`}, {`12`, `12`}, {`tru]`, `tru`}, {`,`, ``}, {`]`, ``}, {``, ``},
		{`{`, `-`}, {`[1`, `-`}, {`"a`, `-`}, {`{"a`, `-`}, {`"a\`, `-`}, {"\"a\nb\" ", "\"a\nb\""}, {`{x y}`, `{x y}`},
	} {
		end := Span([]byte(tt.text), 0)
		got := "-"
		if end >= 0 {
			got = tt.text[:end]
		}
		if got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
		}
	}
}

func TestAppendUnquoted(t *testing.T) {
	for in, want := range map[string]string{`"a"`: "a", `""`: "", `"a\nb\u00e9"`: "a\nbé", `12`: "12", `null`: "null", `[1]`: "[1]", `"`: `"`} {
		if got := AppendUnquoted([]byte("x"), []byte(in)); string(got) != "x"+want {
			t.Errorf("%s: got %s", in, got)
		}
	}
}

// FuzzWalker: what is read whole is what encoding/json takes for an object or array of text, with the same members; and
// its own brackets bound it.
func FuzzWalker(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[2,{"c":"\u00e9"}]}`, `[1,"two"]`, `{"a":"\ud800"}`, `[1,]`, "{\"a\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var w Walker
		n := 0
		for w.Open(text); w.Next(); n++ {
			if !json.Valid(w.Value()) || !utf8.Valid(w.Key()) {
				t.Fatalf("%q gives %q: %q", text, w.Key(), w.Value())
			}
			unquoted := AppendUnquoted(nil, w.Value())
			var s string
			if w.Value()[0] == '"' && (json.Unmarshal(w.Value(), &s) != nil || s != string(unquoted)) {
				t.Fatalf("%q is the text %q, not %q", w.Value(), s, unquoted)
			}
		}
		start := skipSpace(text, 0)
		end := Span(text, start)
		if !w.Whole() {
			var r *Refusal
			if len(bytes.TrimSpace(text)) > 0 && text[start] == '{' {
				r = refuse(text)
			}
			if r == nil && len(text) > start && text[start] == '{' {
				t.Fatalf("%q is an object, and not walked", text)
			}
			return
		}
		if !json.Valid(text) || end < 0 || skipSpace(text, end) != len(text) {
			t.Fatalf("%q is walked whole; valid %v, span ends at %d", text, json.Valid(text), end)
		}
		var list []json.RawMessage
		if text[start] == '[' && (json.Unmarshal(text, &list) != nil || len(list) != n) {
			t.Fatalf("%q: %d elements, want %d", text, n, len(list))
		}
	})
}
