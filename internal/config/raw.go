package config

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
)

// Raw is a free-form block for another reader. The zero value is "not given".
type Raw struct {
	Name string     // the file's name, for messages
	Node *yaml.Node // the block as it stands in the document, with its places; nil: it was given as a string
	Text string     // the string
}

// IsZero reports whether the block was not given.
func (r Raw) IsZero() bool { return r.Node == nil && strings.TrimSpace(r.Text) == "" }

// freeForm hands a subtree over. References in it are not resolved, except where the whole block is a string.
func (d *decoder) freeForm(n *yaml.Node, path string) *value {
	v := &value{path: path, place: placeOf(n)}
	switch n.Kind {
	case yaml.ScalarNode:
		if n.ShortTag() != "!!str" {
			d.fault(placeOf(n), path, "must be a mapping or text, not %s", kindOf(n))
			return nil
		}
		s, _, ok := d.expand(n, path, false)
		if !ok {
			return nil
		}
		v.raw = &Raw{Name: d.name + " (" + path + ")", Text: s}
		return v
	case yaml.MappingNode:
	default:
		d.fault(placeOf(n), path, "must be a mapping, not %s", kindOf(n))
		return nil
	}
	if !d.unfold(n, path) {
		return nil
	}
	v.raw = &Raw{Name: d.name, Node: n}
	return v
}

// unfold visits a subtree with its aliases: false if it unfolds to too much.
func (d *decoder) unfold(n *yaml.Node, path string) bool {
	if n = d.resolve(n, path); n == nil {
		return false
	}
	for _, c := range n.Content {
		if !d.unfold(c, path+".*") {
			return false
		}
	}
	return true
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
