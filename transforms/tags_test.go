package transforms

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// stepOf makes the step of a field that reads c.
func stepOf(t testing.TB, steps string) *exec {
	t.Helper()
	m, err := Compile(mustParse(t, "m", "streams: {s: {fields: {d: {from: c, "+steps+"}}}}"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := build(m.opts, m.user, "s", m.user.match("s"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return newExec(b.graph)
}

// tagsOf gives the elements of a list.
func (x *exec) tagsOf(v value) []string {
	var all []string
	for _, item := range x.listOf(v) {
		all = append(all, item.s)
	}
	return all
}

func TestTags(t *testing.T) {
	for _, c := range []struct{ steps, in, want string }{
		{"tags: true", "a,b", "a|b"},
		{"tags: true", "a，b，，", "a|b"},
		{"tags: true", "[a, b ,a]", "a|b"},
		{"tags: true", ` ["x","y,z"] `, "x|y,z"},
		{"tags: true", `[1,true,null,"1"]`, "1|true"},
		{"tags: true", "[vip],[new]", "[vip]|[new]"},
		{"tags: true", "[[vip],[new]]", "[vip]|[new]"},
		{"tags: true", "[a],b]", "a]|b"},
		{"tags: true", "[]", ""},
		{"tags: true", "[ , ]", ""},
		{"tags: true", "[", "["},
		{"tags: true", "]", "]"},
		{"tags: true", `["a"`, `["a"`},
		{"tags: true", "\ufeffvip\u200b,\u3000new\u00a0", "vip|new"},
		{"tags: true", "Do not, call", "Do not|call"},
		{"tags: true", `["\u00e4\n","ä"]`, "ä"},
		{`tags: {split: [";", "|"]}`, "a;b|c,d", "a|b|c,d"},
		{`tags: {split: ["::", ":"]}`, "a::b:c", "a|b|c"},
		{`tags: {replace: "/"}`, `["a,b","c，d"]`, "a/b|c/d"},
		{`tags: {replace: "，"}`, `["a,b","c，d"]`, "a，b|c，d"},
		{`tags: {replace: ""}`, `["a,","a"]`, "a"},
	} {
		x := stepOf(t, c.steps)
		v, rejects := x.one(textValue(c.in))
		if got := strings.Join(x.tagsOf(v), "|"); len(rejects) > 0 || v.k != kindList || got != c.want {
			t.Errorf("%s of %q: %q %v, want %q", c.steps, c.in, got, rejects, c.want)
		}
	}
}

func TestTagsMessages(t *testing.T) {
	x := stepOf(t, `tags: {join: ","}`)
	_, rejects := x.one(value{s: `["a,b"]`, k: kindArray})
	want := "tags: \"a,b\" holds the separator \",\". Rename the tag, or write `tags: {replace: \"、\"}` into the field of your mapping"
	if len(rejects) != 1 || rejects[0].Message != want {
		t.Errorf("got %v", rejects)
	}
	for doc, problem := range map[string]string{
		`tags: {join: ""}`:                `empty or blank`,
		`tags: {split: [""]}`:             `empty or blank`,
		`tags: {join: ",", replace: ","}`: `holds a separator itself`,
		`tags: {replace: "，，"}`:           `holds a separator itself`,
		`tags: {sep: ","}`:                `unknown setting "sep"`,
		`tags: a`:                         `takes true or false`,
	} {
		_, err := Parse("m", []byte("streams: {s: {fields: {d: {from: c, "+doc+"}}}}"))
		if err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %s", doc, err, problem)
		}
	}
}

// TestTagsTwice: a list of tags is canonical, and survives being joined and split again.
func TestTagsTwice(outer *testing.T) {
	once, text := stepOf(outer, "tags: true"), stepOf(outer, `tags: {join: ","}`)
	whole := stepOf(outer, `tags: {join: ",", replace: "、"}`)
	rapid.Check(outer, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab, ，[]\"\\é🔥\u3000\ufeff")), 0, 6, -1), 0, 5).Draw(t, "tags")
		in := value{s: string(mustJSON(outer, list)), k: kindArray}
		if list == nil {
			in.s = "[]"
		}
		v, rejects := once.one(in)
		first := once.tagsOf(v)
		again, more := once.one(v)
		if len(rejects)+len(more) > 0 || !slices.Equal(first, once.tagsOf(again)) {
			t.Fatalf("tags of %q: %q, then %q", list, first, once.tagsOf(again))
		}
		for _, s := range []*exec{text, whole} {
			joined, rejects := s.one(in)
			if len(rejects) > 0 {
				if s == whole || !strings.Contains(strings.Join(first, ""), ",") {
					t.Fatalf("tags of %q are refused: %v", list, rejects)
				}
				continue
			}
			if strings.ContainsAny(joined.s, "，[]") {
				continue // other separators and brackets have a meaning where a text is read
			}
			back, rejects := once.one(joined)
			if got := strings.Join(once.tagsOf(back), ","); len(rejects) > 0 || got != joined.s {
				t.Fatalf("tags of %q: %q, read back as %q %v", list, joined.s, got, rejects)
			}
		}
	})
}

func FuzzTags(f *testing.F) {
	for _, s := range []string{"a,b", "[a,b]", `["a","b,c"]`, "", "，", "[", `["\ud83d"]`, "[[1]]", `[{"a":1}]`, "a,a ,\ufeffa"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		x := stepOf(t, "tags: true")
		v, rejects := x.one(textValue(s))
		if len(rejects) > 0 {
			if !strings.Contains(s, "[") {
				t.Fatalf("tags of %q: %v", s, rejects)
			}
			return
		}
		seen := map[string]bool{}
		for _, tag := range x.tagsOf(v) {
			if tag == "" || tag != trimBlank(tag) || seen[tag] || utf8.ValidString(s) && !utf8.ValidString(tag) {
				t.Fatalf("tags of %q: %q", s, x.tagsOf(v))
			}
			seen[tag] = true
		}
	})
}
