package transforms

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestExamples runs every example of every op: they are what the reference shows.
func TestExamples(t *testing.T) {
	for _, op := range Ops() {
		t.Run(op.Name, func(t *testing.T) {
			if len(op.Examples) == 0 {
				t.Fatal("the op has no example")
			}
			if op.Signature == "" || op.Doc == "" {
				t.Error("the op has no documentation")
			}
			codes := map[string]bool{}
			for _, ex := range op.Examples {
				codes[ex.Code] = true
				out := apply(t, fmt.Sprintf("streams: {contacts: {fields: {result: %s}}}", ex.Field), "", ex.In)
				switch {
				case ex.Code != "":
					if len(out.rejects) != 1 || out.rejects[0].Code != ex.Code || out.rejects[0].Field != "result" {
						t.Errorf("%s of %s: refused as %v, want %s", ex.Field, ex.In, out.rejects, ex.Code)
					}
				case len(out.rows) != 1:
					t.Errorf("%s of %s: refused as %v, want %s", ex.Field, ex.In, out.rejects, ex.Out)
				default:
					want := "{}"
					if ex.Out != "" {
						want = fmt.Sprintf(`{"result":%s}`, ex.Out)
					}
					if !sameJSON(out.rows[0], want) {
						t.Errorf("%s of %s: got %s, want %s", ex.Field, ex.In, out.rows[0], want)
					}
				}
			}
			for _, code := range op.Errors {
				if code != codeBadValue && !codes[code] {
					t.Errorf("no example shows %s", code)
				}
			}
		})
	}
}

// TestOrderOfShortcuts: shortcut keys take effect in one order, however they are written.
func TestOrderOfShortcuts(t *testing.T) {
	keys := []string{`from: a`, `json: decode`, `split: ","`, `each: [trim]`, `unique: true`, `join: "/"`, `default: none`, `truncate: 7`, `max_length: 7`, `type: text`}
	want := `{"result":"x y/b/c"}`
	for range 20 {
		rand.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		out := apply(t, "streams: {contacts: {fields: {result: {"+strings.Join(keys, ", ")+"}}}}", "", `{"a":"\"x y, b ,c ,b, long\""}`)
		if len(out.rows) != 1 || out.rows[0] != want {
			t.Fatalf("%s: got %v %v, want %s", strings.Join(keys, ", "), out.rows, out.rejects, want)
		}
	}
}

// TestEscapedMembers: the names of members are read without their escapes, and written with those they need.
func TestEscapedMembers(t *testing.T) {
	out := apply(t, `streams: {contacts: {fields: {r: {from: o, keys: {map: {a: "q\"", b: "y"}, pass: "^[cd]$"}}, s: {from: [o.c, o.zz]}}}}`, "", `{"o":{"\u0061":1,"\u0062":"\u00e4","\u0063":3,"d":4}}`)
	if want := `{"r":{"q\"":1,"y":"ä","c":3,"d":4},"s":3}`; len(out.rows) != 1 || !sameJSON(out.rows[0], want) {
		t.Errorf("got %v %v, want %s", out.rows, out.rejects, want)
	}
}
