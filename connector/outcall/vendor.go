package outcall

import "github.com/sluicehq/sluice/connector"

// Vendor is the outbound-call CRM.
var Vendor = connector.Vendor{
	Name:  "outcall",
	Title: "Outbound calls (agent-api)",
	Doc: "An outbound-call CRM that calls the numbers of a task. A contact goes into the pool of customers first (unless `ignore_crm` is set) and " +
		"then into the task. The vendor takes up to 200 numbers a request, answers that it accepted them, and imports them later; with `settle: imported`, " +
		"the default, a row counts as delivered when its number is among those that were imported. What is not among them is searched for in the task: " +
		"a number that another row put there is rejected as `in_task`, one that is not there as `not_imported`, and a row that the task holds under its own " +
		"`external_id` counts as delivered, its fields as they were. A number given twice in a row is rejected as `duplicate`; the reject names the row that came first.\n\n" +
		"A call is never repeated blindly. After a lost reply the rows are searched for, six times within a minute, before they are sent again. So are the " +
		"first 20,000 rows of a run that may go on where another was killed: a run of `sluice run` that is not the first, one that reads standard input, a retry of rejects, " +
		"and every Airbyte sync, since the platform does not say whether it runs one again. That makes such a run a minute longer. Map `external_id`: it tells a row from " +
		"another of the same number.\n\n" +
		"A task of version 2.0 takes numbers only while it is stopped. " +
		"Components, sources, industries and grades are known to the vendor by id; names are given ids in the configuration, and a source, industry or " +
		"stage that is neither listed there nor a number is left out.",
	NewConfig: func() connector.Config {
		return &Config{BaseURL: host, Mode: modeAsync, Settle: settleImported, PhoneFormat: phoneCN11}
	},
	Fields: fields,
	Modes: []connector.Mode{
		{Name: modeAsync, Title: "Asynchronous", Doc: "Up to 200 numbers a request, accepted at once and imported later (async_number).", Once: true},
		{Name: modeSync, Title: "Synchronous", Doc: "Up to 100 numbers a request, imported before the answer (number). One bad number refuses the whole request, which is then halved until it is found.", Once: true},
	},
	Mode:   modeOf,
	Codec:  newCodec,
	Preset: newPreset,
	Lookup: newLookup,
	Check:  newCheck,
	Unconfirmed: func(cfg connector.Config) string {
		if c, err := configOf(cfg); err == nil && c.Settle == settleAccepted && modeOf(cfg) == modeAsync {
			return unconfirmed
		}
		return ""
	},
	Pace:      connector.Pace{RequestsPerSecond: 5, Concurrency: 2, Source: "assumed; the vendor documents no limit"},
	Errors:    vendorErrors,
	MatchKeys: []string{"phone"},
	Required:  []string{"phone"},
	Source:    &source,
}
