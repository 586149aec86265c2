package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
)

// Placeholder configures a vendor with what its table gives as examples, so that a mapping can be tried against its preset
// and its codec where there is no account. Nothing can be sent with it.
func Placeholder(v *connector.Vendor) (connector.Config, error) {
	return PlaceholderWith(v, v.Name, nil, "")
}

// PlaceholderWith is Placeholder with settings of the user's: what stands in a document under a key. The name is that of
// its file, for messages.
func PlaceholderWith(v *connector.Vendor, name string, own []byte, key string) (connector.Config, error) {
	settings := map[string]any{}
	for i := range v.Fields {
		// A default for all rows stands in for what a sample may lack.
		if f := &v.Fields[i]; f.Required || f.Type == connector.TypeString && strings.HasPrefix(f.Name, "default_") {
			settings[f.Name] = config.StandIn(f)
		}
	}
	text, err := json.Marshal(settings)
	if err != nil {
		return nil, fmt.Errorf("placeholder: %w", err)
	}
	cfg := v.NewConfig()
	if err := json.Unmarshal(text, cfg); err != nil {
		return nil, fmt.Errorf("placeholder: %s: %w", v.Name, err)
	}
	if own == nil {
		return cfg, cfg.Validate()
	}
	// What the user does not set keeps the placeholder: nothing is required of a file that cannot send.
	fields := slices.Clone(v.Fields)
	for i := range fields {
		fields[i].Required, fields[i].Default = false, nil
	}
	return cfg, config.DecodeWith(config.Options{At: key}, name, own, fields, cfg)
}
