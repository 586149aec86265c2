package transforms

import "strings"

var opTemplate = Op{
	Name:      "template",
	Signature: `template: "{field} text {other.field}"`,
	Doc: "Puts fields into a text. A field that is missing leaves its place empty; where all of them are missing, nothing comes out. " +
		"`{{` and `}}` stand for braces. A list or an object cannot be put into a text.",
	Out: Text, Source: true, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{template: "{last}{first}"}`, In: `{"last":"张","first":"三"}`, Out: `"张三"`},
		{Field: `{template: "{first} {last}", trim: true}`, In: `{"first":"Ann"}`, Out: `"Ann"`},
		{Field: `{template: "{first} {last}"}`, In: `{"x":1}`, Out: ``},
		{Field: `{template: "{{{id}}}"}`, In: `{"id":12}`, Out: `"{12}"`},
		{Field: `{template: "{tags}"}`, In: `{"tags":["a"]}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		text, ok := a.str()
		if !ok {
			return nil
		}
		t, ok := parseTemplate(a, text)
		if !ok {
			return nil
		}
		return &step{fallback: len(t.refs) == 0, source: &source{
			refs: t.refs, fill: t.fill,
			out: func(in []Kinds) Kinds {
				if len(in) > 0 && union(in) == 0 {
					return 0
				}
				return Text
			},
		}}
	},
}

// textTemplate is texts with a field between each two: texts[0] refs[0] texts[1] refs[1] … texts[n].
type textTemplate struct {
	texts []string
	refs  []ref
}

func parseTemplate(a arg, s string) (*textTemplate, bool) {
	t := &textTemplate{}
	var text strings.Builder
	for s != "" {
		switch {
		case strings.HasPrefix(s, "{{"), strings.HasPrefix(s, "}}"):
			text.WriteByte(s[0])
			s = s[2:]
		case s[0] == '{':
			name, rest, ok := strings.Cut(s[1:], "}")
			name = strings.TrimSpace(name)
			if !ok || name == "" || strings.ContainsAny(name, "{") {
				a.problem("a field in braces is not closed or has no name; write {field}, and {{ for a brace")
				return nil, false
			}
			t.texts = append(t.texts, text.String())
			t.refs = append(t.refs, ref{name, a.pos()})
			text.Reset()
			s = rest
		case s[0] == '}':
			a.problem("a brace is closed that was not opened; write }} for a brace")
			return nil, false
		default:
			text.WriteByte(s[0])
			s = s[1:]
		}
	}
	t.texts = append(t.texts, text.String())
	return t, true
}

func (t *textTemplate) fill(x *exec, in []input, vec *vector) {
	for _, r := range x.sel {
		dst, found, null := append(x.buf[:0], t.texts[0]...), len(in) == 0, false
		var bad *fault
		for i := range in {
			v := x.get(&in[i], r)
			switch s, ok := x.text(v); {
			case ok:
				dst, found = append(dst, s...), true
			case v.missing():
				null = null || v.k == kindNull
			default:
				bad = &fault{codeBadValue, "template: " + in[i].ref.name + " is " + v.noun() + " and cannot be put into a text"}
			}
			dst = append(dst, t.texts[i+1]...)
		}
		x.buf = dst
		switch {
		case bad != nil:
			vec.set(r, x.fail(r, bad))
		case found:
			vec.setText(r, x.store(dst))
		case null:
			vec.kind[r] = kindNull
		default:
			vec.kind[r] = kindAbsent
		}
	}
}
