package nx_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/nx"
	"github.com/sluicehq/sluice/connector/nx/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func account(more map[string]any) map[string]any {
	values := map[string]any{"access_key": "sandbox-key", "access_secret": "sandbox-secret", "tenant_id": 144, "app_key": "sandbox=app"}
	for name, value := range more {
		values[name] = value
	}
	return values
}

func TestContract(t *testing.T) {
	link := func() connectortest.Service { return sandbox.New(sandbox.Options{StrictCustom: true}).Link }
	cloud := func() connectortest.Service { return sandbox.New(sandbox.Options{StrictCustom: true}).Cloud }
	contact := map[string]any{"custom": map[string]any{"customize_1_14": "aa", "vip": "gold"}, "owner": "seat-1"}
	vip := map[string]any{"vip": "customize_3_17"}
	for _, tc := range []struct {
		name   string
		vendor connector.Vendor
		sb     connectortest.Sandbox
	}{
		{"sea", nx.NXLink, connectortest.Sandbox{New: link, Config: account(map[string]any{"custom_fields": vip}), Contact: contact}},
		{"new", nx.NXCloud, connectortest.Sandbox{New: cloud, Config: account(map[string]any{"custom_fields": vip, "algorithm": "sha256", "strict_binding": true}), Contact: contact}},
		{"old", nx.NXCloud, connectortest.Sandbox{New: cloud, Config: account(map[string]any{"custom_fields": vip, "contract": "old", "name_order": "nx_surname_first"}), Contact: contact}},
	} {
		t.Run(tc.name, func(t *testing.T) { connectortest.Run(t, tc.vendor, tc.sb) })
	}
}

func TestSource(t *testing.T) { connectortest.Source(t, ".") }
