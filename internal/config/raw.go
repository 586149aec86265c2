package config

import (
	"bytes"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
)

// Raw is a free-form block: text of YAML (or JSON) for another reader. The zero value is "not given".
type Raw struct {
	Name string // the file's name, for messages
	// Text begins with as many empty lines as the document has before the block, so that a reader's line numbers are the
	// document's own. Where the block was given as a string, it is that string.
	Text []byte
}

// IsZero reports whether the block was not given.
func (r Raw) IsZero() bool { return len(bytes.TrimSpace(r.Text)) == 0 }

// freeForm hands a subtree over as text. References in it are not resolved, except where the whole block is a string.
func (d *decoder) freeForm(n *yaml.Node, path string) *value {
	v := &value{path: path, line: n.Line}
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() != "!!str" {
			d.fault(n.Line, path, "must be a mapping or text, not %s", kindOf(n))
			return nil
		}
		s, _, ok := d.expand(n, path)
		if !ok {
			return nil
		}
		v.raw = &Raw{Name: d.name + " (" + path + ")", Text: []byte(s)}
		return v
	case yaml.MappingNode:
	default:
		d.fault(n.Line, path, "must be a mapping, not %s", kindOf(n))
		return nil
	}
	if text := d.slice(n); text != nil {
		v.raw = &Raw{Name: d.name, Text: text}
		return v
	}
	plain := d.plain(n, path)
	if plain == nil {
		return nil
	}
	text, err := yaml.Marshal(plain)
	if err != nil {
		d.fault(n.Line, path, "cannot be written as YAML")
		return nil
	}
	v.raw = &Raw{Name: d.name, Text: append(bytes.Repeat([]byte("\n"), max(n.Line-1, 0)), text...)}
	return v
}

// slice cuts a block mapping out of the document, lines and columns in place. nil: it cannot be cut (JSON, flow style,
// aliases to somewhere else).
func (d *decoder) slice(n *yaml.Node) []byte {
	if d.json || n.Style&yaml.FlowStyle != 0 || n.Anchor != "" || hasAlias(n) || n.Column < 1 {
		return nil
	}
	lines := strings.SplitAfter(string(d.data), "\n")
	if n.Line > len(lines) || n.Line < 1 {
		return nil
	}
	first := lines[n.Line-1]
	if len(first) < n.Column || strings.TrimLeft(first[:n.Column-1], " ") != "" {
		return nil
	}
	var b strings.Builder
	b.WriteString(strings.Repeat("\n", n.Line-1))
	for _, line := range lines[n.Line-1:] {
		body := strings.TrimRight(line, " \r\n")
		indent := len(body) - len(strings.TrimLeft(body, " "))
		if body != "" && indent < n.Column-1 && body[indent] != '#' {
			break
		}
		b.WriteString(line)
	}
	return []byte(b.String())
}

func hasAlias(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode {
		return true
	}
	for _, c := range n.Content {
		if hasAlias(c) {
			return true
		}
	}
	return false
}

// plain copies a subtree with its aliases unfolded. nil: a fault was found.
func (d *decoder) plain(n *yaml.Node, path string) *yaml.Node {
	if n = d.resolve(n, path); n == nil {
		return nil
	}
	out := *n
	out.Anchor, out.Content = "", nil
	for _, c := range n.Content {
		p := d.plain(c, path+".*")
		if p == nil {
			return nil
		}
		out.Content = append(out.Content, p)
	}
	return &out
}

// Choice is the value of a field with OneOf.
type Choice struct {
	Name string // of the variant; "": not given
	v    *value
	d    *decoder
}

// Decode writes the variant's values into the struct that into points to and validates it, as the package's Decode does.
func (c Choice) Decode(into any) error {
	if c.v == nil {
		return connector.Internalf("", "config: decode of a choice that was not given")
	}
	d := &decoder{Options: c.d.Options, name: c.d.name}
	if err := d.target(into, c.v); err != nil {
		return err
	}
	return d.err()
}
