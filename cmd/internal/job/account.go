package job

import (
	"fmt"
	"slices"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/internal/events"
)

// readAccount is the account that a `crm` names, to be read.
func readAccount(vendors []connector.Vendor, crm *config.Choice) (*connector.Vendor, connector.Config, error) {
	at := slices.IndexFunc(vendors, func(v connector.Vendor) bool { return v.Name == crm.Name && v.Source != nil })
	if at < 0 {
		return nil, nil, connector.Internalf("", "no vendor %q to read from", crm.Name)
	}
	v := &vendors[at]
	cfg := v.Source.NewConfig()
	if err := crm.Decode(cfg); err != nil {
		return nil, nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, nil, asConfig(fmt.Errorf("crm: %w", err))
	}
	return v, cfg, nil
}

// readHooks binds the vendor's webhooks to an account: those that feed the stream, or all of them for "".
func readHooks(v *connector.Vendor, cfg connector.Config, stream string) (hooks []events.Webhook, err error) {
	for _, w := range v.Source.Webhooks {
		if stream != "" && !slices.Contains(w.Streams, stream) {
			continue
		}
		h, err := w.Hook(cfg)
		if err != nil {
			return nil, asConfig(fmt.Errorf("crm: webhook %s: %w", w.Name, err))
		}
		hooks = append(hooks, events.Webhook{Name: w.Name, Streams: w.Streams, Hook: h})
	}
	return hooks, nil
}
