package socialepoch

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/sluicehq/sluice/internal/rows"
)

func TestRepair(t *testing.T) {
	const complete = `{"data":{"text":"Hello","url":[]},"dataTypeMap":{"writeFollow":"Write follow-up"}}`
	for _, tt := range []struct {
		in, doc, text string // doc "": plain text
		repaired      bool
		urls          []string
	}{
		{`{"data":{"text":"Beautiful China","url":[]}`, `{"data":{"text":"Beautiful China","url":[]}}`, "Beautiful China", true, nil},
		{`{"data":{"text":"a } b","url":["x"`, `{"data":{"text":"a } b","url":["x"]}}`, "a } b", true, []string{`"x"`}},
		{complete, complete, "Hello", false, nil},
		{`plain text`, "", "plain text", false, nil},
		{``, "", "", false, nil},
		{`{"data":{"text":"cut of`, `{"data":{"text":"cut of"}}`, "cut of", true, nil},
		{`{"data":{"text":"a","url":["x","y"],`, `{"data":{"text":"a","url":["x","y"]}}`, "a", true, []string{`"x"`, `"y"`}},
		{`{"data":{"text":"a \"{[" `, `{"data":{"text":"a \"{[" }}`, `a "{[`, true, nil},
		{"{\"data\":{\"text\":\"two\nlines\"}}", `{"data":{"text":"two\nlines"}}`, "two\nlines", true, nil},
		{`{"data":{"text":"a"]`, "", `{"data":{"text":"a"]`, false, nil},
		{`{"data":`, "", `{"data":`, false, nil},
		{`{"data":{"text":"a\`, "", `{"data":{"text":"a\`, false, nil},
		{`{not JSON}`, "", `{not JSON}`, false, nil},
		{`{"data":{"text":"a"}}}`, "", `{"data":{"text":"a"}}}`, false, nil},
		{`{"data":{"url":"http://x"}}`, `{"data":{"url":"http://x"}}`, "", false, []string{`"http://x"`}},
		{`{"data":"a"}`, `{"data":"a"}`, "a", false, nil},
		{`{"text":"a"}`, `{"text":"a"}`, "a", false, nil},
		{`{"data":{"text":12,"url":[1,"u",null,""]}}`, `{"data":{"text":12,"url":[1,"u",null,""]}}`, "12", false, []string{`"u"`}},
		{`{"data":null}`, `{"data":null}`, "", false, nil},
		{`{}`, `{}`, "", false, nil},
	} {
		var w rows.Walker
		got := readFollow(&w, []byte(tt.in))
		var urls []string
		for _, u := range got.urls {
			urls = append(urls, string(u))
		}
		if string(got.document) != tt.doc || string(got.text) != tt.text || got.repaired != tt.repaired || !slices.Equal(urls, tt.urls) {
			t.Errorf("%s: document %s, text %q, repaired %v, urls %v", tt.in, got.document, got.text, got.repaired, urls)
		}
	}
}

// A document that lost any of its closing brackets comes back whole.
func TestRepairRestoresWhatWasCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc, err := json.Marshal(map[string]any{"data": map[string]any{
			"text": rapid.StringMatching(`[a-z{}\[\]",:\\ \n中文]*`).Draw(t, "text"), "url": rapid.SliceOf(rapid.StringMatching(`[a-z}\]"]+`)).Draw(t, "url"),
		}})
		if err != nil {
			t.Fatal(err)
		}
		closers := len(doc) - len(strings.TrimRight(string(doc), `]}`))
		cut := rapid.IntRange(0, closers).Draw(t, "cut")
		var w rows.Walker
		mended, repaired, ok := repair(&w, doc[:len(doc)-cut])
		if !ok || string(mended) != string(doc) || repaired != (cut > 0) {
			t.Fatalf("%s cut by %d: %s, %v, %v", doc, cut, mended, repaired, ok)
		}
	})
}

func FuzzRepair(f *testing.F) {
	for _, seed := range []string{`{"data":{"text":"Beautiful China","url":[]}`, `{"data":{"text":"a } b","url":["x"`, `plain`, "{\"a\":\"\n", `{"a":1,`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if !utf8.Valid(text) { // it comes from a JSON string
			return
		}
		var w rows.Walker
		got := readFollow(&w, text)
		switch {
		case got.document == nil && string(got.text) != string(text):
			t.Fatalf("%q is kept as %q", text, got.text)
		case got.document != nil && !json.Valid(got.document):
			t.Fatalf("%q becomes %q", text, got.document)
		case got.document != nil && !got.repaired && string(got.document) != string(text):
			t.Fatalf("%q is changed to %q and not called repaired", text, got.document)
		}
		for _, u := range got.urls {
			if !json.Valid(u) {
				t.Fatalf("%q has the address %q", text, u)
			}
		}
	})
}
