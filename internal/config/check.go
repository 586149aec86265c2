package config

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
)

// value is a checked part of the document: what assign writes into the struct.
type value struct {
	path   string
	place  place
	secret bool

	json    []byte // a scalar, as JSON
	members []named
	items   []*value // of an array; nil otherwise
	entries []named  // of a map
	variant *named   // of a OneOf
	raw     *Raw
	absent  bool // an object that the document does not hold: only defaults are below
}

type named struct {
	name string
	v    *value
}

// object checks a mapping against a table. It always returns a value, so that the search for faults goes on.
func (d *decoder) object(n *yaml.Node, path string, fields []connector.Field) *value {
	v := &value{path: path, place: placeOf(n)}
	if n.Kind != yaml.MappingNode {
		d.fault(placeOf(n), path, "must be a mapping of names to values, not %s", kindOf(n))
		return v
	}
	given := d.pairs(n, path)
	meant := map[string]bool{} // names that a mistyped key stands for: they are not missing beside
	for _, p := range given {
		if path == "" && d.HostKeys && strings.HasPrefix(p.name, "_") {
			continue
		}
		if find(fields, p.name) == nil {
			meant[Nearest(p.name, names(fields))] = true
			d.fault(placeOf(p.key), join(path, p.name), "unknown key%s", suggest(p.name, names(fields)))
		}
	}
	for i := range fields {
		f := &fields[i]
		if meant[f.Name] && !slices.ContainsFunc(given, func(p pair) bool { return p.name == f.Name }) {
			continue
		}
		if m := d.member(n, given, path, f); m != nil {
			v.members = append(v.members, named{f.Name, m})
		}
	}
	return v
}

// member finds and checks one field of a mapping; nil: nothing to assign.
func (d *decoder) member(n *yaml.Node, given []pair, path string, f *connector.Field) *value {
	at := join(path, f.Name)
	for _, p := range given {
		if p.name != f.Name {
			continue
		}
		if !isNull(p.value) {
			return d.field(p.value, at, f)
		}
		if f.Required {
			d.fault(placeOf(p.key), at, "required, but empty%s", where(f))
			return nil
		}
		return d.absent(at, f)
	}
	if f.Required {
		d.fault(placeOf(n), at, "required, but missing%s", where(f))
		return nil
	}
	return d.absent(at, f)
}

// absent is the value of a field that the document does not set: its default, or those of its members.
func (d *decoder) absent(path string, f *connector.Field) *value {
	if f.Default != nil {
		return &value{path: path, json: mustJSON(f.Default)}
	}
	if f.Type != connector.TypeObject || len(f.Fields) == 0 {
		return nil
	}
	v := &value{path: path, absent: true}
	for i := range f.Fields {
		if m := d.absent(join(path, f.Fields[i].Name), &f.Fields[i]); m != nil {
			v.members = append(v.members, named{f.Fields[i].Name, m})
		}
	}
	return v
}

// field checks one value. nil: a fault was found.
func (d *decoder) field(n *yaml.Node, path string, f *connector.Field) *value {
	n = d.resolve(n, path)
	if n == nil {
		return nil
	}
	switch f.Type {
	case connector.TypeObject:
		switch {
		case len(f.OneOf) > 0:
			return d.oneOf(n, path, f)
		case len(f.Fields) > 0:
			return d.object(n, path, f.Fields)
		}
		return d.freeForm(n, path)
	case connector.TypeArray:
		return d.array(n, path, f)
	case connector.TypeMap:
		return d.mapping(n, path, f)
	}
	return d.scalar(n, path, f)
}

func (d *decoder) array(n *yaml.Node, path string, f *connector.Field) *value {
	if n.Kind != yaml.SequenceNode {
		d.fault(placeOf(n), path, "must be a list, not %s", kindOf(n))
		return nil
	}
	v := &value{path: path, place: placeOf(n), items: []*value{}}
	for i, c := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if isNull(c) {
			d.fault(placeOf(c), at, "is empty; remove it or give it a value")
			continue
		}
		if item := d.field(c, at, f.Items); item != nil {
			v.items = append(v.items, item)
		}
	}
	return v
}

// mapping checks a map, written as a mapping or as a list of name and value.
func (d *decoder) mapping(n *yaml.Node, path string, f *connector.Field) *value {
	v := &value{path: path, place: placeOf(n), entries: []named{}}
	switch n.Kind {
	case yaml.MappingNode:
		for _, p := range d.pairs(n, path) {
			d.entry(v, placeOf(p.key), p.name, p.value, f)
		}
	case yaml.SequenceNode:
		item := mapItem(f)
		for i, c := range n.Content {
			if c = d.resolve(c, path); c == nil {
				return nil
			}
			o := d.object(c, fmt.Sprintf("%s[%d]", path, i), item.Fields)
			if len(o.members) == 2 && o.members[0].v.json != nil {
				d.entry(v, placeOf(c), text(o.members[0].v.json), c.Content[valueOf(c, "value")], f)
			}
		}
	default:
		d.fault(placeOf(n), path, "must be a mapping of names to values, not %s", kindOf(n))
		return nil
	}
	return v
}

func (d *decoder) entry(v *value, at place, name string, n *yaml.Node, f *connector.Field) {
	path := join(v.path, name)
	for _, e := range v.entries {
		if e.name == name {
			d.fault(at, path, "given twice")
			return
		}
	}
	if isNull(n) {
		d.fault(at, path, "is empty; remove it or give it a value")
		return
	}
	if item := d.field(n, path, f.Items); item != nil {
		v.entries = append(v.entries, named{name, item})
	}
}

