package config

import (
	"encoding/json"
	"os"
	"testing"
)

// TestSpecFollowsTheRules holds the published connector specification to the rules that hosts test.
func TestSpecFollowsTheRules(t *testing.T) {
	var specs map[string]struct {
		DocumentationURL string          `json:"documentationUrl"`
		Schema           json.RawMessage `json:"connectionSpecification"`
		Modes            []string        `json:"supported_destination_sync_modes"`
	}
	file, err := os.ReadFile("../../spec.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(file, &specs); err != nil {
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
