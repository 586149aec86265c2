package config

import (
	"strings"
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// sample is a configuration with a field of every kind; sampleFields is its table.
type sample struct {
	Name    string            `json:"name"`
	Secret  connector.Secret  `json:"secret"`
	Port    int               `json:"port"`
	Ratio   *float64          `json:"ratio"`
	On      bool              `json:"on"`
	Mode    string            `json:"mode"`
	URL     string            `json:"url"`
	Text    string            `json:"text"`
	Tags    []string          `json:"tags"`
	Peers   []peer            `json:"peers"`
	Custom  map[string]string `json:"custom"`
	Limits  limits            `json:"limits"`
	Extra   *limits           `json:"extra"`
	To      Choice            `json:"to"`
	From    source            `json:"from"`
	Mapping Raw               `json:"mapping"`
}

type peer struct {
	Host string `json:"host"`
	Port int    `json:"port"`
}

type limits struct {
	Max  int `json:"max"`
	Deep struct {
		Level int `json:"level"`
	} `json:"deep"`
}

type source struct {
	File  *fileSource  `json:"file"`
	Stdin *stdinSource `json:"stdin"`
}

type fileSource struct {
	Path string `json:"path"`
}

type stdinSource struct{}

type crm struct {
	Token connector.Secret `json:"token"`
	Pages int              `json:"pages"`
}

var crmFields = []connector.Field{
	{Name: "token", Type: connector.TypeString, Title: "Token", Doc: "Token of the account. From the console.", Required: true, Secret: true},
	{Name: "pages", Type: connector.TypeInteger, Title: "Pages", Doc: "Pages.", Default: 3, Min: connector.Bound(1)},
}

func limitFields() []connector.Field {
	return []connector.Field{
		{Name: "max", Type: connector.TypeInteger, Title: "Max", Doc: "Most.", Default: 7, Max: connector.Bound(100)},
		{Name: "deep", Type: connector.TypeObject, Title: "Deep", Doc: "Deep.", Advanced: true, Fields: []connector.Field{
			{Name: "level", Type: connector.TypeInteger, Title: "Level", Doc: "Level.", Default: 2},
		}},
	}
}

var sampleFields = []connector.Field{
	{Name: "name", Type: connector.TypeString, Title: "Name", Doc: "What to call it. Any text.", Required: true},
	{Name: "secret", Type: connector.TypeString, Title: "Secret", Doc: "The key.", Secret: true, Pattern: `^[A-Za-z0-9-]+$`},
	{Name: "port", Type: connector.TypeInteger, Title: "Port", Doc: "The port.", Default: 80, Min: connector.Bound(1), Max: connector.Bound(65535)},
	{Name: "ratio", Type: connector.TypeNumber, Title: "Ratio", Doc: "A share.", Min: connector.Bound(0), Max: connector.Bound(1)},
	{Name: "on", Type: connector.TypeBoolean, Title: "On", Doc: "Whether.", Default: true},
	{Name: "mode", Type: connector.TypeString, Title: "Mode", Doc: "How.", Enum: []string{"upsert", "replace", "insert"}, Default: "upsert"},
	{Name: "url", Type: connector.TypeString, Title: "URL", Doc: "Where.", Pattern: `^https?://`, Examples: []any{"https://example.com"}},
	{Name: "text", Type: connector.TypeString, Title: "Text", Doc: "A text.", Lines: true, Advanced: true},
	{Name: "tags", Type: connector.TypeArray, Title: "Tags", Doc: "Words.", Items: &connector.Field{Type: connector.TypeString}},
	{Name: "peers", Type: connector.TypeArray, Title: "Peers", Doc: "Hosts.", Items: &connector.Field{Type: connector.TypeObject, Fields: []connector.Field{
		{Name: "host", Type: connector.TypeString, Title: "Host", Doc: "Host.", Required: true},
		{Name: "port", Type: connector.TypeInteger, Title: "Port", Doc: "Port.", Default: 1},
	}}},
	{Name: "custom", Type: connector.TypeMap, Title: "Custom", Doc: "Names.", Items: &connector.Field{Type: connector.TypeString, Pattern: `^c_[0-9]+$`}},
	{Name: "limits", Type: connector.TypeObject, Title: "Limits", Doc: "Limits.", Fields: limitFields()},
	{Name: "extra", Type: connector.TypeObject, Title: "Extra", Doc: "More limits.", Fields: limitFields()},
	{Name: "to", Type: connector.TypeObject, Title: "Target", Doc: "Where to.", Discriminator: "vendor", OneOf: []connector.Variant{
		{Name: "alpha", Title: "Alpha", Doc: "The first.", Fields: crmFields},
		{Name: "beta", Title: "Beta"},
	}},
	{Name: "from", Type: connector.TypeObject, Title: "Source", Doc: "Where from.", OneOf: []connector.Variant{
		{Name: "file", Title: "File", Fields: []connector.Field{{Name: "path", Type: connector.TypeString, Title: "Path", Doc: "Path.", Required: true}}},
		{Name: "stdin", Title: "Standard input"},
	}},
	{Name: "mapping", Type: connector.TypeObject, Title: "Mapping", Doc: "Free-form."},
}

func TestCheckTableHoldsSample(t *testing.T) {
	CheckTable(t, sampleFields, &sample{Port: 80, On: true, Mode: "upsert"})
	CheckTable(t, crmFields, &crm{Pages: 3})
}

// TestCheckTableFinds plants one defect at a time.
func TestCheckTableFinds(t *testing.T) {
	str := func(change func(*connector.Field)) []connector.Field {
		f := connector.Field{Name: "a_field", Type: connector.TypeString, Title: "A", Doc: "B."}
		change(&f)
		return []connector.Field{f}
	}
	type text struct {
		A string `json:"a_field"`
	}
	type secret struct {
		A connector.Secret `json:"a_field"`
	}
	for _, c := range []struct {
		name   string
		fields []connector.Field
		into   any
		want   string
	}{
		{"no struct field", str(func(f *connector.Field) { f.Name = "b" }), &text{}, `no exported field with the tag json:"b"`},
		{"no table entry", nil, &text{}, "in config.text, but not in the table"},
		{"untagged", nil, &struct{ Plain string }{}, "Plain (no json tag)"},
		{"not a struct", nil, new(int), "not a pointer to a struct"},
		{"twice", append(str(func(*connector.Field) {}), str(func(*connector.Field) {})...), &text{}, "twice"},
		{"name", str(func(f *connector.Field) { f.Name = "aField" }), &struct {
			A string `json:"aField"`
		}{}, "snake_case"},
		{"title", str(func(f *connector.Field) { f.Title = "" }), &text{}, "no title"},
		{"kind", str(func(f *connector.Field) { f.Type = connector.TypeInteger }), &text{}, "string cannot hold a value of type integer"},
		{"unknown type", str(func(f *connector.Field) { f.Type = "date" }), &text{}, `unknown type "date"`},
		{"secret in a string", str(func(f *connector.Field) { f.Secret = true }), &text{}, "Secret is true in the table"},
		{"secret not marked", str(func(*connector.Field) {}), &secret{}, "Secret is false in the table"},
		{"secret with default", str(func(f *connector.Field) { f.Secret, f.Default = true, "x" }), &secret{}, "without default"},
		{"default not in enum", str(func(f *connector.Field) { f.Enum, f.Default = []string{"x"}, "y" }), &text{}, "not one of x"},
		{"default of another type", str(func(f *connector.Field) { f.Default = 4 }), &text{}, "must be text"},
		{"default differs", str(func(f *connector.Field) { f.Default = "x" }), &text{A: "y"}, `default is "x" in the table and "y" in the struct`},
		{"default and required", str(func(f *connector.Field) { f.Default, f.Required = "x", true }), &text{}, "cannot have a default"},
		{"example", str(func(f *connector.Field) { f.Pattern, f.Examples = "^b", []any{"a"} }), &text{}, "does not have the form"},
		{"pattern", str(func(f *connector.Field) { f.Pattern = "(" }), &text{}, "pattern"},
		{"list without items", str(func(f *connector.Field) { f.Type = connector.TypeArray }), &text{}, "needs Items"},
		{"free form", str(func(f *connector.Field) { f.Type = connector.TypeObject }), &text{}, "needs a config.Raw"},
		{"object in text", str(func(f *connector.Field) { f.Type, f.Fields = connector.TypeObject, crmFields }), &text{}, "cannot hold an object"},
		{"discriminator taken", str(func(f *connector.Field) {
			f.Type, f.Discriminator = connector.TypeObject, "token"
			f.OneOf = []connector.Variant{{Name: "a", Title: "A", Fields: crmFields}}
		}), &struct {
			A Choice `json:"a_field"`
		}{}, "discriminator's name"},
		{"variant twice", str(func(f *connector.Field) {
			f.Type = connector.TypeObject
			f.OneOf = []connector.Variant{{Name: "a", Title: "A"}, {Name: "a", Title: "A"}}
		}), &struct {
			A Choice `json:"a_field"`
		}{}, "repeated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(tableFaults(c.fields, c.into), "\n")
			if !strings.Contains(got, c.want) {
				t.Errorf("faults:\n%s\nwant one with %q", got, c.want)
			}
		})
	}
}
