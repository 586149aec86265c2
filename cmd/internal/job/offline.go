package job

import (
	"context"
	"errors"
	"os"

	"go.yaml.in/yaml/v3"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/transforms"
)

// Open reads a mapping, or a pipeline file with its CRM, for tools that send nothing: what refers to a variable or file that
// is not there has a value that fits its field, and no CRM is asked. The target is nil for a mapping; else the caller closes it.
func Open(path string, vendors []connector.Vendor) (*transforms.Spec, *Target, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, connector.Configf("Check the path", "cannot read the mapping: %w", err)
	}
	if isMapping(text) {
		spec, err := transforms.Parse(path, text)
		return spec, nil, err
	}
	p := &Pipeline{Path: path}
	err = config.DecodeWith(config.Options{StandIns: true}, path, text, PipelineFields(vendors), p)
	if err != nil {
		return nil, nil, err
	}
	spec, err := p.mapping(p.Transforms)
	if err != nil {
		return nil, nil, err
	}
	t, err := p.Target(context.Background(), vendors, Settings{Offline: true})
	return spec, t, err
}

// isMapping tells a mapping from a pipeline file.
func isMapping(text []byte) bool {
	var top map[string]yaml.Node
	if yaml.Unmarshal(text, &top) != nil {
		return false
	}
	_, from := top["from"]
	_, to := top["to"]
	return !from && !to
}

// lintMapping checks a mapping as far as that goes without the CRM that it is for.
func lintMapping(path string, text []byte) error {
	spec, err := transforms.SalvageText(path, text)
	if spec == nil {
		return err
	}
	_, more := transforms.Compile(spec, transforms.Options{})
	return errors.Join(err, more)
}
