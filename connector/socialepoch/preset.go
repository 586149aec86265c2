package socialepoch

import (
	_ "embed"

	"github.com/sluicehq/sluice/connector"
)

//go:embed preset.yaml
var presetSource string

var preset = connector.MustPreset(presetSource)

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
		return nil, connector.OneOf("mode", c.Mode, modeNames()...)
	}
	return preset.Render(presetData{CancelTags: to.cancelTags, DefaultOwner: c.DefaultOwner, CustomFields: c.CustomFields})
}