// mapItem is the list form of a map's entry.
func mapItem(f *connector.Field) connector.Field {
	val := *f.Items
	val.Name, val.Required = "value", true
	if val.Title == "" {
		val.Title = "Value"
	}
	return connector.Field{Type: connector.TypeObject, Fields: []connector.Field{
		{Name: "name", Type: connector.TypeString, Title: "Name", Required: true}, val,
	}}
}

// valueOf is the index of a key's value within a mapping's content; the key is known to be there.
func valueOf(n *yaml.Node, key string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i + 1
		}
	}
	return 0
}

// oneOf checks a choice in either form.
func (d *decoder) oneOf(n *yaml.Node, path string, f *connector.Field) *value {
	if n.Kind != yaml.MappingNode {
		d.fault(placeOf(n), path, "must name one of %s, as in `%s: {%s: {...}}`, not %s", variants(f), f.Name, f.OneOf[0].Name, kindOf(n))
		return nil
	}
	given := d.pairs(n, path)
	disc := discriminator(f)
	name, at, body := "", path, n
	for _, p := range given {
		if p.name == disc && p.value.Kind == yaml.ScalarNode && !isNull(p.value) {
			name, body = p.value.Value, without(n, disc)
		}
	}
	if name == "" {
		if len(given) != 1 {
			d.fault(placeOf(n), path, "must hold exactly one key that names one of %s (it holds %d)", variants(f), len(given))
			return nil
		}
		name, at, body = given[0].name, join(path, given[0].name), given[0].value
	}
	for i := range f.OneOf {
		if f.OneOf[i].Name != name {
			continue
		}
		if isNull(body) {
			body = &yaml.Node{Kind: yaml.MappingNode, Line: body.Line, Column: body.Column}
		}
		if body = d.resolve(body, at); body == nil {
			return nil
		}
		return &value{path: path, place: placeOf(n), variant: &named{name, d.object(body, at, f.OneOf[i].Fields)}}
	}
	list := make([]string, len(f.OneOf))
	for i, o := range f.OneOf {
		list[i] = o.Name
	}
	if at == path {
		d.fault(placeOf(n), join(path, disc), "%q is not one of %s%s", name, variants(f), suggestOnly(name, list))
	} else {
		d.fault(placeOf(given[0].key), at, "unknown key%s", suggest(name, list))
	}
	return nil
}

func without(n *yaml.Node, key string) *yaml.Node {
	rest := *n
	rest.Content = nil
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value != key {
			rest.Content = append(rest.Content, n.Content[i], n.Content[i+1])
		}
	}
	return &rest
}

func discriminator(f *connector.Field) string {
	if f.Discriminator != "" {
		return f.Discriminator
	}
	return "type"
}

type pair struct {
	name       string
	key, value *yaml.Node
}

// pairs lists a mapping's keys; repeated keys, keys that are no text and YAML's merge key are faults.
func (d *decoder) pairs(n *yaml.Node, path string) []pair {
	seen := map[string]int{}
	var out []pair
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		switch first, twice := seen[k.Value]; {
		case k.Kind != yaml.ScalarNode:
			d.fault(placeOf(k), path, "a key must be plain text, not %s", kindOf(k))
		case k.ShortTag() == "!!merge":
			d.fault(placeOf(k), path, "the merge key << is not supported; write the keys out")
		case twice:
			d.fault(placeOf(k), join(path, k.Value), "given twice (first on line %d)", first)
		default:
			seen[k.Value] = k.Line
			if r := d.resolve(v, join(path, k.Value)); r != nil {
				out = append(out, pair{k.Value, k, r})
			}
		}
	}
	return out
}

// resolve follows an alias. nil: a fault was found.
func (d *decoder) resolve(n *yaml.Node, path string) *yaml.Node {
	d.budget--
	if n.Kind == yaml.AliasNode && n.Alias != nil {
		n = n.Alias
	}
	if d.budget < 0 || strings.Count(path, ".")+strings.Count(path, "[") > maxDepth {
		if d.budget > -maxNodes { // said once
			d.budget = -maxNodes
			d.fault(placeOf(n), "", "nested too deep, or aliases unfold to too much")
		}
		return nil
	}
	return n
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null"
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.ScalarNode:
		switch n.ShortTag() {
		case "!!null":
			return "nothing"
		case "!!bool":
			return "true or false"
		case "!!int", "!!float":
			return "a number"
		}
		return "text"
	}
	return "an alias"
}

func find(fields []connector.Field, name string) *connector.Field {
	for i := range fields {
		if fields[i].Name == name {
			return &fields[i]
		}
	}
	return nil
}

func names(fields []connector.Field) []string {
	out := make([]string, len(fields))
	for i, f := range fields {
		out[i] = f.Name
	}
	return out
}

func variants(f *connector.Field) string {
	out := make([]string, len(f.OneOf))
	for i, o := range f.OneOf {
		out[i] = o.Name
	}
	sort.Strings(out)
	return strings.Join(out, ", ")
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// where tells, in a few words of the field's own description, what a missing value is.
func where(f *connector.Field) string {
	doc, _, _ := strings.Cut(f.Doc, ". ")
	doc = strings.TrimSuffix(doc, ".")
	if doc == "" {
		return ""
	}
	return " (" + doc + ")"
}
