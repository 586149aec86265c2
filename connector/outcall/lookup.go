package outcall

import (
	"encoding/json"
	"maps"

	"github.com/sluicehq/sluice/connector"
)

// lookup asks for the account's components and enters their names into the configuration.
type lookup struct {
	*probe
	config *Config
}

// newLookup returns nil where the configuration does not ask for it.
func newLookup(cfg connector.Config) (connector.Probe, error) {
	c, err := configOf(cfg)
	if err != nil || !c.LookupNames {
		return nil, err
	}
	return &lookup{componentsProbe(c), c}, nil
}

// ParseResponse adds each component under its name; those in the configuration come first. Two components of one name are
// a Config error, unless the configuration says which is meant.
func (l *lookup) ParseResponse(resp *connector.Response) error {
	if err := l.probe.ParseResponse(resp); err != nil {
		return err
	}
	list, err := readComponents(resp.Body)
	if err != nil {
		return err
	}
	configured := make(map[string]bool, len(l.config.Components)) // by id
	for _, id := range l.config.Components {
		configured[id] = true
	}
	found := map[string]string{}
	for _, c := range list {
		if _, named := l.config.Components[c.Name]; named || configured[c.ID] || c.Name == "" || !uuid.MatchString(c.ID) {
			continue
		}
		if other, taken := found[c.Name]; taken && other != c.ID {
			return connector.Configf("Name the one you mean in components", "the CRM has two components called %q: %s and %s", c.Name, other, c.ID)
		}
		found[c.Name] = c.ID
	}
	maps.Copy(found, l.config.Components)
	l.config.Components = found
	return nil
}

// crmComponent is an entry of the CRM's list of components.
type crmComponent struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// readComponents reads the answer to componentsProbe.
func readComponents(body []byte) ([]crmComponent, error) {
	var answer struct {
		Data []crmComponent `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, connector.Configf("Leave lookup_components out and list the ids in components", "the CRM's list of components cannot be read")
	}
	return answer.Data, nil
}
