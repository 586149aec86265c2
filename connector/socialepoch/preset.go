package socialepoch

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"github.com/sluicehq/sluice/connector"
)

//go:embed preset.yaml
var presetSource string

// presetTemplate is parsed when the program starts: a fault in the embedded file is a programmer's error.
var presetTemplate = template.Must(template.New("preset.yaml").Funcs(template.FuncMap{"yaml": quote}).Parse(presetSource))

// presetData is what preset.yaml may ask for.
type presetData struct {
	CancelTags   bool
	DefaultOwner string
	CustomFields map[string]string // source name → display name
}

// newPreset renders the dialect of one configuration.
func newPreset(cfg connector.Config) ([]byte, error) {
	c, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	to := endpointOf(modeOf(cfg))
	if to == nil {
		return nil, oneOf("mode", c.Mode, modeNames()...)
	}
	d := presetData{CancelTags: to.cancelTags, DefaultOwner: c.DefaultOwner, CustomFields: c.CustomFields}
	if d.CustomFields == nil {
		d.CustomFields = map[string]string{} // {} in YAML, not null
	}
	var out bytes.Buffer
	if err := presetTemplate.Execute(&out, d); err != nil {
		return nil, fmt.Errorf("socialepoch: preset: %w", err)
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
