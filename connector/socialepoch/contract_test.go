package socialepoch_test

import (
	"maps"
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/socialepoch"
	"github.com/sluicehq/sluice/connector/socialepoch/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func account(more map[string]any) map[string]any {
	values := map[string]any{"tenant_id": sandbox.TenantID, "api_key": sandbox.APIKey}
	for name, value := range more {
		values[name] = value
	}
	return values
}

func TestContract(t *testing.T) {
	contact := map[string]any{
		"owner": sandbox.Agent, "stage": "New customer", "source": "System assignment", "language": "Auto", "tags_remove": []string{"王"},
		"custom": map[string]any{"faction": "Guanlong", "Points": 12.50, "Signed on": "2022-03-08", "Channel": "Web", "Interests": []string{"Music", "Sport"}},
	}
	config := account(map[string]any{
		"custom_fields": map[string]any{"faction": "Faction"}, "field_types": map[string]any{"Signed on": "date", "Channel": "single", "Points": "number", "Interests": "multi"},
	})
	for _, m := range socialepoch.SocialEpoch.Modes {
		t.Run(m.Name, func(t *testing.T) {
			values := maps.Clone(config)
			values["mode"] = m.Name
			if m.Name == "pool_append" {
				contact = maps.Clone(contact)
				contact["tags_remove"] = nil
			}
			connectortest.Run(t, socialepoch.SocialEpoch, connectortest.Sandbox{
				New:    func() connectortest.Service { return sandbox.New(sandbox.Options{}) },
				Config: values, Contact: contact,
			})
		})
	}
}

func TestSource(t *testing.T) { connectortest.Source(t, ".") }
