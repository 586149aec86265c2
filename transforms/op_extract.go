package transforms

import "regexp"

var opExtract = Op{
	Name:      "extract",
	Signature: `extract: "\\d+" | {pattern: "(\\w+)@(\\w+)", group: 2}`,
	Doc: "Keeps what a regular expression (RE2) matches first: its first group, or the whole match where it has none; `group` names another, " +
		"by number (0: the whole match) or name. What does not match is left out, so that `default` can stand in.",
	In: Scalar, Out: Text, Errors: []string{codeBadValue},
	Examples: []Example{
		{Field: `{from: a, extract: "\\d+"}`, In: `{"a":"VIP 12 (3)"}`, Out: `"12"`},
		{Field: `{from: a, extract: "level=(\\w+)"}`, In: `{"a":"x level=gold y"}`, Out: `"gold"`},
		{Field: `{from: a, extract: {pattern: "(?P<name>\\w+)@(\\w+)", group: 2}}`, In: `{"a":"li@qq.com"}`, Out: `"qq"`},
		{Field: `{from: a, extract: "\\d+"}`, In: `{"a":"none"}`, Out: ``},
		{Field: `{from: a, extract: "\\d+", default: "0"}`, In: `{"a":"none"}`, Out: `"0"`},
		{Field: `{from: a, extract: "\\d+"}`, In: `{"a":{"b":1}}`, Code: codeBadValue},
	},
	parse: func(a arg) *step {
		re, group, ok := a.extraction()
		if !ok {
			return nil
		}
		return &step{run: values(scalar("extract", func(_ *exec, s string) (value, *fault) {
			m := re.FindStringSubmatchIndex(s)
			if m == nil || m[2*group] < 0 {
				return value{}, nil
			}
			return textValue(s[m[2*group]:m[2*group+1]]), nil
		}))}
	},
}

func (a arg) extraction() (re *regexp.Regexp, group int, ok bool) {
	if !a.isMap() {
		re, ok = a.pattern()
		return re, first(re), ok
	}
	set := a.settings("pattern", "group")
	pattern, found := set["pattern"]
	if !found {
		a.problem("needs pattern")
		return nil, 0, false
	}
	if re, ok = pattern.pattern(); !ok {
		return nil, 0, false
	}
	which, found := set["group"]
	if !found {
		return re, first(re), true
	}
	name, ok := which.str()
	if !ok {
		return nil, 0, false
	}
	if n, isNumber := parseInt(name); isNumber {
		group = int(n)
	} else {
		group = re.SubexpIndex(name)
	}
	if group < 0 || group > re.NumSubexp() {
		which.problem("the pattern has no group %q", name)
		return nil, 0, false
	}
	return re, group, true
}

// first is the group that is kept where none is named.
func first(re *regexp.Regexp) int {
	if re == nil {
		return 0
	}
	return min(1, re.NumSubexp())
}
