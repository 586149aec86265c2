package nx

import (
	"maps"

	"github.com/sluicehq/sluice/connector"
)

// lookup asks for the tenant's custom fields and enters their labels into the configuration's custom_fields.
type lookup struct {
	*probe
	account *Account
}

// newLookup returns nil where the configuration does not ask for it.
func newLookup(cfg connector.Config) (connector.Probe, error) {
	c, ok := cfg.(*CloudConfig)
	if !ok || !c.LookupFields {
		return nil, nil
	}
	s, err := settingsOf(cfg)
	if err != nil {
		return nil, err
	}
	return &lookup{probe: fieldsProbe(&s), account: &c.Account}, nil
}

// ParseResponse adds each custom field under its name and its labels, those in the configuration first. Two fields of one
// label are a Config error: nobody can tell which is meant.
func (l *lookup) ParseResponse(resp *connector.Response) error {
	if err := l.probe.ParseResponse(resp); err != nil {
		return err
	}
	list, err := readFields(resp.Body)
	if err != nil {
		return err
	}
	found := map[string]string{}
	for _, f := range list {
		if !customName.MatchString(f.Name) {
			continue // the vendor's own
		}
		for _, label := range []string{f.Display, f.English} {
			if other, taken := found[label]; taken && other != f.Name {
				return connector.Configf("Name the one you mean in custom_fields", "the CRM has two custom fields called %q: %s and %s", label, other, f.Name)
			}
			if label != "" {
				found[label] = f.Name
			}
		}
	}
	maps.Copy(found, l.account.CustomFields)
	l.account.CustomFields = found
	return nil
}
