package config

import (
	"encoding/json"
	"testing"

	"github.com/sluicehq/sluice"
)

// TestSpecFollowsTheRules holds the published connector specification to the rules that hosts test.
func TestSpecFollowsTheRules(t *testing.T) {
	var specs map[string]struct {
		DocumentationURL string          `json:"documentationUrl"`
		Schema           json.RawMessage `json:"connectionSpecification"`
		Modes            []string        `json:"supported_destination_sync_modes"`
	}
	if err := json.Unmarshal(sluice.Spec, &specs); err != nil {
		t.Fatal(err)
	}
	d, ok := specs["destination"]
	if !ok || d.DocumentationURL == "" || len(d.Modes) == 0 {
		t.Errorf("the destination lacks its documentation URL or its sync modes: %+v", d)
	}
	for name, s := range specs {
		for _, fault := range schemaFaults(s.Schema) {
			t.Errorf("%s%s", name, fault)
		}
	}
}
