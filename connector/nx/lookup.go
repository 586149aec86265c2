package nx

import (
	"encoding/json"
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
	var answer struct {
		Data []struct {
			Name    string `json:"name"`
			Display string `json:"display_name"`
			English string `json:"display_en_name"`
		} `json:"data"`
	}
	if err := json.Unmarshal(resp.Body, &answer); err != nil {
		return connector.Configf("Leave lookup_custom_fields out and list the fields in custom_fields", "the CRM's list of custom fields cannot be read")
	}
	found := map[string]string{}
	for _, f := range answer.Data {
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
