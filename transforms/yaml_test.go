package transforms

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// traps are scalars that some readers of YAML take for something else than what stands there.
var traps = []string{
	"NO", "no", "No", "yes", "Yes", "on", "off", "y", "n", "Y", "N", "1_000", "0x10", "0o17", "017", "007", "1e3", "1:30", "12:30:45", "2024-01-01",
	"2024-01-01 10:00:00", "1.0", "1", "true", "True", "TRUE", "false", ".5", "+1", "-0", ".inf", ".nan", "1.", "1.10", "@", "%d", "=", "0b11", "1__0",
}

// quotable are those that stand in a flow of YAML as they are.
func plainScalar(s string) bool { return !strings.ContainsAny(s[:1], "@%`") }

// TestKeysAreText: a key of a map is the text that was written, quoted or not, and finds texts that look like it.
func TestKeysAreText(t *testing.T) {
	for _, word := range traps {
		for _, key := range []string{word, `"` + word + `"`} {
			if key == word && !plainScalar(word) {
				continue
			}
			out := apply(t, fmt.Sprintf("streams:\n  contacts:\n    fields:\n      r: {from: a, map: {%s: hit}}\n", key), "", `{"a":"`+word+`"}`)
			if len(out.rows) != 1 || out.rows[0] != `{"r":"hit"}` {
				t.Errorf("map: {%s: hit} of the text %s: %v %v", key, word, out.rows, out.rejects)
			}
		}
	}
	for _, c := range []struct{ keys, in, want string }{
		{`1: x`, `1`, "x"}, {`"1": x`, `1`, "x"}, {`1: x`, `1.0`, "x"}, {`1.0: x`, `1`, "x"}, {`1.0: x`, `1.0`, "x"}, {`"1.0": x`, `1.0`, "x"}, {`"1.0": x, 1: y`, `1.0`, "y"},
		{`true: x`, `true`, "x"}, {`"true": x`, `true`, "x"}, {`True: x`, `true`, "x"}, {`TRUE: x`, `"TRUE"`, "x"}, {`yes: x`, `true`, ""}, {`1: x`, `true`, ""},
		{`1e3: x`, `1e3`, "x"}, {`1e3: x`, `1000`, ""}, {`0x10: x`, `16`, ""}, {`1_000: x`, `1000`, ""}, {`-1: x`, `-1`, "x"}, {`2.50: x`, `2.50`, "x"},
		{`12345678901234567890: x`, `12345678901234567890`, "x"}, {`"": x`, `""`, "x"}, {`"null": x`, `"null"`, "x"},
	} {
		out := apply(t, "streams: {contacts: {fields: {r: {from: a, map: {"+c.keys+"}, default: none}}}}", "", `{"a":`+c.in+`}`)
		want := c.want
		if want == "" {
			want = "none"
		}
		if len(out.rows) != 1 || out.rows[0] != `{"r":"`+want+`"}` {
			t.Errorf("map: {%s} of %s: %v %v, want %s", c.keys, c.in, out.rows, out.rejects, want)
		}
	}
	for _, key := range []string{"~", "null", "Null"} {
		if _, err := Parse("m", []byte("streams:\n  s:\n    fields:\n      r:\n        map:\n          "+key+": x\n")); err == nil || !strings.Contains(err.Error(), "m:6: streams.s.fields.r.map") {
			t.Errorf("the key %q: %v, want a fault with its place", key, err)
		}
	}
}

// TestValuesAreWhatTheyLook: a constant is the text that was written, or a number or boolean that JSON would read the same
// way; what could be either is a fault, not a guess.
func TestValuesAreWhatTheyLook(t *testing.T) {
	text := func(s string) string { return string(mustJSON(t, s)) }
	refused := "!"
	for word, want := range map[string]string{
		"NO": text("NO"), "yes": text("yes"), "on": text("on"), "y": text("y"), "1:30": text("1:30"), "2024-01-01": text("2024-01-01"), "2024-01-01 10:00:00": text("2024-01-01 10:00:00"),
		"1": "1", "1.0": "1.0", "1.10": "1.10", "1e3": "1e3", "true": "true", "True": "true", "-5": "-5", "12345678901234567890": "12345678901234567890",
		"1_000": refused, "0x10": refused, "0o17": refused, "017": refused, "007": refused, ".5": refused, "+1": refused, ".inf": refused, "1.": refused,
		"00:11:22:33": text("00:11:22:33"), "1.2.3": text("1.2.3"), "~": refused, "": refused,
	} {
		for _, doc := range []string{"value: %s", "from: a, default: %s"} {
			doc = "streams: {contacts: {fields: {r: {" + fmt.Sprintf(doc, word) + "}}}}"
			if _, err := Parse("m", []byte(doc)); err != nil || want == refused {
				if err == nil || want != refused {
					t.Errorf("%s: %v, want %s", doc, err, want)
				}
				continue
			}
			if out := apply(t, doc, "", `{}`); len(out.rows) != 1 || out.rows[0] != `{"r":`+want+`}` {
				t.Errorf("%s: %v %v, want %s", doc, out.rows, out.rejects, want)
			}
		}
	}
	for _, c := range []struct{ field, in, want string }{
		{`{from: a, date: {in: 2006, out: "%Y"}}`, ``, ""},
		{`{from: a, join: 1}`, `["x","y"]`, `"x1y"`},
		{`{from: a, split: no}`, `"xnoy"`, `["x","y"]`},
		{`{template: 2024-01-01}`, `1`, `"2024-01-01"`},
		{`{from: NO}`, `1`, ``},
		{`{from: a, replace: {text: yes, with: no}}`, `"yes"`, `"no"`},
	} {
		doc := "streams: {contacts: {fields: {r: " + c.field + "}}}"
		if c.in == "" {
			if _, err := Parse("m", []byte(doc)); err == nil {
				t.Errorf("%s is taken", doc)
			}
			continue
		}
		want := "{}"
		if c.want != "" {
			want = `{"r":` + c.want + `}`
		}
		if out := apply(t, doc, "", `{"a":`+c.in+`}`); len(out.rows) != 1 || out.rows[0] != want {
			t.Errorf("%s: %v %v, want %s", doc, out.rows, out.rejects, want)
		}
	}
}

// TestNamesOfFieldsAreText: fields and streams may have names that look like something else.
func TestNamesOfFieldsAreText(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		word := rapid.SampledFrom(traps).Filter(func(s string) bool { return plainScalar(s) && !strings.Contains(s, ".") && s != "=" }).Draw(rt, "word")
		out := apply(t, "streams:\n  contacts:\n    fields:\n      "+word+": {from: "+word+"}\n", "", `{"`+word+`":"v"}`)
		if len(out.rows) != 1 || out.rows[0] != `{"`+word+`":"v"}` {
			rt.Fatalf("the field %s: %v %v", word, out.rows, out.rejects)
		}
	})
}

// TestStreamsByName: the entry of the very name wins, else the first glob that fits, in the order written.
func TestStreamsByName(t *testing.T) {
	spec := mustParse(t, "m", `streams: {"c*": {fields: {x: {value: glob}}}, contacts: {fields: {x: {value: name}}}, "*": skip, "con?": {fields: {x: {value: late}}}}`)
	for stream, want := range map[string]string{"contacts": "contacts", "conx": "c*", "c": "c*", "leads": "*", "": "*"} {
		if got := spec.match(stream); got == nil || got.pattern != want {
			t.Errorf("stream %q goes by %v, want %s", stream, got, want)
		}
	}
}
