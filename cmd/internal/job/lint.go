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
	return LintText(path, text, vendors)
}

// LintText is Lint for the text of a pipeline file or a mapping. The name is for messages, and where relative paths start.
func LintText(name string, text []byte, vendors []connector.Vendor) error {
	var top map[string]yaml.Node
	if yaml.Unmarshal(text, &top) == nil {
		_, from := top["from"]
		_, to := top["to"]
		if !from && !to {
			return lintMapping(name, text)
		}
	}
	return lintPipeline(name, text, vendors)
}

// lintPipeline looks for faults in each part of the file, whatever is wrong with the others.
func lintPipeline(name string, text []byte, vendors []connector.Vendor) error {
	p := &Pipeline{Path: name}
	fileErr := config.DecodeWith(config.Options{StandIns: true, Partial: true}, name, text, PipelineFields(vendors), p)
	user, userErr := p.salvage(p.Transforms)
	preset, presetErr := p.salvage(p.Preset)
	faults := []error{fileErr, userErr, presetErr}
	v, cfg, err := p.lintTo(vendors, fileErr)
	if faults = append(faults, err); v != nil && preset != nil {
		if _, err := Preset(v, cfg, preset); err != nil {
			faults, preset = append(faults, err), nil
		}
	}
	if v != nil {
		t, err := NewTarget(context.Background(), v, cfg, Settings{Mapping: user, Preset: preset, Delivery: p.Delivery, Offline: true})
		if err == nil {
			t.Close()
		}
		faults = append(faults, err)
	}
	if fileErr != nil {
		return errors.Join(faults...)
	}
	in, err := p.Input(context.Background(), vendors, Settings{Offline: true})
	if err == nil {
		faults = append(faults, user.Unfit(in.Stream()))
		in.Close()
	}
	return errors.Join(append(faults, err)...)
}

// lintTo is the CRM with its settings, or where these have a fault with others, which let the mapping be checked. nil: no
// CRM is named.
func (p *Pipeline) lintTo(vendors []connector.Vendor, fileErr error) (*connector.Vendor, connector.Config, error) {
	if p.To.Name == "" {
		return nil, nil, nil
	}
	v, cfg, err := choose(vendors, p.To)
	if err == nil && fileErr == nil {
		return v, cfg, nil
	}
	if fileErr != nil {
		err = nil // what was said of the file says it
	}
	for i := range vendors {
		if vendors[i].Name == p.To.Name {
			cfg, perr := Placeholder(&vendors[i])
			return &vendors[i], cfg, errors.Join(err, perr)
		}
	}
	return nil, nil, err
}

// salvage is mapping for whoever looks for every fault.
func (p *Pipeline) salvage(raw config.Raw) (*transforms.Spec, error) {
	if raw.Node != nil {
		return transforms.Salvage(raw.Name, raw.Node)
	}
	path, ok := singleLine(raw.Text)
	switch {
	case raw.IsZero():
		return nil, nil
	case !ok:
		return transforms.SalvageText(raw.Name, []byte(raw.Text))
	}
	text, err := readMapping(p.Resolve(path))
	if err != nil {
		return nil, err
	}
	return transforms.SalvageText(p.Resolve(path), text)
}
