package connectortest

import (
	"testing"

	"github.com/sluicehq/sluice/connector"
)

// Impurities is the check behind Source, for its own test.
var Impurities = impurities

// CheckNames lists the parts of the contract.
func CheckNames() []string {
	names := make([]string, len(checks))
	for i, c := range checks {
		names[i] = c.name
	}
	return names
}

// Reporter is where Findings reports go.
type Reporter = reporter

// RunOne runs one check with its findings going to report instead of the test.
func RunOne(t *testing.T, report Reporter, name string, v connector.Vendor, sb Sandbox) {
	for _, c := range checks {
		if c.name == name {
			runCheck(t, report, c, v, sb)
		}
	}
}
