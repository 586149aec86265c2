package job

import (
	"bytes"
	"context"
	"errors"

	"github.com/sluicehq/sluice/connector"
	"github.com/sluicehq/sluice/internal/config"
	"github.com/sluicehq/sluice/transforms"
)

// Destination is the configuration of the Airbyte destination: a pipeline file without its input.
type Destination struct {
	CRM      config.Choice `json:"crm"`
	Mapping  string        `json:"mapping"`
	Preset   string        `json:"preset"`
	Rejects  Rejects       `json:"rejects"`
	Delivery Delivery      `json:"delivery"`
}

// DestinationFields is the table of Destination for these vendors; spec.json is made from it.
func DestinationFields(vendors []connector.Vendor) []connector.Field {
	return []connector.Field{
		{Name: "crm", Type: connector.TypeObject, Title: "CRM", Doc: "The CRM that takes the contacts.", Required: true, Discriminator: "vendor", OneOf: vendorVariants(vendors)},
		{Name: "mapping", Type: connector.TypeString, Lines: true, Title: "Mapping", Doc: "How a record becomes a contact, in YAML: `streams:` and what follows. Without it, fields go by the names of the canonical contact (phone, whatsapp, full_name, email, …) or the CRM's own.",
			Examples: []any{"streams:\n  '*':\n    fields:\n      whatsapp: {from: mobile, phone: {format: digits}}\n      full_name: name\n"}},
		{Name: "preset", Type: connector.TypeString, Lines: true, Title: "Preset", Doc: "Changes to single fields of the CRM's preset, in the language of the mapping.", Advanced: true},
		{Name: "rejects", Type: connector.TypeObject, Title: "Rejects", Doc: "What becomes of refused rows.", Fields: RejectsFields, Advanced: true},
		{Name: "delivery", Type: connector.TypeObject, Title: "Delivery", Doc: "How to call the CRM.", Fields: DeliveryFields, Advanced: true},
	}
}

// DecodeDestination reads and checks the configuration that an Airbyte host hands over.
func DecodeDestination(name string, data []byte, vendors []connector.Vendor) (*Destination, error) {
	var d Destination
	if err := config.DecodeWith(config.Options{Literal: true, HostKeys: true}, name, data, DestinationFields(vendors), &d); err != nil {
		return nil, err
	}
	return &d, nil
}

// Target compiles the mapping and configures the vendor.
func (d *Destination) Target(ctx context.Context, vendors []connector.Vendor, s Settings) (*Target, error) {
	v, cfg, err := choose(vendors, d.CRM)
	user, uerr := parseText("mapping", d.Mapping)
	preset, perr := parseText("preset", d.Preset)
	if err := errors.Join(err, uerr, perr); err != nil {
		return nil, asConfig(err)
	}
	s.Mapping, s.Preset, s.Delivery, s.Public = user, preset, d.Delivery, onShared()
	if s.Public {
		if err := checkPublicCRM(ctx, cfg); err != nil {
			return nil, err
		}
	}
	return NewTarget(ctx, v, cfg, s)
}

func parseText(name, text string) (*transforms.Spec, error) {
	if len(bytes.TrimSpace([]byte(text))) == 0 {
		return nil, nil
	}
	return transforms.Parse(name, []byte(text))
}
