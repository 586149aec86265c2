package config

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
)

// SchemaOptions are what a form needs beyond the fields.
type SchemaOptions struct {
	Title string
	// Groups gather top-level fields under headings, in this order.
	Groups []Group
}

// Group is a heading of a form and the names of the top-level fields below it.
type Group struct {
	ID, Title string
	Fields    []string
}

// JSONSchema returns the fields as a JSON Schema, draft 7, indented, in the dialect that Airbyte's forms read: one object
// per OneOf variant with a constant discriminator, an order everywhere, secrets marked, none of the keywords that
// Airbyte's acceptance tests forbid ($ref, allOf, anyOf, not, patternProperties …).
//
// Two shapes differ from what a file may hold, because a form has no field for them: a map is a list of name and value,
// a free-form object a text of several lines. Decode reads both.
func JSONSchema(fields []connector.Field, o SchemaOptions) ([]byte, error) {
	root := objectSchema(fields)
	root.Schema, root.Title, root.Additional = "http://json-schema.org/draft-07/schema#", o.Title, new(true)
	for _, g := range o.Groups {
		root.Groups = append(root.Groups, group{g.ID, g.Title})
		for i := range root.Properties {
			if slices.Contains(g.Fields, root.Properties[i].name) {
				root.Properties[i].Group = g.ID
			}
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		return nil, connector.Internalf("", "config schema: %w", err)
	}
	return b.Bytes(), nil
}

// schema is one node; the order of its fields is the order in the output.
type schema struct {
	name string // its key among the parent's properties

	Schema      string     `json:"$schema,omitempty"`
	Title       string     `json:"title,omitempty"`
	Description string     `json:"description,omitempty"`
	Type        string     `json:"type"`
	Const       string     `json:"const,omitempty"`
	Enum        []string   `json:"enum,omitempty"`
	Default     any        `json:"default,omitempty"`
	Pattern     string     `json:"pattern,omitempty"`
	Minimum     *float64   `json:"minimum,omitempty"`
	Maximum     *float64   `json:"maximum,omitempty"`
	Examples    []any      `json:"examples,omitempty"`
	Secret      bool       `json:"airbyte_secret,omitempty"`
	Multiline   bool       `json:"multiline,omitempty"`
	Show        bool       `json:"always_show,omitempty"`
	Group       string     `json:"group,omitempty"`
	Order       *int       `json:"order,omitempty"`
	Required    []string   `json:"required,omitempty"`
	Display     string     `json:"display_type,omitempty"`
	OneOf       []*schema  `json:"oneOf,omitempty"`
	Items       *schema    `json:"items,omitempty"`
	Properties  properties `json:"properties,omitempty"`
	Additional  *bool      `json:"additionalProperties,omitempty"`
	Groups      []group    `json:"groups,omitempty"`
}

type group struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// properties keeps the table's order, which a Go map would lose.
type properties []*schema

func (p properties) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, s := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(mustJSON(s.name))
		b.WriteByte(':')
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func objectSchema(fields []connector.Field) *schema {
	s := &schema{Type: "object"}
	s.add(fields)
	return s
}

func (s *schema) add(fields []connector.Field) {
	for i := range fields {
		p := fieldSchema(&fields[i])
		p.Order = new(len(s.Properties))
		if fields[i].Required {
			s.Required = append(s.Required, p.name)
		}
		s.Properties = append(s.Properties, p)
	}
}

func fieldSchema(f *connector.Field) *schema {
	s := &schema{Type: string(f.Type)}
	switch f.Type {
	case connector.TypeObject:
		switch {
		case len(f.OneOf) > 0:
			s.variants(f)
		case len(f.Fields) > 0:
			s = objectSchema(f.Fields)
		default:
			s.Type, s.Multiline = "string", true
		}
	case connector.TypeArray:
		s.Items = itemSchema(f.Items)
	case connector.TypeMap:
		item := mapItem(f)
		s.Type, s.Items = "array", itemSchema(&item)
	default:
		s.scalar(f)
	}
	s.name, s.Title, s.Description = f.Name, f.Title, f.Doc
	s.Show = !f.Required && !f.Advanced
	return s
}

// itemSchema is an element of a list; it stands in no object, so it has neither order nor always_show.
func itemSchema(f *connector.Field) *schema {
	s := fieldSchema(f)
	s.Show = false
	return s
}

func (s *schema) scalar(f *connector.Field) {
	s.Enum, s.Pattern, s.Minimum, s.Maximum, s.Multiline = f.Enum, f.Pattern, f.Min, f.Max, f.Lines
	s.Secret = f.Secret || soundsSecret(f)
	if s.Secret {
		return // neither default nor examples: a form would show them
	}
	s.Examples = f.Examples
	if !f.Required {
		s.Default = f.Default
	}
}

func (s *schema) variants(f *connector.Field) {
	disc := discriminator(f)
	for _, v := range f.OneOf {
		o := &schema{Type: "object", Title: v.Title, Description: v.Doc, Required: []string{disc}}
		o.Properties = properties{{name: disc, Type: "string", Const: v.Name, Order: new(0)}}
		o.add(v.Fields)
		s.OneOf = append(s.OneOf, o)
	}
	if len(s.OneOf) <= 3 {
		s.Display = "radio"
	}
}

// secretNames are words that make Airbyte's acceptance tests demand airbyte_secret of a text or number, whatever it holds.
var secretNames = regexp.MustCompile(`token|secret|password|key|credential|tenant_id|certificate|jwt|service_account|app_?id`)

func soundsSecret(f *connector.Field) bool {
	return f.Type != connector.TypeBoolean && len(f.Enum) == 0 && secretNames.MatchString(strings.ToLower(f.Name))
}
