package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func sampleSchema(t *testing.T) []byte {
	t.Helper()
	out, err := JSONSchema(sampleFields, SchemaOptions{Title: "Sample Spec", Groups: []Group{
		{ID: "basics", Title: "Basics", Fields: []string{"name", "secret", "to"}},
		{ID: "rest", Title: "The rest", Fields: []string{"port"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestJSONSchemaGolden(t *testing.T) {
	golden(t, "testdata/schema.json", string(sampleSchema(t)))
}

// TestJSONSchemaValidates compiles the schema as draft 7 and lets it judge documents: what it passes, Decode must take.
func TestJSONSchemaValidates(t *testing.T) {
	out := sampleSchema(t)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft7)
	c.AssertFormat()
	if err := c.AddResource("spec.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("spec.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		doc string
		ok  bool
	}{
		{`{"name": "x"}`, true},
		{`{"name": "x", "from_elsewhere": 1}`, true}, // hosts add keys; Decode is stricter
		{`{"name": "x", "to": {"vendor": "alpha", "token": "t", "pages": 2}, "custom": [{"name": "a", "value": "c_1"}], "mapping": "streams: {}"}`, true},
		{`{"name": "x", "to": {"vendor": "beta"}, "from": {"type": "file", "path": "p"}, "limits": {"max": 1, "deep": {}}}`, true},
		{`{}`, false},
		{`{"name": 1}`, false},
		{`{"name": "x", "to": {"vendor": "gamma"}}`, false},
		{`{"name": "x", "to": {"vendor": "alpha"}}`, false},
		{`{"name": "x", "to": {"alpha": {"token": "t"}}}`, false},
		{`{"name": "x", "port": 0}`, false},
		{`{"name": "x", "mode": "other"}`, false},
		{`{"name": "x", "url": "ftp://x"}`, false},
		{`{"name": "x", "tags": [1]}`, false},
		{`{"name": "x", "custom": [{"name": "a"}]}`, false},
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(c.doc))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != c.ok {
			t.Errorf("%s: schema says %v, want ok %v", c.doc, err, c.ok)
		}
		err = DecodeWith(Options{Literal: true}, "c.json", []byte(c.doc), sampleFields, &sample{})
		if strings.Contains(c.doc, "elsewhere") || strings.Contains(c.doc, `"alpha": {`) {
			continue
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: Decode says %v, want ok %v", c.doc, err, c.ok)
		}
	}
}

// TestSchemaRules holds the generated schema to what Airbyte's acceptance tests demand, and shows that each rule catches
// its defect.
func TestSchemaRules(t *testing.T) {
	if faults := schemaFaults(sampleSchema(t)); len(faults) > 0 {
		t.Errorf("faults: %s", strings.Join(faults, "\n"))
	}
	for _, c := range []struct{ name, schema, want string }{
		{"$ref", `{"properties": {"a": {"type": "object", "title": "A", "$ref": "#/x"}}}`, "$ref"},
		{"anyOf", `{"properties": {"a": {"title": "A", "type": "string", "anyOf": []}}}`, "anyOf"},
		{"not", `{"properties": {"a": {"title": "A", "type": "string", "not": {}}}}`, "not"},
		{"if", `{"if": {}, "properties": {}}`, "if"},
		{"patternProperties", `{"patternProperties": {}}`, "patternProperties"},
		{"additionalProperties", `{"additionalProperties": false}`, "additionalProperties"},
		{"empty object", `{"properties": {"a": {"title": "A", "type": "object"}}}`, "empty object"},
		{"type list", `{"properties": {"a": {"title": "A", "type": ["string", "integer"]}}}`, "type"},
		{"items", `{"properties": {"a": {"title": "A", "type": "array", "items": {"type": "boolean"}}}}`, "items"},
		{"order", `{"properties": {"a": {"title": "A", "type": "string", "order": 0}, "b": {"title": "B", "type": "string", "order": 0}}}`, "order"},
		{"title", `{"properties": {"a": {"type": "string"}}}`, "title"},
		{"secret default", `{"properties": {"a": {"title": "A", "type": "string", "airbyte_secret": true, "default": "x"}}}`, "default"},
		{"unmarked secret", `{"properties": {"api_token": {"title": "A", "type": "string"}}}`, "airbyte_secret"},
		{"secret boolean", `{"properties": {"a": {"title": "A", "type": "boolean", "airbyte_secret": true}}}`, "airbyte_secret"},
		{"required default", `{"required": ["a"], "properties": {"a": {"title": "A", "type": "string", "default": "x"}}}`, "required"},
		{"required unknown", `{"required": ["b"], "properties": {"a": {"title": "A", "type": "string"}}}`, "required"},
		{"enum repeats", `{"properties": {"a": {"title": "A", "type": "string", "enum": ["x", "x"]}}}`, "enum"},
		{"no discriminator", `{"properties": {"a": {"title": "A", "type": "object", "oneOf": [{"type": "object", "title": "V", "properties": {"b": {"title": "B", "type": "string"}}}]}}}`, "discriminator"},
		{"const with default", `{"properties": {"a": {"title": "A", "type": "object", "oneOf": [{"type": "object", "title": "V", "required": ["k"], "properties": {"k": {"type": "string", "const": "v", "default": "v"}}}]}}}`, "const"},
		{"const twice", `{"properties": {"a": {"title": "A", "type": "object", "oneOf": [{"type": "object", "title": "V", "required": ["k"], "properties": {"k": {"type": "string", "const": "v"}}}, {"type": "object", "title": "W", "required": ["k"], "properties": {"k": {"type": "string", "const": "v"}}}]}}}`, "const"},
		{"const not required", `{"properties": {"a": {"title": "A", "type": "object", "oneOf": [{"type": "object", "title": "V", "properties": {"k": {"type": "string", "const": "v"}}}]}}}`, "required"},
		{"display_type", `{"properties": {"a": {"title": "A", "type": "string", "display_type": "radio"}}}`, "display_type"},
		{"nested group", `{"properties": {"a": {"title": "A", "type": "object", "properties": {"b": {"title": "B", "type": "string", "group": "g"}}}}}`, "group"},
		{"unknown group", `{"properties": {"a": {"title": "A", "type": "string", "group": "g"}}}`, "group"},
	} {
		got := strings.Join(schemaFaults([]byte(c.schema)), "\n")
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: faults %q, want %q", c.name, got, c.want)
		}
	}
}

// schemaFaults lists what Airbyte's acceptance tests would refuse in a connectionSpecification.
func schemaFaults(schema []byte) []string {
	var root map[string]any
	if err := json.Unmarshal(schema, &root); err != nil {
		return []string{err.Error()}
	}
	c := &schemaRules{groups: map[string]bool{}}
	for _, g := range asList(root["groups"]) {
		c.groups[fmt.Sprint(g.(map[string]any)["id"])] = true
	}
	c.object("", root, true)
	return c.faults
}

type schemaRules struct {
	groups map[string]bool
	faults []string
}

func (c *schemaRules) fault(path, format string, args ...any) {
	c.faults = append(c.faults, path+": "+fmt.Sprintf(format, args...))
}

var forbidden = []string{"$ref", "not", "anyOf", "allOf", "patternProperties", "prefixItems", "if", "then", "else", "dependentSchemas", "dependentRequired", "dependencies", "definitions", "$defs"}

func (c *schemaRules) node(path string, n map[string]any, top bool) {
	for _, k := range forbidden {
		if _, ok := n[k]; ok {
			c.fault(path, "the keyword %s is forbidden", k)
		}
	}
	typ, isText := n["type"].(string)
	if !isText {
		c.fault(path, "type must be one word, not %v", n["type"])
	}
	if v, ok := n["additionalProperties"]; ok && v != true {
		c.fault(path, "additionalProperties must be true")
	}
	if _, ok := n["display_type"]; ok && n["oneOf"] == nil {
		c.fault(path, "display_type without oneOf")
	}
	if g, ok := n["group"]; ok && (!top || !c.groups[fmt.Sprint(g)]) {
		c.fault(path, "group below the top level, or unknown")
	}
	if n["airbyte_secret"] == true && (typ == "boolean" || typ == "object" || typ == "array" || n["const"] != nil) {
		c.fault(path, "airbyte_secret on a %s", typ)
	}
	if n["airbyte_secret"] == true && (n["default"] != nil || n["examples"] != nil) {
		c.fault(path, "a secret with a default or examples")
	}
	enum := asList(n["enum"])
	for i, e := range enum {
		if slices.Contains(enum[:i], e) {
			c.fault(path, "enum repeats %v", e)
		}
	}
	switch typ {
	case "object":
		if n["oneOf"] == nil && len(asMap(n["properties"])) == 0 {
			c.fault(path, "empty object")
		}
		c.object(path, n, false)
		c.variants(path, asList(n["oneOf"]))
	case "array":
		items := asMap(n["items"])
		if !slices.Contains([]any{"object", "string", "number", "integer"}, items["type"]) {
			c.fault(path, "items of type %v", items["type"])
			return
		}
		c.node(path+"[]", items, false)
	}
}

func (c *schemaRules) object(path string, n map[string]any, root bool) {
	if root {
		for _, k := range forbidden {
			if _, ok := n[k]; ok {
				c.fault(path, "the keyword %s is forbidden", k)
			}
		}
		if v, ok := n["additionalProperties"]; ok && v != true {
			c.fault(path, "additionalProperties must be true")
		}
	}
	props, orders := asMap(n["properties"]), map[string]string{}
	required := asList(n["required"])
	for _, r := range required {
		if props[fmt.Sprint(r)] == nil {
			c.fault(path, "required names %v, which is not there", r)
		}
	}
	for name, v := range props {
		p, at := asMap(v), path+"."+name
		if p["title"] == nil && p["const"] == nil {
			c.fault(at, "no title")
		}
		if o := fmt.Sprint(p["order"], "/", p["group"]); p["order"] != nil {
			if orders[o] != "" {
				c.fault(at, "order %s is also that of %s", o, orders[o])
			}
			orders[o] = name
		}
		scalar := p["type"] == "string" || p["type"] == "integer" || p["type"] == "number"
		if scalar && p["const"] == nil && p["enum"] == nil && p["airbyte_secret"] != true && secretNames.MatchString(name) {
			c.fault(at, "the name demands airbyte_secret")
		}
		if p["default"] != nil && slices.Contains(required, any(name)) {
			c.fault(at, "required and with a default")
		}
		c.node(at, p, root)
	}
}

func (c *schemaRules) variants(path string, list []any) {
	consts := map[string][]string{}
	for i, v := range list {
		o := asMap(v)
		at := fmt.Sprintf("%s.oneOf[%d]", path, i)
		c.node(at, o, false)
		for name, p := range asMap(o["properties"]) {
			value, ok := asMap(p)["const"].(string)
			if !ok {
				continue
			}
			if slices.Contains(consts[name], value) {
				c.fault(at, "const %s is not unique", value)
			}
			consts[name] = append(consts[name], value)
			if asMap(p)["default"] != nil || asMap(p)["enum"] != nil {
				c.fault(at, "a const beside enum or default")
			}
			if !slices.Contains(asList(o["required"]), any(name)) {
				c.fault(at, "the const property is not required")
			}
		}
	}
	shared := 0
	for _, values := range consts {
		if len(values) == len(list) {
			shared++
		}
	}
	if len(list) > 0 && shared != 1 {
		c.fault(path, "%d properties could be the discriminator; there must be one", shared)
	}
}

func asMap(v any) map[string]any { m, _ := v.(map[string]any); return m }
func asList(v any) []any         { l, _ := v.([]any); return l }
