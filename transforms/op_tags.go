package transforms

import (
	"slices"
	"strconv"
	"strings"

	"github.com/go-faster/jx"
	"github.com/sluicehq/sluice/connector"
)

var opTags = Op{
	Name:      "tags",
	Signature: `tags: true | {split: "," | [",", …], join: ",", replace: "、"}`,
	Doc: "Makes a list of tags from whatever a source calls one: a list, a JSON text of one, a text with commas (also the full-width one), or `[a,b]` as some webhooks print it. " +
		"Blanks around a tag go, empty tags and repeated ones too, the order stays. `split` are the separators of texts, `\",\"` and `\"，\"` unless given. `join` makes one text of the list; a tag " +
		"that holds this separator is refused, since whoever splits the text would read it as two. `replace` puts another text in the place of separators inside the tags of a list instead.",
	In: Scalar | List, Out: 0, Errors: []string{connector.CodeSeparator, codeBadValue},
	Examples: []Example{
		{Field: `{from: t, tags: true}`, In: `{"t":" vip, 老客户，new ,, vip"}`, Out: `["vip","老客户","new"]`},
		{Field: `{from: t, tags: true}`, In: `{"t":["a ","b",null,"a",7]}`, Out: `["a","b","7"]`},
		{Field: `{from: t, tags: true}`, In: `{"t":"[\"a,b\",\"c\"]"}`, Out: `["a,b","c"]`},
		{Field: `{from: t, tags: true}`, In: `{"t":"[vip,new]"}`, Out: `["vip","new"]`},
		{Field: `{from: t, tags: true}`, In: `{"t":""}`, Out: `[]`},
		{Field: `{from: t, tags: {split: ";"}}`, In: `{"t":"a, b;c"}`, Out: `["a, b","c"]`},
		{Field: `{from: t, tags: {join: ","}}`, In: `{"t":["a","b"]}`, Out: `"a,b"`},
		{Field: `{from: t, tags: {join: ",", replace: "、"}}`, In: `{"t":["a,b","c"]}`, Out: `"a、b,c"`},
		{Field: `{from: t, tags: {join: ","}}`, In: `{"t":["a,b","c"]}`, Code: connector.CodeSeparator},
		{Field: `{from: t, tags: true}`, In: `{"t":[["a"]]}`, Code: codeBadValue},
		{Field: `{from: t, tags: true}`, In: `{"t":{"a":1}}`, Code: codeBadValue},
	},
	parse: parseTags,
}

// commas separate the tags of a text unless a mapping says otherwise.
var commas = []string{",", "，"}

// tagsStep is a tags step made ready.
type tagsStep struct {
	split   []string
	join    string // "": the tags stay a list
	replace string
	instead *strings.Replacer // nil: separators in tags stay
}

func parseTags(a arg) *step {
	t := &tagsStep{split: commas}
	if !a.isMap() {
		if !a.flag() {
			return nil
		}
		return t.step()
	}
	settings := a.settings("split", "join", "replace")
	if s, ok := settings["split"]; ok {
		t.split = s.strs()
		if slices.ContainsFunc(t.split, blankText) {
			s.problem("a separator is empty or blank")
			return nil
		}
	}
	if j, ok := settings["join"]; ok {
		if t.join, ok = j.str(); ok && blankText(t.join) {
			j.problem("the separator is empty or blank: leave join out for a list")
		}
	}
	if r, ok := settings["replace"]; ok {
		if t.replace, ok = r.str(); ok {
			t.replaceBy(r)
		}
	}
	return t.step()
}

func blankText(s string) bool { return strings.TrimSpace(s) == "" }

// replaceBy makes ready what replaces separators. One that is a separator itself must stay what it is.
func (t *tagsStep) replaceBy(at arg) {
	var pairs []string
	for _, sep := range append([]string{t.join}, t.split...) {
		if sep != "" {
			pairs = append(pairs, sep, t.replace)
		}
	}
	t.instead = strings.NewReplacer(pairs...)
	if t.instead.Replace(t.replace) != t.replace || t.join != "" && strings.Contains(t.replace, t.join) {
		at.problem("%q holds a separator itself", t.replace)
	}
}

