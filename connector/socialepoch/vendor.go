package socialepoch

import "github.com/sluicehq/sluice/connector"

// SocialEpoch is the WhatsApp CRM of that name.
var SocialEpoch = connector.Vendor{
	Name:  "socialepoch",
	Title: "SocialEpoch",
	Doc: "SocialEpoch is a CRM for WhatsApp in which every contact belongs to an agent. It takes up to 10,000 contacts a request and " +
		"says which of them failed. Every contact needs an agent's login name (`owner`, or the setting default_owner) and a WhatsApp " +
		"number with country code; `phone` stands in for a missing `whatsapp`. Members of `custom` become extension fields by their " +
		"display names. Stages, sources, languages and choices must be among those set up in the vendor's console.",
	NewConfig: func() connector.Config {
		return &Config{BaseURL: host, Mode: modeImport, SingleSelect: selectAuto, MaxBytes: defaultBytes}
	},
	Fields: fields(),
	Modes:  modeList(),
	Mode:   modeOf,
	Codec:  newCodec,
	Preset: newPreset,
	Check:  newCheck,
	Pace:   connector.Pace{RequestsPerSecond: 50.0 / 60, Concurrency: 2, Source: "the vendor allows 50 calls per interface and leaves the unit open; a minute is assumed"},
	Errors: vendorErrors,
	// No column is demanded always: default_owner stands in for owner, and either number will do.
	MatchKeys: []string{"whatsapp", "phone"},
	Source:    &source,
}
