package rows

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

func TestRefusals(t *testing.T) {
	const badJSON, badUTF8, badType = connector.CodeBadJSON, connector.CodeBadUTF8, connector.CodeBadType
	for _, tc := range []struct{ in, code, field, message string }{
		{``, badJSON, "", "empty"},
		{" \n", badJSON, "", "empty"},
		{`[]`, badJSON, "", "a JSON array, not an object"},
		{`"x"`, badJSON, "", "a JSON string, not an object"},
		{`null`, badJSON, "", "a JSON null, not an object"},
		{`7`, badJSON, "", "a JSON number, not an object"},
		{`{`, badJSON, "", "too early"},
		{`{"s`, badJSON, "", "too early"},
		{`{"s"`, badJSON, "", "too early"},
		{`{"s":`, badJSON, "", "too early"},
		{`{"s":"x"`, badJSON, "", "too early"},
		{`{"s":"x",`, badJSON, "", "too early"},
		{`{"s":"x\`, badJSON, "", "too early"},
		{`{"s":"x\u12`, badJSON, "", "too early"},
		{`{"s":1.}`, badJSON, "", ""},
		{`{"s":tru}`, badJSON, "", ""},
		{`{"s":"x"}}`, badJSON, "", "behind the JSON value at offset 9"},
		{`{"s":"x"} {}`, badJSON, "", "behind the JSON value at offset 10"},
		{`{"s":"x",}`, badJSON, "", `'}' at 9`},
		{`{,}`, badJSON, "", ""},
		{`{"s" "x"}`, badJSON, "", ""},
		{`{"s":"x" "i":1}`, badJSON, "", ""},
		{`{s:1}`, badJSON, "", ""},
		{`{'s':1}`, badJSON, "", ""},
		{`{1:1}`, badJSON, "", ""},
		{`{"s":01}`, badJSON, "", ""},
		{`{"s":+1}`, badJSON, "", ""},
		{`{"s":.5}`, badJSON, "", ""},
		{`{"s":1e}`, badJSON, "", ""},
		{`{"s":-}`, badJSON, "", ""},
		{`{"s":NaN}`, badJSON, "", ""},
		{`{"s":"\x"}`, badJSON, "", ""},
		{`{"s":"\u12g4"}`, badJSON, "", ""},
		{`{"s":"` + "\n" + `"}`, badJSON, "", ""},
		{`{"zz":["` + "\x01" + `"]}`, badJSON, "", ""},
		{`{"zz":[1,]}`, badJSON, "", ""},
		{`{"zz":[1 2]}`, badJSON, "", ""},
		{`{"zz":{"a":1,}}`, badJSON, "", ""},
		{`{"zz":{"a"}}`, badJSON, "", ""},
		{`{"zz":{"a":[}]}}`, badJSON, "", ""},
		{"\ufeff{}", badJSON, "", ""},
		{"{\u00a0}", badJSON, "", ""},
		{"{\"s\":\f1}", badJSON, "", ""},
		{`{"s":1/**/}`, badJSON, "", ""},

		{"{\"s\":\"a\xffb\"}", badUTF8, "s", "byte 0xff at offset 7"},
		{"{\"i\":1,\"s\":\"\xe4\xbd\"}", badUTF8, "s", "byte 0xe4"},
		{"{\"s\":\"\xed\xa0\x80\"}", badUTF8, "s", ""}, // a surrogate as three bytes
		{"{\"s\":\"\xc0\x80\"}", badUTF8, "s", ""},     // an overlong NUL
		{"{\"s\":\"\xf4\x90\x80\x80\"}", badUTF8, "s", ""},
		{"{\"s\":\"\\n\xff\"}", badUTF8, "s", ""},
		{"{\"l\":[\"\xff\"]}", badUTF8, "l", ""},
		{"{\"l\":[[\"\xff\"]]}", badUTF8, "l", ""},
		{"{\"zz\":{\"\xff\":1}}", badUTF8, "zz", ""},
		{"{\"\xff\":1}", badUTF8, "", ""},
		{"{\"a\":1\xff}", badUTF8, "", ""},
		{"\xff", badUTF8, "", ""},
		{`{"s":"\ud800"}`, badUTF8, "s", `the escape \ud800 at offset 6 is half a character`},
		{`{"s":"\uDFFFx"}`, badUTF8, "s", ""},
		{`{"s":"\ud83dx\ude00"}`, badUTF8, "s", ""},
		{`{"s":"\ud83d\ud83d\ude00"}`, badUTF8, "s", `\ud83d at offset 6`},
		{`{"s":"\ude00\ud83d"}`, badUTF8, "s", ""},
		{`{"s":"\ud83d\n"}`, badUTF8, "s", ""},
		{`{"l":[{"a":"\ud800"}]}`, badUTF8, "l", ""},
		{`{"zz":"\ud800"}`, badUTF8, "zz", ""},
		{`{"\ud800":1}`, badUTF8, "", ""},

		{`{"s":{}}`, badType, "s", "the value an object or array"},
		{`{"s":[1]}`, badType, "s", ""},
		{`{"i":9223372036854775808}`, badType, "i", "beyond 64 bits"},
		{`{"i":-9223372036854775809}`, badType, "i", "beyond 64 bits"},
		{`{"i":1e19}`, badType, "i", "beyond 64 bits"},
		{`{"i":1e99999999999999999999}`, badType, "i", "beyond 64 bits"},
		{`{"i":"9223372036854775808"}`, badType, "i", "beyond 64 bits"},
		{`{"i":12.5}`, badType, "i", "fraction"},
		{`{"i":1e-1}`, badType, "i", "fraction"},
		{`{"i":1e-99999999999999999999}`, badType, "i", "fraction"},
		{`{"i":"012"}`, badType, "i", "a text that is none"},
		{`{"i":"+12"}`, badType, "i", "a text that is none"},
		{`{"i":" 12"}`, badType, "i", ""},
		{`{"i":"-0"}`, badType, "i", "another spelling"},
		{`{"i":"12.0"}`, badType, "i", "another spelling"},
		{`{"i":"1.5"}`, badType, "i", "fraction"},
		{`{"i":""}`, badType, "i", ""},
		{`{"i":"x"}`, badType, "i", ""},
		{`{"i":true}`, badType, "i", "the value a boolean"},
		{`{"i":[]}`, badType, "i", "the value an object or array"},
		{`{"b":1}`, badType, "b", "the value a number"},
		{`{"b":"True"}`, badType, "b", "the value a text"},
		{`{"b":{}}`, badType, "b", ""},
		{`{"n":"1."}`, badType, "n", "a text that is none"},
		{`{"n":""}`, badType, "n", ""},
		{`{"n":true}`, badType, "n", "the value a boolean"},
		{`{"n":[1]}`, badType, "n", ""},
		{`{"i":1,"i":"x"}`, badType, "i", ""},
		{`{"s":"fine","l":[1],"zz":1,"i":null,"b":"x"}`, badType, "b", ""},
	} {
		b := NewBuilder(checked(t), typedSchema)
		good := `{"s":"fine","i":7,"zz":"\u0041"}`
		if r := b.Append([]byte(good)); r != nil {
			t.Fatal(r)
		}
		before := b.Bytes()
		r := b.Append([]byte(tc.in))
		if r == nil {
			t.Errorf("%q was taken", tc.in)
			continue
		}
		if r.Code != tc.code || r.Field != tc.field || !strings.Contains(r.Message, tc.message) {
			t.Errorf("%q\n got %v\nwant %s %q %s", tc.in, r, tc.code, tc.field, tc.message)
		}
		if b.Len() != 1 || b.Bytes() != before {
			t.Errorf("%q: left %d rows, %d bytes; want 1, %d", tc.in, b.Len(), b.Bytes(), before)
		}
		// Nothing of the refused object may show in its placeholder or in the next row.
		b.AppendRefused([]byte(tc.in))
		if r := b.Append([]byte(`{}`)); r != nil {
			t.Fatal(r)
		}
		rec := b.NewRecord()
		for row, want := range map[int]string{0: good, 2: `{}`} {
			if got := string(AppendJSON(nil, rec, row)); got != want {
				t.Errorf("%q: row %d is %s, want %s", tc.in, row, got, want)
			}
		}
		checkPlaceholder(t, AppendJSON(nil, rec, 1), tc.in)
		rec.Release()
	}
}

// checkPlaceholder checks what a refused row prints: always JSON, and the text where it is no object.
func checkPlaceholder(t *testing.T, got []byte, raw string) {
	t.Helper()
	want := strings.TrimSpace(strings.ToValidUTF8(raw, "\ufffd"))
	if !json.Valid(got) {
		t.Errorf("placeholder of %q is no JSON: %s", raw, got)
	}
	if strings.HasPrefix(want, "{") && json.Valid([]byte(want)) {
		return
	}
	var m map[string]string
	if err := json.Unmarshal(got, &m); err != nil || len(m) != 1 {
		t.Errorf("placeholder of %q: got %s", raw, got)
	}
	if runs := func(s string) string { return strings.ReplaceAll(s, "\ufffd", "") }; runs(m["_extra"]) != runs(want) {
		t.Errorf("placeholder of %q: got %q", raw, m["_extra"])
	}
}

func TestRefusalError(t *testing.T) {
	r := &Refusal{Code: "bad_type", Field: "age", Message: "no number"}
	if got := r.Error(); got != `bad_type: field "age": no number` {
		t.Error(got)
	}
	if got := (&Refusal{Code: "bad_json", Message: "cut"}).Error(); got != "bad_json: cut" {
		t.Error(got)
	}
	res := r.Result(5)
	if res.Row != 5 || res.Verdict != connector.VerdictRejected || res.Code != r.Code || res.Field != r.Field || res.Message != r.Message {
		t.Errorf("got %+v", res)
	}
}

func TestDepth(t *testing.T) {
	nest := func(levels int, open, inner, shut string) string {
		return strings.Repeat(open, levels) + inner + strings.Repeat(shut, levels)
	}
	for _, tc := range []struct{ open, inner, shut string }{
		{`{"a":`, `{}`, `}`}, {`[`, `[]`, `]`}, {`[`, `["]}\"[{"]`, `]`}, {`{"a":[`, `[]`, `]}`},
	} {
		for levels := maxDepth - 2; levels <= maxDepth+1; levels++ {
			for _, n := range []int{levels, levels / 2} {
				object := `{"o":` + nest(n, tc.open, tc.inner, tc.shut) + `}`
				r := NewBuilder(nil, typedSchema).Append([]byte(object))
				if want := json.Valid([]byte(object)); (r == nil) != want {
					t.Errorf("%d times %s: valid %v, got %v", n, tc.open, want, r)
				}
				if r != nil && len(r.Message) > 100 {
					t.Errorf("a message of %d bytes", len(r.Message))
				}
			}
		}
	}
	r := NewBuilder(nil, typedSchema).Append([]byte(nest(20_000, `[`, ``, ``)))
	if r == nil || len(r.Message) > 100 {
		t.Errorf("got %v", r)
	}
	if got, want := fmt.Sprint(r), "bad_json: nested deeper than 10000 levels"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestTooBig(t *testing.T) {
	b := NewBuilder(nil, typedSchema)
	b.bytes = maxStaged - 50 // as if two gigabytes waited
	if r := b.Append([]byte(`{"s":"` + strings.Repeat("x", 100) + `"}`)); r == nil || r.Code != connector.CodeTooBig {
		t.Errorf("got %v", r)
	}
	b.bytes = maxStaged - b.fixed - 9
	b.AppendRefused([]byte("\xff\xff\xff\xff\xff\xff"))
	rec := b.NewRecord()
	defer rec.Release()
	if got, want := string(AppendJSON(nil, rec, 0)), `{"_extra":"`+strings.Repeat("\ufffd", 3)+`"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
