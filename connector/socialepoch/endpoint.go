package socialepoch

import "github.com/sluicehq/sluice/connector"

// Modes, by name.
const (
	modeImport      = "import"
	modePoolAppend  = "pool_append"
	modePoolReplace = "pool_replace"
)

// endpoint is one import interface of the vendor.
type endpoint struct {
	mode       connector.Mode
	path       string
	name       string // what the vendor limits as one
	cancelTags bool   // takes cancelTabName
	selectList bool   // wants the choice of a single-select field as the text of a list
}

// endpoints lists the interfaces by mode, the default first.
var endpoints = []endpoint{
	{
		mode: connector.Mode{Name: modeImport, Title: "Import customers",
			Doc: "Add new customers to their agent; add and update fields of those that are there."},
		path: "/wscrm-bus-api/customer/api/batchImport", name: "customer/batchImport", cancelTags: true,
	},
	{
		mode: connector.Mode{Name: modePoolAppend, Title: "Append to the import pool",
			Doc: "Add contacts to their agent's import pool, beside those that wait there. Tags cannot be taken away in this mode."},
		path: "/wscrm-bus-api/customer/api/batchImportAppendV2", name: "customer/batchImportAppendV2", selectList: true,
	},
	{
		mode: connector.Mode{Name: modePoolReplace, Title: "Replace the import pool", Whole: true,
			Doc: "Replace the whole import pool of every agent in the input: one call for each agent holds all of his contacts, and whoever " +
				"is not in it leaves his pool. All input is read first; input that is not known to be complete sends nothing, and neither " +
				"does input with more contacts of one agent than a request takes: 10,000, or max_request_bytes. Agents who are not in the input keep their pools."},
		path: "/wscrm-bus-api/customer/api/batchImportWhatsContact", name: "customer/batchImportWhatsContact", cancelTags: true, selectList: true,
	},
}

// endpointOf finds the interface of a mode, nil if there is none.
func endpointOf(mode string) *endpoint {
	for i := range endpoints {
		if endpoints[i].mode.Name == mode {
			return &endpoints[i]
		}
	}
	return nil
}

func modeList() []connector.Mode {
	modes := make([]connector.Mode, len(endpoints))
	for i := range endpoints {
		modes[i] = endpoints[i].mode
	}
	return modes
}

func modeNames() []string {
	names := make([]string, len(endpoints))
	for i := range endpoints {
		names[i] = endpoints[i].mode.Name
	}
	return names
}
