package template

import "github.com/sluicehq/sluice/connector"

// Vendor is the CRM of this folder.
var Vendor = connector.Vendor{
	Name:  "template",
	Title: "Template CRM",
	Doc:   "Takes up to 500 contacts a request, known by their phone number. Fields that are given replace old ones. Each contact that is refused is named with a code of its own.",

	NewConfig: func() connector.Config { return &Config{BaseURL: host} },
	Fields:    fields,
	Modes:     []connector.Mode{{Name: modeUpsert, Title: "Upsert", Doc: "Adds contacts and updates those that are there."}},
	Mode:      func(connector.Config) string { return modeUpsert },

	Codec:  newCodec,
	Preset: newPreset,
	Check:  newCheck,

	Pace:      connector.Pace{RequestsPerSecond: 5, Concurrency: 2, Source: "assumed; there is no such vendor"},
	Errors:    vendorErrors,
	MatchKeys: []string{"phone"},
	Required:  []string{"phone"},
}
