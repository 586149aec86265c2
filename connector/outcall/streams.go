package outcall

import "github.com/sluicehq/sluice/connector"

// Streams of the vendor.
const (
	streamImportResults = "import_results"
	streamImports       = "imports"
	streamContacts      = "contacts"
)

// States of an import, in the stream imports.
const (
	stateWaiting  = "waiting"  // accepted, not done
	stateImported = "imported" // done: numbers says which got in
	stateUnknown  = "unknown"  // the vendor knows no such import, or its list is gone
)

var importColumns = []connector.StreamColumn{
	{Name: "type", Doc: "api_customer_to_task or import_number: numbers were put into a task; del_number: numbers were taken out"},
	{Name: "mode", Doc: "single or batch"},
	{Name: "unique_id", Doc: "what the vendor called the import when it accepted it"},
	{Name: "user_id", Doc: "the account"},
	{Name: "task_id", Doc: "the task"},
	{Name: "numbers", Type: connector.ColumnTexts, Doc: "the numbers that got in, or were taken out; absent as long as only their address is known"},
	{Name: "missing", Type: connector.ColumnTexts, Doc: "numbers that were submitted and did not get in; absent where it is not known what was submitted"},
	{Name: "url", Doc: "where the vendor keeps the list of numbers"},
	{Name: "raw", Type: connector.ColumnJSON, Doc: "the callback as the vendor sent it; the fetched numbers are put into it"},
}

var streams = []connector.Stream{
	{
		Name: streamImportResults, Title: "Import results",
		Doc:     "Callbacks about numbers that were put into tasks or taken out. Where a callback only says where the list of numbers is, the list is fetched and comes as a second row of the same unique_id.",
		Columns: append(connector.EventColumns[:len(connector.EventColumns):len(connector.EventColumns)], importColumns...),
		Key:     []string{"event_id"}, Cursor: "seq",
	},
	{
		Name: streamImports, Title: "Imports", Doc: "The imports that the configuration lists, each as the vendor knows it now.",
		Columns: append([]connector.StreamColumn{
			{Name: "tenant_id", Doc: "the account that was asked"},
			{Name: "state", Doc: "waiting, imported, or unknown: the vendor knows no such import, or its list of numbers is gone"},
		}, importColumns...),
		Key: []string{"tenant_id", "unique_id"},
	},
	{
		Name: streamContacts, Title: "Contacts", Doc: "The pool of customers. The vendor has no query by time of change, so the pool is read whole each time, by pages.",
		Columns: contactColumns(), Key: []string{"tenant_id", "id"},
	},
}

func contactColumns() []connector.StreamColumn {
	columns := []connector.StreamColumn{
		{Name: "tenant_id", Doc: "the account that was asked"},
		{Name: "id", Doc: "the vendor's id of the customer; where it gives none, a hash of the customer"},
		{Name: "created_at", Type: connector.ColumnTimestamp, Doc: "when the customer came into the pool"},
		{Name: "updated_at", Type: connector.ColumnTimestamp, Doc: "when the customer last changed"},
	}
	for _, c := range connector.Contact {
		column := connector.StreamColumn{Name: c.Name, Doc: c.Doc}
		switch c.Name {
		case "whatsapp", "first_name", "last_name", "tags", "tags_remove": // not the vendor's
			continue
		case "custom":
			column.Type = connector.ColumnJSON
		case "birthday":
			column.Type = connector.ColumnDate
		case "owner":
			column.Doc = "the sub-account that owns the customer, where it is not the account itself"
		}
		columns = append(columns, column)
	}
	return append(columns, connector.StreamColumn{Name: "raw", Type: connector.ColumnJSON, Doc: "the customer as the vendor sent it"})
}

var webhooks = []connector.Webhook{{
	Name: "import_callback", Title: "Import callback",
	Doc: "Numbers were put into a task or taken out. The vendor signs nothing: only the address protects this endpoint, so its path must be one that nobody can guess, " +
		"and a secret in the address (callback_secrets) is better still.",
	Streams: []string{streamImportResults},
	Hook:    newHook,
}}
