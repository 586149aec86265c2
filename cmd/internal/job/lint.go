package job

import (
	"context"
	"errors"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
)

// Lint checks a pipeline file or a mapping as far as that goes without its input, its secrets and the CRM. The error
// holds one line per fault.
func Lint(path string, vendors []connector.Vendor) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return connector.Configf("Check the path", "cannot read: %w", err)
	}
	if IsReceive(path) {
		return lintReceive(path, text, vendors)
	}
	var top map[string]yaml.Node
	if yaml.Unmarshal(text, &top) == nil {
		_, from := top["from"]
		_, to := top["to"]
		if !from && !to {
			return lintMapping(path, text)
		}
	}
	p := &Pipeline{Path: path}
	err = config.DecodeWith(config.Options{LookupEnv: anyValue}, path, text, PipelineFields(vendors), p)
	if err != nil {
		return err
	}
	t, err := p.Target(context.Background(), vendors, Settings{Offline: true})
	if err == nil {
		t.Close()
	}
	in, inErr := p.Input(context.Background(), vendors, Settings{Offline: true})
	if inErr == nil {
		in.Close()
	}
	return errors.Join(err, inErr)
}

// anyValue stands in for variables that are not set where the file is checked.
func anyValue(name string) (string, bool) {
	if v, ok := os.LookupEnv(name); ok {
		return v, true
	}
	return "1", true
}
