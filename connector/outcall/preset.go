package outcall

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"text/template"

	"github.com/sluicehq/sluice/connector"
)

//go:embed preset.yaml
var presetSource string

// presetTemplate is parsed when the program starts: a fault in the embedded file is a programmer's error.
var presetTemplate = template.Must(template.New("preset.yaml").Funcs(template.FuncMap{"yaml": quote}).Parse(presetSource))

// componentColumns are the canonical columns that have no field of their own at the vendor and may be given a component.
var componentColumns = []string{"birthday", "address", "country", "profession", "income", "remark", "language", "time_zone"}

// columnPrefix begins the vendor columns made of componentColumns.
const columnPrefix = "component_"

// newPreset renders the dialect of one configuration.
func newPreset(cfg connector.Config) ([]byte, error) {
	c, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	components := maps.Clone(c.Components)
	if components == nil {
		components = map[string]string{} // {} in YAML, not null
	}
	var columns []string
	for _, name := range componentColumns {
		if _, ok := components[name]; ok {
			columns = append(columns, name)
		}
	}
	var out bytes.Buffer
	err = presetTemplate.Execute(&out, map[string]any{
		"AnyPhone": c.PhoneFormat == phoneAny, "Columns": columns, "Components": components, "IDs": uuidPattern,
	})
	if err != nil {
		return nil, fmt.Errorf("outcall: preset: %w", err)
	}
	return out.Bytes(), nil
}

// quote writes v as JSON, which YAML reads as the same value.
func quote(v any) (string, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}
