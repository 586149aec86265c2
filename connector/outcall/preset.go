package outcall

import (
	_ "embed"

	"github.com/sluicehq/sluice/connector"
)

//go:embed preset.yaml
var presetSource string

var preset = connector.MustPreset(presetSource)

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
	var columns []string
	for _, name := range componentColumns {
		if _, ok := c.Components[name]; ok {
			columns = append(columns, name)
		}
	}
	return preset.Render(map[string]any{
		"AnyPhone": c.PhoneFormat == phoneAny, "MainlandPhone": c.PhoneFormat != phoneDigits, "Columns": columns, "Components": c.Components, "IDs": uuidPattern,
	})
}
