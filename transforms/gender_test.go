package transforms

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/sluicehq/sluice/connector"
	"pgregory.net/rapid"
)

func TestGenders(t *testing.T) {
	for _, c := range []struct{ steps, in, want string }{
		{"gender: true", "\ufeff MALE\u00a0", "male"}, {"gender: true", "ｆｅｍａｌｅ", "female"}, {"gender: true", "女士", "female"}, {"gender: true", "Mr.", "male"},
		{"gender: true", "UNKOWNN", "unknown"}, {"gender: true", "N/A", "unknown"}, {"gender: true", "？", "unknown"}, {"gender: true", "\u3000", ""}, {"gender: true", "", ""},
		{"gender: true", "0", "!"}, {"gender: true", "１", "!"}, {"gender: true", "true", "!"}, {"gender: true", "malee", "!"}, {"gender: true", "♂♀", "!"}, {"gender: true", strings.Repeat("male", 99), "!"},
		{"gender: {map: {1.0: male}}", "1", "male"}, {"gender: {map: {Да: male}}", " дА ", "male"}, {"gender: {map: {m: female}}", "M", "female"}, {"gender: {map: {m: null}}", "M", ""},
		{"gender: {map: {True: male}}", "TRUE", "male"}, {"gender: true, default: unknown", "3", "unknown"}, {"gender: {to: {male: 男, female: 女}}", "f", "女"}, {"gender: {to: {male: 男, female: 女}}", "u", ""},
	} {
		x := stepOf(t, c.steps)
		v, rejects := x.one(textValue(c.in))
		got, _ := x.text(v)
		if len(rejects) > 0 {
			got = "!"
			if rejects[0].Code != connector.CodeUnmapped {
				t.Errorf("%s of %q: refused as %v", c.steps, c.in, rejects[0])
			}
		}
		if got != c.want {
			t.Errorf("%s of %q: %q, want %q", c.steps, c.in, got, c.want)
		}
	}
}

func TestGenderMessages(t *testing.T) {
	x := stepOf(t, "gender: true")
	for in, want := range map[string]string{
		"2":  "gender: \"2\" is a bare number or flag, and CRMs disagree about what those mean. Write `gender: {map: {1: male, 2: female, 0: unknown}}` into the field of your mapping, with the meanings that your source gives them",
		"-7": "gender: \"-7\" is a bare number or flag, and CRMs disagree about what those mean. Write `gender: {map: {-7: unknown}}` into the field of your mapping, with the meanings that your source gives them",
		"Hr": "gender: \"Hr\" is no word that it knows. Write `gender: {map: {\"hr\": unknown}}` into the field of your mapping, with male, female or unknown behind the word, or `default: unknown` for all such words",
	} {
		if _, rejects := x.one(textValue(in)); len(rejects) != 1 || rejects[0].Message != want {
			t.Errorf("%q: %v", in, rejects)
		}
	}
	for doc, problem := range map[string]string{
		"gender: {to: {male: 1}}":         "does not say what male and female become",
		"gender: {map: {1: man}}":         "takes male, female or unknown",
		"gender: {vocabulary: {}}":        `unknown setting "vocabulary"`,
		"gender: m":                       "takes true or false",
		"gender: {to: {m: 1, female: 2}}": `unknown setting "m"`,
	} {
		_, err := Parse("m", []byte("streams: {s: {fields: {d: {from: c, "+doc+"}}}}"))
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %s", doc, err, problem)
		}
	}
}

// TestGenderLines: the line that a refusal proposes is one that compiles and reads the value.
func TestGenderLines(outer *testing.T) {
	rapid.Check(outer, func(t *rapid.T) {
		in := rapid.OneOf(rapid.StringMatching(`-?[0-9]{1,4}`), rapid.SampledFrom([]string{"true", "no", "ÿ\"x", "a: b", "{", "'", "\\", "#x", "~"}), rapid.StringOfN(rapid.RuneFrom(nil, unicode.Letter, unicode.Punct), 1, 5, -1)).Draw(t, "in")
		_, rejects := stepOf(outer, "gender: true").one(textValue(in))
		if len(rejects) == 0 {
			return
		}
		_, rest, _ := strings.Cut(rejects[0].Message, "Write `")
		line, _, ok := strings.Cut(rest, "` into")
		if !ok {
			t.Fatalf("%q proposes no line: %s", in, rejects[0].Message)
		}
		if _, rejects := stepOf(outer, line).one(textValue(in)); len(rejects) > 0 {
			t.Fatalf("%q is refused under the line %s: %v", in, line, rejects)
		}
	})
}

// TestGenderVocabulary: no word stands for two genders, each is written as texts are folded, and none is a number.
func TestGenderVocabulary(t *testing.T) {
	seen := map[string]string{}
	for gender, words := range genderWords {
		for word := range strings.FieldsSeq(words) {
			if folded := string(appendFolded(nil, word)); folded != word || isNumber(word) {
				t.Errorf("%q is not found as %q", word, folded)
			}
			if before := seen[word]; before != "" {
				t.Errorf("%q is %s and %s", word, before, gender)
			}
			seen[word] = gender
		}
	}
}

func FuzzGender(f *testing.F) {
	for _, s := range []string{"Male", "女", "Ｆ", "1", "", "\u200b", "\xff", "İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x := stepOf(t, "gender: true")
		v, rejects := x.one(textValue(s))
		if len(rejects) > 0 {
			if m := rejects[0].Message; utf8.ValidString(s) && !utf8.ValidString(m) {
				t.Fatalf("message %q", m)
			}
			return
		}
		if again, rejects := x.one(v); len(rejects) > 0 || again.s != v.s {
			t.Fatalf("gender of %q is %q, and of that %q %v", s, v.s, again.s, rejects)
		}
		if !v.missing() && genderWords[v.s] == "" {
			t.Fatalf("gender of %q is %q", s, v.s)
		}
	})
}
