package transforms

import (
	"regexp"
	"strconv"
	"strings"
)

var opReplace = Op{
	Name:      "replace",
	Signature: `replace: {pattern: "\\s+", with: " "} | {text: "-", with: ""} | a list of them`,
	Doc: "Replaces every match of a regular expression (RE2) or every occurrence of a text, several one after the other. " +
		"In `with`, `$1` or `${name}` is what a group of the pattern matched and `$$` a dollar sign; with `text` it stands for itself.",
	In: Scalar, Out: Text, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: a, replace: {pattern: "\\s+", with: " "}}`, In: `{"a":"a \t b"}`, Out: `"a b"`},
		{Field: `{from: a, replace: {text: "$", with: ""}}`, In: `{"a":"$12$"}`, Out: `"12"`},
		{Field: `{from: a, replace: {pattern: "^(\\w+), (\\w+)$", with: "$2 $1"}}`, In: `{"a":"Doe, Jane"}`, Out: `"Jane Doe"`},
		{Field: `{from: a, replace: [{text: "（", with: "("}, {text: "）", with: ")"}]}`, In: `{"a":"（张）"}`, Out: `"(张)"`},
		{Field: `{from: a, replace: {text: a, with: b}}`, In: `{"a":["a"]}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		list := []arg{a}
		if a.isList() {
			if list = a.list(); len(list) == 0 {
				a.problem("the list is empty")
			}
		}
		var all []replacement
		for _, item := range list {
			if r, ok := item.replacement(); ok {
				all = append(all, r)
			}
		}
		return &step{run: values(scalar("replace", func(_ *exec, s string) (value, *fault) {
			for _, r := range all {
				s = r.in(s)
			}
			return textValue(s), nil
		}))}
	},
}

// replacement is one thing to replace: a pattern, or a text where that is nil.
type replacement struct {
	pattern    *regexp.Regexp
	text, with string
}

func (r *replacement) in(s string) string {
	if r.pattern == nil {
		return strings.ReplaceAll(s, r.text, r.with)
	}
	return r.pattern.ReplaceAllString(s, r.with)
}

func (a arg) replacement() (r replacement, ok bool) {
	set := a.settings("pattern", "text", "with")
	pattern, hasPattern := set["pattern"]
	text, hasText := set["text"]
	with, hasWith := set["with"]
	switch {
	case !a.isMap():
		return r, false // said by settings
	case hasPattern == hasText:
		a.problem("takes either pattern or text")
		return r, false
	case !hasWith:
		a.problem(`needs with: what stands in its place; "" takes matches away`)
		return r, false
	}
	if r.with, ok = with.str(); !ok {
		return r, false
	}
	if hasText {
		if r.text, ok = text.str(); ok && r.text == "" {
			text.problem("the text to replace is empty")
		}
		return r, ok && r.text != ""
	}
	if r.pattern, ok = pattern.pattern(); ok {
		ok = with.groupsOf(r.pattern)
	}
	return r, ok
}

// pattern reads a regular expression.
func (a arg) pattern() (*regexp.Regexp, bool) {
	s, ok := a.str()
	if !ok {
		return nil, false
	}
	re, err := regexp.Compile(s)
	if err != nil {
		a.problem("%s", strings.Replace(err.Error(), "error parsing regexp: ", "not a regular expression: ", 1))
		return nil, false
	}
	return re, true
}

var groupRef = regexp.MustCompile(`\$(?:\$|\{(\w+)\}|(\w+))`)

// groupsOf tells whether the groups that a replacement names are there. `$1x` would be the group "1x", not "1" and an x.
func (a arg) groupsOf(re *regexp.Regexp) bool {
	ok := true
	for _, m := range groupRef.FindAllStringSubmatch(a.node.Value, -1) {
		name := m[1] + m[2]
		n, err := strconv.Atoi(name)
		if name == "" || err == nil && n <= re.NumSubexp() || err != nil && re.SubexpIndex(name) >= 0 {
			continue
		}
		ok = false
		a.problem("the pattern has no group %q; write ${1} where a letter follows, and $$ for a dollar sign", name)
	}
	return ok
}
