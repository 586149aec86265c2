package nx

import "github.com/sluicehq/sluice/connector"

const streamContacts = "contacts"

// streams of NXCloud. The rows are canonical as they come: no preset is needed.
var streams = []connector.Stream{{
	Name: streamContacts, Title: "Contacts",
	Doc: "The contacts of one application, each as it is when it is read. A run reads those that changed since the run before, and some again: " +
		"keep the latest row of each key.",
	Columns: contactColumns(),
	Key:     []string{"tenant_id", "app_key", "id"}, Cursor: "updated_at",
}}

// contactColumns are the canonical columns that the query can fill, and what the vendor has beside them.
func contactColumns() []connector.StreamColumn {
	columns := []connector.StreamColumn{
		{Name: "tenant_id", Doc: "the tenant that owns the contact"},
		{Name: "app_key", Doc: "the application inside the tenant"},
		{Name: "id", Doc: "the vendor's id of the contact; where it gives none, a hash of the contact"},
		{Name: "created_at", Type: connector.ColumnTimestamp, Doc: "when the contact was made"},
		{Name: "updated_at", Type: connector.ColumnTimestamp, Doc: "when the contact last changed"},
	}
	for _, c := range connector.Contact {
		column := connector.StreamColumn{Name: c.Name, Doc: c.Doc}
		switch {
		case c.Name == "custom":
			column.Type = connector.ColumnJSON
		case c.Name == "birthday":
			column.Type = connector.ColumnDate
		case c.List:
			column.Type = connector.ColumnTexts
		}
		switch c.Name {
		case "company", "profession", "income", "tags_remove", "stage", "industry", "language", "external_id": // not the vendor's
		case "tags":
			column.Doc = "the contact's tags"
			columns = append(columns, column)
		default:
			columns = append(columns, column)
		}
	}
	return append(columns,
		connector.StreamColumn{Name: "viber_phone", Doc: "Viber number"},
		connector.StreamColumn{Name: "messenger", Doc: "Messenger number"},
		connector.StreamColumn{Name: "instagram", Doc: "Instagram number"},
		connector.StreamColumn{Name: "zalo", Doc: "Zalo number"},
		connector.StreamColumn{Name: "line", Doc: "LINE name"},
		connector.StreamColumn{Name: "raw", Type: connector.ColumnJSON, Doc: "the contact as the vendor sent it"})
}
