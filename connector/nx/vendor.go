package nx

import "github.com/sluicehq/sluice/connector"

// NXLink is the "sea" interface of the vendor.
var NXLink = connector.Vendor{
	Name:  "nxlink",
	Title: "NXLink",
	Doc: "NXLink keeps the contacts of a WhatsApp customer-data platform. It takes up to 100 contacts a request and answers for " +
		"the whole request only; a refused request is halved until the row at fault is found. Every contact needs a WhatsApp " +
		"number, an SMS number or an e-mail address, a first name and a last name; both names may come from `full_name`.",
	NewConfig: func() connector.Config {
		c := &LinkConfig{Account: defaultAccount()}
		c.BaseURL = hostNXLink
		return c
	},
	Fields:    linkFields(),
	Modes:     modes,
	Mode:      modeOf,
	Codec:     newCodec,
	Preset:    newPreset,
	Check:     newCheck,
	Pace:      pace,
	Errors:    vendorErrors,
	MatchKeys: matchKeys,
	Required:  []string{"first_name", "last_name"},
}

// NXCloud is the "plat" interface of the vendor, in its old and its new contract.
var NXCloud = connector.Vendor{
	Name:  "nxcloud",
	Title: "NXCloud",
	Doc: "NXCloud keeps the contacts of a WhatsApp customer-data platform. It takes up to 100 contacts a request and answers " +
		"for the whole request only; a refused request is halved until the row at fault is found. Every contact needs a WhatsApp " +
		"number, an SMS number or an e-mail address, and a name: the new contract demands `full_name`, the old one both halves; " +
		"either is made from the other.",
	NewConfig: func() connector.Config {
		return &CloudConfig{Account: defaultAccount(), Contract: contractNew}
	},
	Fields:    cloudFields(),
	Modes:     modes,
	Mode:      modeOf,
	Codec:     newCodec,
	Preset:    newPreset,
	Lookup:    newLookup,
	Check:     newCheck,
	Pace:      pace,
	Errors:    vendorErrors,
	MatchKeys: matchKeys,
	Required:  []string{"full_name"},
	Source:    &cloudSource,
}

var modes = []connector.Mode{
	{Name: modeUpsert, Title: "Upsert", Doc: "Add new contacts; add and update fields of those that are there (type 1)."},
	{Name: modeReplace, Title: "Replace", Doc: "Add new contacts; drop the old record of those that are there and keep only what is sent (type 0)."},
	{Name: modeInsert, Title: "Insert", Doc: "Add new contacts; leave those that are there as they are (type 2)."},
}

// pace is ours: the vendor publishes no rate limit.
var pace = connector.Pace{RequestsPerSecond: 5, Concurrency: 2, Source: "assumed; the vendor documents no limit"}

// matchKeys is assumed; see the package comment.
var matchKeys = []string{"whatsapp", "phone", "email"}
