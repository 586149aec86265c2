package job

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/reject"
	"github.com/sluicehq/sluice/wire/airbyte"
)

// Airbyte is the destination behind cmd/destination-sluice, for these vendors.
func Airbyte(vendors []connector.Vendor) airbyte.Destination {
	target := func(ctx context.Context, data []byte, s Settings) (*Destination, *Target, error) {
		d, err := DecodeDestination("config", data, vendors)
		if err != nil {
			return nil, nil, err
		}
		t, err := d.Target(ctx, vendors, s)
		return d, t, err
	}
	return airbyte.Destination{
		Spec: spec("destination"),
		Check: func(ctx context.Context, data []byte) error {
			_, t, err := target(ctx, data, Settings{})
			if err != nil {
				return err
			}
			defer t.Close()
			return t.Check(ctx)
		},
		Operations: func(data []byte) ([]airbyte.Operation, error) {
			_, t, err := target(context.Background(), data, Settings{Offline: true})
			if err != nil {
				return nil, err
			}
			defer t.Close()
			return operations(t.Vendor), nil
		},
		Fields: func(data []byte) (func(string) []string, error) {
			_, t, err := target(context.Background(), data, Settings{Offline: true})
			if err != nil {
				return nil, err
			}
			t.Close()
			return t.Mapping.Fields, nil
		},
		Complete: func(data []byte) (string, error) {
			_, t, err := target(context.Background(), data, Settings{Offline: true})
			if err != nil {
				return "", err
			}
			defer t.Close()
			if !t.Whole() {
				return "", nil
			}
			return "mode " + t.Mode, nil
		},
		Write: func(ctx context.Context, data []byte, in connector.Reader, log *slog.Logger) error {
			d, t, err := target(ctx, data, Settings{Log: log})
			if err != nil {
				return err
			}
			defer t.Close()
			return d.write(ctx, t, in, log)
		},
	}
}

// write runs the sync. Rejects go to the configured folder, else to one under the temporary folder, where a container
// may write; the log then carries a summary.
func (d *Destination) write(ctx context.Context, t *Target, in connector.Reader, log *slog.Logger) error {
	dir := d.Rejects.Dir
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "sluice-rejects")
	}
	rejects, err := reject.Open(reject.Config{Dir: dir, Explain: t.Vendor.Explain})
	if err != nil {
		return err
	}
	// The platform runs a sync again that it killed, and does not say so: every sync may go on where another was cut short.
	report, stats, err := t.Run(ctx, Run{Reader: in, Rejects: rejects, Limits: d.Rejects.RejectLimits, Resumed: true})
	if cerr := rejects.Close(); err == nil {
		err = cerr
	}
	log.Info(fmt.Sprintf("%s: %d read = %d %s + %d filtered + %d rejected + %d left, in %d requests",
		t.Vendor.Name, report.Read, report.Delivered, t.Delivered(), report.Filtered, report.Rejected, report.Left, stats.Requests))
	for code, n := range report.Codes {
		info, _ := t.Vendor.Explain(code)
		log.Warn(fmt.Sprintf("%d rows rejected as %s: %s. %s. Such as %q; all of them in %s", n, code, info.Meaning, info.Fix, report.Samples[code], dir))
	}
	return err
}

// operations offers the one object, contact, in the ways that hosts may ask for; all of them mean the vendor's default mode.
func operations(v *connector.Vendor) []airbyte.Operation {
	properties := map[string]any{}
	for _, c := range connector.Contact {
		p := map[string]any{"type": []string{"string", "null"}, "description": c.Doc}
		switch {
		case c.List:
			p["type"], p["items"] = []string{"array", "null"}, map[string]any{"type": "string"}
		case c.Name == "custom":
			p["type"] = []string{"object", "null"}
		}
		properties[c.Name] = p
	}
	schema, err := json.Marshal(map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "title": "Contact", "additionalProperties": true,
		"required": append([]string{}, v.Required...), "properties": properties,
	})
	if err != nil {
		panic(err) // a table of constants
	}
	keys := make([][]string, len(v.MatchKeys))
	for i, k := range v.MatchKeys {
		keys[i] = []string{k}
	}
	var ops []airbyte.Operation
	for _, mode := range []string{"append_dedup", "append"} {
		ops = append(ops, airbyte.Operation{ObjectName: "contact", SyncMode: mode, MatchingKeys: keys, JSONSchema: schema})
	}
	return ops
}
