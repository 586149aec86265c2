package infer

import (
	"fmt"
	"strings"
)

// plainName needs no quotes in YAML, wherever it stands.
var plainName = newForm(`^[A-Za-z_\p{Han}][A-Za-z0-9_\p{Han}]*( [A-Za-z0-9_\p{Han}]+)*$`)

// ambiguousName reads as something else in one version of YAML or another.
var ambiguousName = newForm(`(?i)^(y|n|yes|no|on|off|true|false|null|~)$`)

func yamlName(s string) string {
	if plainName.MatchString(s) && !ambiguousName.MatchString(s) {
		return s
	}
	return quoted(s)
}

// field writes a line without its indent.
func (l *Line) field() string {
	from := yamlName(l.From[0])
	if len(l.From) > 1 {
		names := make([]string, len(l.From))
		for i, n := range l.From {
			names[i] = yamlName(n)
		}
		from = "[" + strings.Join(names, ", ") + "]"
	}
	if l.Steps == "" && len(l.From) == 1 {
		return l.Target + ": " + from
	}
	if l.Steps == "" {
		return l.Target + ": {from: " + from + "}"
	}
	return l.Target + ": {from: " + from + ", " + l.Steps + "}"
}

// Active counts the fields that are not comments.
func (p *Proposal) Active() int {
	n := 0
	for i := range p.Lines {
		if !p.Lines[i].Off {
			n++
		}
	}
	return n
}

// YAML writes the mapping, with lines of comment before it.
func (p *Proposal) YAML(head ...string) []byte {
	var b strings.Builder
	for _, h := range head {
		fmt.Fprintf(&b, "# %s\n", h)
	}
	fmt.Fprintf(&b, "streams:\n  %s:\n    fields:\n", yamlName(p.Stream))
	for i := range p.Lines {
		l := &p.Lines[i]
		if l.Why != "" {
			fmt.Fprintf(&b, "      # unsure: %s.\n", l.Why)
		}
		off := ""
		if l.Off {
			off = "# "
		}
		fmt.Fprintf(&b, "      %s%s\n", off, l.field())
	}
	b.WriteString("    rest: drop\n")
	if len(p.Left) > 0 {
		b.WriteString("# Not mapped:\n")
	}
	for _, l := range p.Left {
		fmt.Fprintf(&b, "#   %s: %s\n", quoted(l.Column), l.Why)
	}
	return []byte(b.String())
}
