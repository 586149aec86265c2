package template_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/sluicehq/sluice/connector/connectortest"
	"github.com/sluicehq/sluice/connector/template"
	"github.com/sluicehq/sluice/connector/template/sandbox"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	connectortest.Run(t, template.Vendor, connectortest.Sandbox{
		New:    func() connectortest.Service { return sandbox.New() },
		Config: map[string]any{"api_key": sandbox.APIKey, "account": sandbox.Account},
	})
}

func TestSource(t *testing.T) { connectortest.Source(t, ".") }
