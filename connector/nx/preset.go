package nx

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
	New          bool // the new contract: more channels, longer remark, full_name demanded
	HalvesNeeded bool // first_name and last_name are demanded
	FullName     bool // full_name is sent
	Owner        bool // belong_seat_user is in the contract
	GivenField   string
	FamilyField  string
	MissingName  string
	FullNameMax  int
	RemarkMax    int
	CustomFields map[string]string // source name → customize_<type>_<n>
	CustomName   string            // regular expression of names that pass as they are
}

// newPreset renders the dialect of one configuration.
func newPreset(cfg connector.Config) ([]byte, error) {
	s, err := settingsOf(cfg)
	if err != nil {
		return nil, err
	}
	isNew := s.contract == contractNew
	d := presetData{
		New: isNew, HalvesNeeded: !isNew, FullName: isNew || s.SendFullName, Owner: s.contract != contractOld,
		GivenField: "first_name", FamilyField: "last_name",
		MissingName: s.MissingName, FullNameMax: 128, RemarkMax: 100, CustomFields: s.CustomFields, CustomName: customName.String(),
	}
	if isNew {
		d.FullNameMax, d.RemarkMax = 255, 2000
	}
	if d.CustomFields == nil {
		d.CustomFields = map[string]string{} // {} in YAML, not null
	}
	if s.NameOrder == nameSurnameFirst {
		d.GivenField, d.FamilyField = d.FamilyField, d.GivenField
	}
	var out bytes.Buffer
	if err := presetTemplate.Execute(&out, d); err != nil {
		return nil, fmt.Errorf("nx: preset: %w", err)
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
