package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"text/template"
)

// PresetTemplate is a vendor's preset.yaml: a text/template, because contracts and modes of one vendor differ in a few
// fields. The function yaml in it writes a value so that YAML reads the same value again.
type PresetTemplate struct{ template *template.Template }

// MustPreset parses the embedded file. It panics where that cannot be: a fault in it is a programmer's error.
func MustPreset(source string) PresetTemplate {
	return PresetTemplate{template.Must(template.New("preset.yaml").Funcs(template.FuncMap{"yaml": asYAML}).Parse(source))}
}

// Render gives the dialect of one configuration; data is what the file may ask for.
func (p PresetTemplate) Render(data any) ([]byte, error) {
	var out bytes.Buffer
	if err := p.template.Execute(&out, data); err != nil {
		return nil, fmt.Errorf("preset: %w", err)
	}
	return out.Bytes(), nil
}

// asYAML writes v as JSON, which YAML reads as the same value. A nil map is an empty one, not null.
func asYAML(v any) (string, error) {
	if m := reflect.ValueOf(v); m.Kind() == reflect.Map && m.IsNil() {
		return "{}", nil
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n"))), nil
}
