package template

import (
	_ "embed"

	"github.com/sluicehq/sluice/connector"
)

//go:embed preset.yaml
var presetSource string

var preset = connector.MustPreset(presetSource)

// newPreset renders the dialect of one configuration.
func newPreset(cfg connector.Config) ([]byte, error) {
	c, err := configOf(cfg)
	if err != nil {
		return nil, err
	}
	return preset.Render(c)
}