func (t *tagsStep) step() *step {
	out := List
	if t.join != "" {
		out = Text
	}
	return &step{out: always(out), run: values(t.read)}
}

func (t *tagsStep) read(x *exec, v value) (value, *fault) {
	list, start := v, len(x.items)
	if s, ok := x.text(v); ok {
		if list, ok = x.printedList(s); !ok {
			t.cut(x, s)
			list = x.listFrom(start)
		}
	}
	list, ok := x.elements(list)
	if !ok {
		return v, &fault{codeBadValue, "tags takes a list or a text, not " + v.noun() + ". Name the member that holds them, as in `from: tags.names`"}
	}
	from := len(x.items)
	for i := range x.listOf(list) {
		item := x.listOf(list)[i]
		s, ok := x.text(item)
		if !ok && !item.missing() {
			return v, &fault{codeBadValue, "tags takes a list of texts; one of its elements is " + item.noun()}
		}
		if s = trimBlank(s); t.instead != nil {
			s = trimBlank(t.replaced(x, s))
		}
		if s != "" && !hasText(x.items[from:], s) {
			x.items = append(x.items, textValue(s))
		}
	}
	if t.join == "" {
		return x.listFrom(from), nil
	}
	return t.joined(x, v, x.items[from:])
}

// cut appends the pieces of a text to the items.
func (t *tagsStep) cut(x *exec, s string) {
	if trimmed := trimBlank(s); len(trimmed) >= 2 && trimmed[0] == '[' && trimmed[len(trimmed)-1] == ']' && !bracketsApart(trimmed) {
		s = trimmed[1 : len(trimmed)-1]
	}
	for {
		at, width := nextSeparator(s, t.split)
		x.items = append(x.items, textValue(s[:at]))
		if width == 0 {
			return
		}
		s = s[at+width:]
	}
}

// bracketsApart reports whether the brackets at the ends of a text are those of two words: [vip],[new].
func bracketsApart(s string) bool {
	depth, apart := 0, false
	for i := range len(s) {
		switch s[i] {
		case '[':
			depth++
		case ']':
			depth--
		}
		apart = apart || depth == 0 && i < len(s)-1
	}
	return apart && depth == 0
}

// nextSeparator finds the first separator in s; the end of s and 0 where there is none.
func nextSeparator(s string, seps []string) (at, width int) {
	at = len(s)
	for _, sep := range seps {
		if i := strings.Index(s[:at], sep); i >= 0 {
			at, width = i, len(sep)
		}
	}
	return at, width
}

// printedList reads a text that is a JSON list.
func (x *exec) printedList(s string) (value, bool) {
	if s = trimBlank(s); len(s) < 2 || s[0] != '[' || s[len(s)-1] != ']' {
		return value{}, false
	}
	// Most lists that are no JSON show it in the first sign, which costs less than an error does.
	if first := trimJSON(s[1:]); strings.IndexByte(`"[]{-0123456789tfn`, first[0]) < 0 || !jx.Valid(bytesOf(s)) {
		return value{}, false
	}
	return value{s: s, k: kindArray}, true
}

// replaced replaces separators in a tag. The result stands in the arena where anything changes.
func (t *tagsStep) replaced(x *exec, s string) string {
	if _, width := nextSeparator(s, t.split); width == 0 && (t.join == "" || !strings.Contains(s, t.join)) {
		return s
	}
	return x.store(append(x.buf[:0], t.instead.Replace(s)...))
}

func hasText(items []value, s string) bool {
	for _, item := range items {
		if item.s == s {
			return true
		}
	}
	return false
}

// joined makes one text of tags, all of which are texts.
func (t *tagsStep) joined(x *exec, v value, tags []value) (value, *fault) {
	dst := x.buf[:0]
	for i, tag := range tags {
		if strings.Contains(tag.s, t.join) {
			return v, &fault{connector.CodeSeparator, "tags: " + x.shown(tag) + " holds the separator " + strconv.Quote(t.join) +
				". Rename the tag, or write `tags: {replace: \"、\"}` into the field of your mapping"}
		}
		if i > 0 {
			dst = append(dst, t.join...)
		}
		dst = append(dst, tag.s...)
	}
	x.buf = dst
	return textValue(x.store(dst)), nil
}
