// Command spec writes spec.json: the ConnectorSpecification that Airbyte hosts ask for, made from the tables that the
// configuration is decoded by. Run by go generate in the module's root.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"

	"github.com/sluicehq/sluice/cmd/internal/job"
	"github.com/sluicehq/sluice/connector/all"
	"github.com/sluicehq/sluice/internal/config"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: spec FILE")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "spec:", err)
		os.Exit(1)
	}
}

func write(path string) error {
	destination, err := config.JSONSchema(job.DestinationFields(all.Vendors), config.SchemaOptions{Title: "Sluice Destination Spec"})
	if err != nil {
		return err
	}
	source, err := config.JSONSchema(job.SourceFields(all.Vendors), config.SchemaOptions{Title: "Sluice Source Spec"})
	if err != nil {
		return err
	}
	spec := map[string]any{
		"destination": map[string]any{
			"documentationUrl":                 "https://github.com/sluicehq/sluice#airbyte",
			"supportsIncremental":              true,
			"supported_destination_sync_modes": []string{"append", "append_dedup", "overwrite"},
			"protocol_version":                 "0.2.0",
			"connectionSpecification":          json.RawMessage(destination),
		},
		"source": map[string]any{
			"documentationUrl":        "https://github.com/sluicehq/sluice#airbyte",
			"supportsIncremental":     true,
			"protocol_version":        "0.2.0",
			"connectionSpecification": json.RawMessage(source),
		},
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(spec); err != nil {
		return err
	}
	return os.WriteFile(path, out.Bytes(), 0o644)
}
